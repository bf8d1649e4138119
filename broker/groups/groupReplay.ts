// Rebuilds a coordinator's groups from its log, one record at a time: the log itself must never be
// held in memory. Of a classic group the latest record counts, of a consumer group the latest
// record of each kind. Members exist only after `finish`.

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
    // The group was converted from a consumer group.
    this.#consumer.delete(groupId)
  }

  #consumerRecord(record: ConsumerGroupRecord): void {
    const { groupId, type, value } = record
    let state = this.#consumer.get(groupId)
    if (!state) {
      // A tombstone of a group that no longer exists.
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
    // A tombstone, possibly of a group that was deleted.
    if (value === null) {
      this.#registry.find(groupId)?.offsets.apply(record, producerId, logOffset)
      return
    }
    const entry = this.#registry.findOrCreate(groupId)
    entry.offsets.apply(record, producerId, logOffset)
    // The transaction is open until its marker is replayed, or is written later.
    if (producerId >= 0) this.#registry.noteTransaction(entry, producerId)
  }

  endTransaction(producerId: number, isCommitted: boolean): void {
    this.#registry.endTransaction(producerId, isCommitted)
  }

  finish(nowMs: number, wallClockMs: number): void {
    for (const [groupId, value] of this.#classic) {
      const { currentStateTimestampMs: sinceMs } = value
      // The wall clock may have been set back since: an age must not be negative.
      const ageMs = sinceMs < 0 ? undefined : Math.max(0, wallClockMs - sinceMs)
      const entry = this.#registry.findOrCreate(groupId)
      const group = this.#registry.newClassicGroup(groupId)
      group.restore(nowMs, value, ageMs)
      this.#registry.replace(entry, group)
    }
    for (const [groupId, state] of this.#consumer) {
      const entry = this.#registry.findOrCreate(groupId)
      this.#registry.replace(entry, this.#registry.newConsumerGroup(nowMs, state))
    }
    for (const entry of this.#registry.all()) this.#registry.settle(entry)
  }
}
