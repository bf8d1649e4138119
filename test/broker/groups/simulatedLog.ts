// The log of simulated groups: appends become durable one after another, as the test requests, and
// transactions end by a marker among them. The expected offsets of a group are computed from the
// log, without any state: the tests compare them with those of the coordinator.

import type { Appended } from '../../../broker/coordinators/coordinatorTopic.ts'
import type { GroupLogReader } from '../../../broker/groups/groupLog.ts'
import type { CommittedOffset, GroupRecord } from '../../../broker/groups/groupRecords.ts'
import type { CoordinatorEffect } from '../../../broker/groups/groupRegistry.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'

type AppendEffect = Extract<CoordinatorEffect, { type: 'append' }>

export type LogEntry =
  | { readonly kind: 'record'; readonly record: GroupRecord; readonly producerId: number }
  | { readonly kind: 'marker'; readonly producerId: number; readonly isCommitted: boolean }

interface Append {
  readonly effect: AppendEffect
  /** Offset in the log; undefined until it is written. */
  baseOffset: number | undefined
  /** Error code with which it will fail: nothing is written behind a failed append. */
  errorCode: number
}

export class SimulatedLog {
  readonly entries: LogEntry[] = []
  #appends: Append[] = []

  get isIdle(): boolean {
    return this.#appends.length === 0
  }

  append(effect: AppendEffect): void {
    this.#appends.push({ effect, baseOffset: undefined, errorCode: ErrorCode.none })
  }

  /**
   * Completes the oldest append in flight: it is durable, or it fails if it is not in the log yet,
   * with all appends in flight behind it.
   */
  complete(wantedCode: number): { appendId: number; appended: Appended } | undefined {
    const append = this.#appends.shift()
    if (!append) return undefined
    const { appendId } = append.effect
    const errorCode = append.errorCode || wantedCode
    if (append.baseOffset === undefined && errorCode !== ErrorCode.none) {
      for (const behind of this.#appends) behind.errorCode = errorCode
      return { appendId, appended: { errorCode, baseOffset: -1 } }
    }
    this.#write(append)
    return { appendId, appended: { errorCode: ErrorCode.none, baseOffset: append.baseOffset! } }
  }

  /**
   * Writes a marker, which makes everything before it durable, although no result is reported yet.
   */
  mark(producerId: number, isCommitted: boolean): void {
    for (const append of this.#appends) this.#write(append)
    this.entries.push({ kind: 'marker', producerId, isCommitted })
  }

  /** Makes the oldest appends in flight durable, although no result is reported yet. */
  write(count: number): void {
    for (const append of this.#appends.slice(0, count)) this.#write(append)
  }

  /** Ends the broker: appends that are not in the log are lost, and no result is reported. */
  crash(): void {
    this.#appends = []
  }

  replay(replay: GroupLogReader): void {
    for (const [offset, entry] of this.entries.entries()) {
      if (entry.kind === 'record') replay.record(entry.record, entry.producerId, offset)
      else replay.endTransaction(entry.producerId, entry.isCommitted)
    }
  }

  groupRecords(): GroupRecord[] {
    return this.entries.flatMap((entry) =>
      entry.kind === 'record' && entry.record.type === 'group' ? [entry.record] : [],
    )
  }

  /** Returns the latest commit that is in effect and was not removed since. */
  committed(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    const commits = this.#commits(groupId, topic, partition)
    return commits.findLast(({ outcome }) => outcome === 'committed')?.value
  }

  isUnstable(groupId: string, topic: string, partition: number): boolean {
    const commits = this.#commits(groupId, topic, partition)
    return commits.some(({ outcome }) => outcome === 'open')
  }

  #commits(groupId: string, topic: string, partition: number) {
    const isAbout = (entry: LogEntry) =>
      entry.kind === 'record' &&
      entry.record.type === 'offset' &&
      entry.record.groupId === groupId &&
      entry.record.topic === topic &&
      entry.record.partition === partition
    const removedAt = this.entries.findLastIndex(
      (entry) => isAbout(entry) && entry.kind === 'record' && entry.record.value === null,
    )
    return [...this.entries.entries()].flatMap(([offset, entry]) => {
      if (offset <= removedAt || !isAbout(entry) || entry.kind !== 'record') return []
      const value = entry.record.value as CommittedOffset
      return [{ value, outcome: this.#outcome(offset, entry.producerId) }]
    })
  }

  #outcome(offset: number, producerId: number): 'committed' | 'aborted' | 'open' {
    if (producerId < 0) return 'committed'
    const marker = this.entries.find(
      (entry, at) => at > offset && entry.kind === 'marker' && entry.producerId === producerId,
    )
    if (marker?.kind !== 'marker') return 'open'
    return marker.isCommitted ? 'committed' : 'aborted'
  }

  #write(append: Append): void {
    if (append.baseOffset !== undefined || append.errorCode !== ErrorCode.none) return
    append.baseOffset = this.entries.length
    const producerId = append.effect.producer?.producerId ?? -1
    for (const record of append.effect.records) {
      this.entries.push({ kind: 'record', record, producerId })
    }
  }
}
