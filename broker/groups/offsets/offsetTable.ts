// Offsets by topic and partition, each with its position in the log. The later position counts, in
// whatever order the offsets become known.

import { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'
import type { CommittedOffset } from '../groupRecords.ts'

export interface OffsetEntry {
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset
  readonly logOffset: number
}

export class OffsetTable {
  readonly #offsets = new PartitionMap<OffsetEntry>()

  get isEmpty(): boolean {
    return this.#offsets.size === 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#offsets.get(topic, partition)?.value
  }

  entries(): Generator<OffsetEntry, void> {
    return this.#offsets.values()
  }

  /** Sets an offset, unless a later commit is known already. */
  set(entry: OffsetEntry): void {
    const { topic, partition, logOffset } = entry
    const known = this.#offsets.get(topic, partition)
    if (!known || known.logOffset < logOffset) this.#offsets.set(topic, partition, entry)
  }

  /** Removes an offset that was committed before `logOffset`. */
  remove(topic: string, partition: number, logOffset: number): void {
    const known = this.#offsets.get(topic, partition)
    if (known && known.logOffset <= logOffset) this.#offsets.delete(topic, partition)
  }
}
