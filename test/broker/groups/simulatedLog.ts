// The log behind simulated groups: appends become durable one after another when the test says so,
// and transactions end by a marker among them. What a group's offsets have to be is read straight
// off the log here, without any state: the tests compare it with what the coordinator remembers.

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
  /** Where it is in the log; undefined before it is there. */
  baseOffset: number | undefined
  /** What it will fail with: nothing is written behind something that was not. */
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
   * The oldest append under way becomes durable, or fails if it is not in the log yet, and with it
   * all that are under way behind it.
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

  /** A marker is durable, and so is all before it, though nobody has been told of that yet. */
  mark(producerId: number, isCommitted: boolean): void {
    for (const append of this.#appends) this.#write(append)
    this.entries.push({ kind: 'marker', producerId, isCommitted })
  }

  /** The oldest appends under way become durable, though nobody has been told of that yet. */
  write(count: number): void {
    for (const append of this.#appends.slice(0, count)) this.#write(append)
  }

  /** The broker ends: what is not in the log is lost, and nobody is told. */
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

  /** The latest commit that holds and has not been taken away since. */
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
