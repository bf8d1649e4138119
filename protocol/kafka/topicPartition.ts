// A topic's name with a partition number: the key by which Kafka's messages name a partition.

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}
