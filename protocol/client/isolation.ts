// Which records of transactions a reader sees. Apart from the reader: types of jobs name it, and the compiler
// need not read a client for that.

/**
 * Kafka's isolation.level. Uncommitted, Kafka's default: all records up to the high watermark.
 * Committed: records outside of transactions and of committed ones, up to the last stable offset; the
 * end of the partition is the last stable offset, too.
 */
export type Isolation = 'uncommitted' | 'committed'
