// Rebuilds a coordinator's groups from what is in the log, record by record, so that the log itself
// is never held in memory. Of a group only its latest record counts, and so its members come to life
// when everything has been read.

import type { GroupMetadataValue, GroupRecord, OffsetRecord } from './groupRecords.ts'
import type { GroupRegistry } from './groupRegistry.ts'

export class GroupReplay {
  readonly #registry: GroupRegistry
  readonly #groups = new Map<string, GroupMetadataValue>()

  constructor(registry: GroupRegistry) {
    this.#registry = registry
  }

  /** `producerId` is -1 unless the record is part of a transaction. */
  record(record: GroupRecord, producerId: number, logOffset: number): void {
    if (record.type === 'offset') {
      this.#offset(record, producerId, logOffset)
    } else if (record.value === null) {
      this.#groups.delete(record.groupId)
    } else {
      this.#groups.set(record.groupId, record.value)
    }
  }

  #offset(record: OffsetRecord, producerId: number, logOffset: number): void {
    const { groupId, value } = record
    // A tombstone without its group is of one that has been deleted.
    if (value === null) {
      this.#registry.find(groupId)?.offsets.apply(record, producerId, logOffset)
      return
    }
    const entry = this.#registry.findOrCreate(groupId)
    entry.offsets.apply(record, producerId, logOffset)
    // Without a marker it stays open: that will come.
    if (producerId >= 0) this.#registry.noteTransaction(entry, producerId)
  }

  endTransaction(
    producerId: number,
    isCommitted: boolean,
    isInPartition: (groupId: string) => boolean,
  ): void {
    this.#registry.endTransaction(producerId, isCommitted, isInPartition)
  }

  finish(nowMs: number, wallClockMs: number): void {
    for (const [groupId, value] of this.#groups) {
      const { currentStateTimestampMs: sinceMs } = value
      // A clock that was set back must not make a group younger than new.
      const ageMs = sinceMs < 0 ? undefined : Math.max(0, wallClockMs - sinceMs)
      this.#registry.findOrCreate(groupId).group.restore(nowMs, value, ageMs)
    }
    for (const entry of this.#registry.all()) this.#registry.settle(entry)
  }
}
