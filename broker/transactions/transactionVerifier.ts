// What Produce and TxnOffsetCommit ask the transaction coordinator before a partition's log opens a
// transaction: without it, a batch that arrives after its transaction has ended would open one that
// nobody ever ends (KIP-890).

export interface ProducerIdentity {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}

export interface TransactionVerifier {
  /**
   * Resolves with 0 when the partition is part of the producer's open transaction. With `addMissing`
   * (clients of transaction version 2) it is made part of it first, durably; without, a partition
   * that is not part of it is an error.
   */
  verify(
    producer: ProducerIdentity,
    topic: string,
    partition: number,
    addMissing: boolean,
  ): Promise<number>
}
