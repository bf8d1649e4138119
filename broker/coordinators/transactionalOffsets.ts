// What transactions report to groups: a marker in __consumer_offsets commits or aborts the offsets
// of a transaction (KIP-98). An interface, so that transactions and groups do not import each
// other.

export interface TransactionalOffsets {
  /**
   * Ends the producer's transaction, whose marker is durable in this partition of
   * __consumer_offsets.
   */
  completeTransaction(partition: number, producerId: number, committed: boolean): void
}
