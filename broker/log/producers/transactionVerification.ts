// Proof that the transaction coordinator was asked before a batch opens a transaction in this log
// (KIP-890). A guard is taken first, then the coordinator asked, then the batch appended with the
// guard. A marker that comes in between makes the guard worthless: the transaction that was
// verified is over, and the late batch would open one that nobody ever ends.

export interface TransactionalProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of the batch that is to be appended; -1 for one that has none. */
  readonly baseSequence: number
  /** Whether its client speaks transaction version 2, with a new epoch for each transaction. */
  readonly supportsEpochBump: boolean
}

/** Good for the appends of one producer until one has opened a transaction or a marker came. */
export interface VerificationGuard {
  readonly producerId: number
  readonly supportsEpochBump: boolean
  /**
   * The lowest sequence number that waits for verification: a later batch that is verified before
   * it must not go first, or the earlier one could never be appended.
   */
  readonly lowestSequence: number
}

interface Verification extends VerificationGuard {
  readonly sinceMs: number
  producerEpoch: number
  lowestSequence: number
}

/** More producers than this do not begin transactions at one time; the oldest have to ask again. */
const maxVerifications = 10_000

export class TransactionVerification {
  /** By producer id, oldest first; made for the first one, for most logs see none. */
  #underWay: Map<number, Verification> | undefined

  /** Requests of one producer share a guard, for the first batch that is appended ends it. */
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

  /** The guard that the producer's next batch needs. */
  guardOf(producerId: number): VerificationGuard | undefined {
    return this.#underWay?.get(producerId)
  }

  /** The producer has a transaction in the log now, or has none any more. */
  end(producerId: number): void {
    this.#underWay?.delete(producerId)
  }

  /** Forgets the guards that were taken `expirationMs` ago and never used. */
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
