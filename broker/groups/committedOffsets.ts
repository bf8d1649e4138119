// The offsets that one group has committed. Only what is durable gets in here.

import type { CommittedOffset } from './groupRecords.ts'

export class CommittedOffsets {
  readonly #byTopic = new Map<string, Map<number, CommittedOffset>>()

  get isEmpty(): boolean {
    return this.#byTopic.size === 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#byTopic.get(topic)?.get(partition)
  }

  *entries(): Iterable<{ topic: string; partition: number; value: CommittedOffset }> {
    for (const [topic, partitions] of this.#byTopic) {
      for (const [partition, value] of partitions) yield { topic, partition, value }
    }
  }

  /** A null value removes the offset. */
  set(topic: string, partition: number, value: CommittedOffset | null): void {
    const partitions = this.#byTopic.get(topic)
    if (value === null) {
      partitions?.delete(partition)
      if (partitions?.size === 0) this.#byTopic.delete(topic)
    } else if (partitions) {
      partitions.set(partition, value)
    } else {
      this.#byTopic.set(topic, new Map([[partition, value]]))
    }
  }
}
