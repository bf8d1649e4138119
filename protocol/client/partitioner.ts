// Which partition a record goes to: by its key as in Kafka's Java client, or, without a key, to the
// same one as the record before until that one's batch is full (KIP-480), for larger batches.

import type { Random } from '../runtime/random.ts'
import { murmur2 } from './murmur2.ts'

export function partitionForKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

export class StickyPartitioner {
  readonly #random: Random
  readonly #current = new Map<string, number>()

  constructor(random: Random) {
    this.#random = random
  }

  partition(topic: string, partitionCount: number): number {
    let partition = this.#current.get(topic)
    if (partition === undefined || partition >= partitionCount) {
      partition = this.#random.below(partitionCount)
      this.#current.set(topic, partition)
    }
    return partition
  }

  /** A batch is complete: the topic's next record without a key goes wherever chance says. */
  batchClosed(topic: string, partition: number): void {
    if (this.#current.get(topic) === partition) this.#current.delete(topic)
  }
}
