// The names of a history: partitions, processes and values.

/** `topic-partition`, as Kafka's tools print it. */
export type PartitionName = string

/** What a send writes. Unique in its partition. */
export type Value = number | string
