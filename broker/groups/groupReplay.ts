// Rebuilds a coordinator's groups from what is in the log, record by record, so that the log itself
// is never held in memory. Of a group only its latest record counts, or of a consumer group the
// latest of each kind, and so its members come to life when everything has been read.

import type { ConsumerGroupRecord } from './consumer/consumerGroupRecords.ts'
import { ConsumerGroupState } from './consumer/consumerGroupState.ts'
import type {
  ClassicGroupRecord,
  GroupMetadataValue,
  GroupRecord,
  OffsetRecord,
} from './groupRecords.ts'
import type { GroupRegistry } from './groupRegistry.ts'

export class GroupReplay {
  readonly #registry: GroupRegistry
  readonly #classic = new Map<string, GroupMetadataValue>()
  readonly #consumer = new Map<string, ConsumerGroupState>()

  constructor(registry: GroupRegistry) {
    this.#registry = registry
  }

  /** `producerId` is -1 unless the record is part of a transaction. */
  record(record: GroupRecord, producerId: number, logOffset: number): void {
    if (record.type === 'offset') this.#offset(record, producerId, logOffset)
    else if (record.type === 'group') this.#classicRecord(record)
    else this.#consumerRecord(record)
  }

  #classicRecord({ groupId, value }: ClassicGroupRecord): void {
    this.#classic.delete(groupId)
    if (value === null) return
    this.#classic.set(groupId, value)
    // The group has changed its protocol: it was the other kind before.
    this.#consumer.delete(groupId)
  }

  #consumerRecord(record: ConsumerGroupRecord): void {
    const { groupId, type, value } = record
    let state = this.#consumer.get(groupId)
    if (!state) {
      // What is left of a group that is gone.
      if (value === null) return
      state = new ConsumerGroupState(groupId)
      this.#consumer.set(groupId, state)
    }
    state.apply(record)
    if (type !== 'consumerGroupMetadata') return
    if (value === null) this.#consumer.delete(groupId)
    else this.#classic.delete(groupId)
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
    for (const [groupId, value] of this.#classic) {
      const { currentStateTimestampMs: sinceMs } = value
      // A clock that was set back must not make a group younger than new.
      const ageMs = sinceMs < 0 ? undefined : Math.max(0, wallClockMs - sinceMs)
      const entry = this.#registry.findOrCreate(groupId)
      const group = this.#registry.classicGroup(groupId, entry.effects)
      group.restore(nowMs, value, ageMs)
      entry.group = group
    }
    for (const [groupId, state] of this.#consumer) {
      const entry = this.#registry.findOrCreate(groupId)
      entry.group = this.#registry.consumerGroup(nowMs, state, entry.effects)
    }
    for (const entry of this.#registry.all()) this.#registry.settle(entry)
  }
}
