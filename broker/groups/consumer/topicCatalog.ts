// What consumer groups have to know of the cluster's topics.

export interface CatalogTopic {
  readonly name: string
  readonly id: string
  readonly partitions: { readonly length: number }
}

export interface TopicCatalog {
  /** Another number as soon as a topic has come, grown or gone. */
  readonly topicsVersion: number
  topic(name: string): CatalogTopic | undefined
  topicById(id: string): CatalogTopic | undefined
  topics(): Iterable<CatalogTopic>
}
