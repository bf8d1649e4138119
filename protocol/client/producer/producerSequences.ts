// The producer id and sequence numbers of an idempotent producer. A batch that failed permanently
// leaves a gap that no broker accepts: from then on no batch is numbered until all pending batches
// are answered, and a new epoch starts every partition at 0. A plain state machine.

import { assert } from '../../runtime/assert.ts'
import type { ProducerIdentity } from './initProducerId.ts'
import { SequenceNumbers } from './sequenceNumbers.ts'

export interface SequencedIdentity extends ProducerIdentity {
  readonly baseSequence: number
}

/** The largest int16, which no producer uses. */
const lastEpoch = 32_766

export class ProducerSequences {
  #identity: ProducerIdentity | undefined
  #isBroken = false
  #pending = 0
  readonly #numbers = new SequenceNumbers()

  /**
   * Whether a producer id must be requested: there is none, or the broken one has no pending batch.
   */
  get needsIdentity(): boolean {
    return this.#pending === 0 && (this.#identity === undefined || this.#isBroken)
  }

  /** Whether a batch failed permanently, which voids the numbers of all batches after it. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /**
   * The same producer id in its next epoch, in which brokers refuse batches of the epochs before
   * (KIP-360): a request of a lost connection may still be on its way, with batches that are sent
   * again. Undefined without a producer id, and after its last epoch.
   */
  get nextEpoch(): ProducerIdentity | undefined {
    if (this.#identity === undefined || this.#identity.producerEpoch >= lastEpoch) return undefined
    const { producerId, producerEpoch } = this.#identity
    return { producerId, producerEpoch: producerEpoch + 1 }
  }

  begin(identity: ProducerIdentity): void {
    assert(this.needsIdentity, 'a producer id is replaced only when no batch is pending')
    this.#identity = identity
    this.#isBroken = false
    this.#numbers.reset()
  }

  /** Numbers a batch, which is pending until `settled`. Undefined while there is no usable id. */
  assign(topic: string, partition: number, recordCount: number): SequencedIdentity | undefined {
    if (this.#identity === undefined || this.#isBroken) return undefined
    const baseSequence = this.#numbers.advance(topic, partition, recordCount)
    this.#pending++
    const { producerId, producerEpoch } = this.#identity
    return { producerId, producerEpoch, baseSequence }
  }

  /** A pending batch was answered. */
  settled(outcome: 'stored' | 'failed'): void {
    assert(this.#pending > 0, 'only a pending batch is settled')
    this.#pending--
    if (outcome === 'failed') this.#isBroken = true
  }
}
