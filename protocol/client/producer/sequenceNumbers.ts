// The next sequence number of each partition under one producer id, as Kafka counts them: from 0,
// one per record, wrapping after 2^31 - 1. Shared by the producer and the agent's Kafka sink, which
// differ only in when they request a new producer id.

import { PartitionMap } from '../../kafka/partitionMap.ts'
import { sequenceAfter } from '../../kafka/records/recordBatch.ts'

/** Sequence number of the next record, by topic and partition. */
export type NextSequences = Readonly<Record<string, Readonly<Record<number, number>>>>

export class SequenceNumbers {
  readonly #next = new PartitionMap<number>()

  /** Number of partitions that have a sequence number. */
  get partitions(): number {
    return this.#next.size
  }

  /** Returns the sequence number of the first of the next `count` records of the partition. */
  advance(topic: string, partition: number, count: number): number {
    const sequence = this.#next.get(topic, partition) ?? 0
    this.#next.set(topic, partition, sequenceAfter(sequence, count))
    return sequence
  }

  /** Restarts every partition at 0, for a new producer id. */
  reset(): void {
    this.#next.clear()
  }

  /** Replaces all sequence numbers with those of a snapshot. */
  restore(next: NextSequences): void {
    this.reset()
    for (const [topic, partitions] of Object.entries(next)) {
      for (const [partition, sequence] of Object.entries(partitions)) {
        this.#next.set(topic, Number(partition), sequence)
      }
    }
  }

  snapshot(): NextSequences {
    return Object.fromEntries(
      [...this.#next.topics()].map(([topic, partitions]) => [
        topic,
        Object.fromEntries(partitions),
      ]),
    )
  }
}
