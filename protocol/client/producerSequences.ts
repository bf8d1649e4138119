// How an idempotent producer numbers its batches. After a batch that failed for good there is a gap
// that no broker will step over: then nothing more is numbered until all batches under way are
// back, and a new identity starts every partition at 0 again. A plain state machine.

import { sequenceAfter } from '../kafka/recordBatch.ts'
import { assert } from '../runtime/assert.ts'
import type { ProducerIdentity } from './initProducerId.ts'

export interface SequencedIdentity extends ProducerIdentity {
  readonly baseSequence: number
}

export class ProducerSequences {
  #identity: ProducerIdentity | undefined
  #isBroken = false
  #underWay = 0
  readonly #next = new Map<string, number>()

  /** An identity is to be asked for: there is none yet, or the old one is broken and done with. */
  get needsIdentity(): boolean {
    return this.#underWay === 0 && (this.#identity === undefined || this.#isBroken)
  }

  /** A batch failed for good, and with it the numbers of all that were given out after it. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  begin(identity: ProducerIdentity): void {
    assert(this.needsIdentity, 'an identity is replaced only when nothing is under way')
    this.#identity = identity
    this.#isBroken = false
    this.#next.clear()
  }

  /** Numbers for a batch, which is under way from now on; undefined: not now. */
  assign(topic: string, partition: number, recordCount: number): SequencedIdentity | undefined {
    if (this.#identity === undefined || this.#isBroken) return undefined
    const key = `${topic}/${partition}`
    const baseSequence = this.#next.get(key) ?? 0
    this.#next.set(key, sequenceAfter(baseSequence, recordCount))
    this.#underWay++
    const { producerId, producerEpoch } = this.#identity
    return { producerId, producerEpoch, baseSequence }
  }

  /** A batch came back. */
  settled(outcome: 'stored' | 'failed'): void {
    assert(this.#underWay > 0, 'only what is under way comes back')
    this.#underWay--
    if (outcome === 'failed') this.#isBroken = true
  }
}
