// What transactions report to the groups: a marker in __consumer_offsets decides what becomes of
// the offsets that a transaction committed (KIP-98). An interface, so that transactions and groups
// do not import each other.

export interface TransactionalOffsets {
  /** The producer's marker is durable in this partition of __consumer_offsets. */
  completeTransaction(partition: number, producerId: number, committed: boolean): void
}
