// The cluster's topics, as far as consumer groups need them.

export interface CatalogTopic {
  readonly name: string
  readonly id: string
  readonly partitions: { readonly length: number }
}

export interface TopicCatalog {
  /** Changes whenever a topic is created, gets more partitions, or is deleted. */
  readonly topicsVersion: number
  topic(name: string): CatalogTopic | undefined
  topicById(id: string): CatalogTopic | undefined
  topics(): Iterable<CatalogTopic>
}
