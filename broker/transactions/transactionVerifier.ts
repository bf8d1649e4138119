// The verification of Produce and TxnOffsetCommit by the transaction coordinator, before a
// partition's log opens a transaction: without it, a batch that arrives after the end of its
// transaction would open one that nobody ends (KIP-890). An interface, so that the logs do not know
// the coordinator.

export interface ProducerIdentity {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}

export interface TransactionVerifier {
  /**
   * Resolves with 0 when the partition is part of the producer's open transaction. With
   * `addMissing` (clients of transaction version 2) the partition is added first, durably;
   * otherwise, a missing partition is an error.
   */
  verify(
    producer: ProducerIdentity,
    topic: string,
    partition: number,
    addMissing: boolean,
  ): Promise<number>
}
