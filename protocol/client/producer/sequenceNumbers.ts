// The next sequence number of each partition under one producer id, as Kafka counts them: from 0,
// one per record, wrapping after 2^31 - 1. Shared by the producer and the agent's Kafka sink, which
// differ only in when they request a new producer id.

import { sequenceAfter } from '../../kafka/records/recordBatch.ts'

/** Sequence number of the next record, by topic and partition. */
export type NextSequences = Readonly<Record<string, Readonly<Record<number, number>>>>

export class SequenceNumbers {
  readonly #next = new Map<string, Map<number, number>>()
  #partitions = 0

  /** Number of partitions that have a sequence number. */
  get partitions(): number {
    return this.#partitions
  }

  /** Returns the sequence number of the first of the next `count` records of the partition. */
  advance(topic: string, partition: number, count: number): number {
    let partitions = this.#next.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#next.set(topic, partitions)
    }
    const sequence = partitions.get(partition)
    if (sequence === undefined) this.#partitions++
    partitions.set(partition, sequenceAfter(sequence ?? 0, count))
    return sequence ?? 0
  }

  /** Restarts every partition at 0, for a new producer id. */
  reset(): void {
    this.#next.clear()
    this.#partitions = 0
  }

  /** Replaces all sequence numbers with those of a snapshot. */
  restore(next: NextSequences): void {
    this.reset()
    for (const [topic, partitions] of Object.entries(next)) {
      const numbers = new Map(Object.entries(partitions).map(([index, at]) => [Number(index), at]))
      this.#next.set(topic, numbers)
      this.#partitions += numbers.size
    }
  }

  snapshot(): NextSequences {
    return Object.fromEntries(
      [...this.#next].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)]),
    )
  }
}
