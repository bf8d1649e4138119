// Offsets by topic and partition, each with its position in the log. The later position counts, in
// whatever order the offsets become known.

import type { CommittedOffset } from '../groupRecords.ts'

export interface OffsetEntry {
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset
  readonly logOffset: number
}

export class OffsetTable {
  readonly #byTopic = new Map<string, Map<number, OffsetEntry>>()

  get isEmpty(): boolean {
    return this.#byTopic.size === 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#byTopic.get(topic)?.get(partition)?.value
  }

  *entries(): Generator<OffsetEntry, void> {
    for (const partitions of this.#byTopic.values()) yield* partitions.values()
  }

  /** Sets an offset, unless a later commit is known already. */
  set(entry: OffsetEntry): void {
    const { topic, partition, logOffset } = entry
    const partitions = this.#byTopic.get(topic)
    if (!partitions) {
      this.#byTopic.set(topic, new Map([[partition, entry]]))
      return
    }
    const known = partitions.get(partition)
    if (!known || known.logOffset < logOffset) partitions.set(partition, entry)
  }

  /** Removes an offset that was committed before `logOffset`. */
  remove(topic: string, partition: number, logOffset: number): void {
    const partitions = this.#byTopic.get(topic)
    const known = partitions?.get(partition)
    if (!partitions || !known || known.logOffset > logOffset) return
    partitions.delete(partition)
    if (partitions.size === 0) this.#byTopic.delete(topic)
  }
}
