// Chooses the partition of a record: by its key, as Kafka's Java client does; without a key, the
// partition of the previous record until that partition's batch is complete (KIP-480), for larger
// batches.

import type { Random } from '../../runtime/random.ts'
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

  /** Ends the stickiness after a complete batch: the next record without a key picks at random. */
  batchClosed(topic: string, partition: number): void {
    if (this.#current.get(topic) === partition) this.#current.delete(topic)
  }
}
