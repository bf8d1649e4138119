// The isolation level of a reader. In a file of its own, so that the type check of a job does not
// load the client.

/**
 * Kafka's `isolation.level`. `uncommitted`, Kafka's default, reads all records up to the high
 * watermark. `committed` reads non-transactional records and records of committed transactions, up
 * to the last stable offset, which then is also the end of the partition.
 */
export type Isolation = 'uncommitted' | 'committed'
