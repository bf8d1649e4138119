// Proof that the transaction coordinator was asked before a batch opens a transaction in this log
// (KIP-890). The caller takes a guard, asks the coordinator, then appends the batch with the guard.
// A marker in between invalidates the guard: the verified transaction has ended, and the late batch
// would open one that is never ended.

export interface TransactionalProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /** That of the batch to be appended; -1 without one. */
  readonly baseSequence: number
  /** Whether the client uses transaction version 2, with a new epoch for each transaction. */
  readonly supportsEpochBump: boolean
}

/**
 * Valid for the appends of one producer until one of them opens a transaction, or a marker is
 * appended.
 */
export interface VerificationGuard {
  readonly producerId: number
  readonly supportsEpochBump: boolean
  /**
   * The lowest sequence number that is being verified: a later batch must not be appended before
   * it, or the earlier one would be out of sequence.
   */
  readonly lowestSequence: number
}

interface Verification extends VerificationGuard {
  readonly sinceMs: number
  producerEpoch: number
  lowestSequence: number
}

/** Limit on guards; beyond it the oldest are dropped, and their producers have to ask again. */
const maxVerifications = 10_000

export class TransactionVerification {
  /** By producer id, oldest first. Created lazily: most logs have no transactions. */
  #underWay: Map<number, Verification> | undefined

  /** Requests of one producer share a guard, because the first batch appended uses it up. */
  begin(producer: TransactionalProducer, nowMs: number): VerificationGuard {
    const { producerId, producerEpoch, baseSequence, supportsEpochBump } = producer
    this.#underWay ??= new Map()
    const underWay = this.#underWay.get(producerId)
    if (underWay) {
      noteSequence(underWay, producerEpoch, baseSequence)
      return underWay
    }
    const verification: Verification = {
      producerId,
      producerEpoch,
      supportsEpochBump,
      lowestSequence: baseSequence,
      sinceMs: nowMs,
    }
    this.#underWay.set(producerId, verification)
    if (this.#underWay.size > maxVerifications) {
      const [oldest] = this.#underWay.keys()
      this.#underWay.delete(oldest!)
    }
    return verification
  }

  /** The guard that the next batch of the producer needs. */
  guardOf(producerId: number): VerificationGuard | undefined {
    return this.#underWay?.get(producerId)
  }

  /** The producer has opened a transaction in the log, or its transaction has ended. */
  end(producerId: number): void {
    this.#underWay?.delete(producerId)
  }

  /** Removes guards that were taken `expirationMs` ago and not used. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [producerId, { sinceMs }] of this.#underWay ?? []) {
      if (nowMs - sinceMs < expirationMs) return
      this.#underWay?.delete(producerId)
    }
  }
}

function noteSequence(underWay: Verification, producerEpoch: number, baseSequence: number): void {
  if (producerEpoch === underWay.producerEpoch) {
    underWay.lowestSequence = Math.min(underWay.lowestSequence, baseSequence)
  } else if (producerEpoch > underWay.producerEpoch) {
    underWay.producerEpoch = producerEpoch
    underWay.lowestSequence = baseSequence
  }
}
