// All groups of one coordinator, as a state machine over classicGroup.ts: finds the group a request
// is for, keeps the committed offsets, and says what to write and when to wake up. It never touches
// a log, a clock or a timer; groupService.ts does what the effects say.
//
// Times are monotonic milliseconds, but for the timestamp that is stored with a commit.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { ClassicGroup, type GroupLimits } from './classicGroup.ts'
import { CommittedOffsets } from './committedOffsets.ts'
import { type GroupEffect, joinError, syncError } from './groupOutcome.ts'
import type { CommittedOffset, GroupMetadataValue, GroupRecord } from './groupRecords.ts'
import type { JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'

export interface CoordinatorLimits extends GroupLimits {
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly maxOffsetMetadataBytes: number
}

export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset
}

export type CoordinatorEffect =
  | Exclude<GroupEffect, { type: 'persist' }>
  /** Append these to the group's partition, in order, then call `appended`. */
  | {
      readonly type: 'append'
      readonly appendId: number
      readonly groupId: string
      readonly records: readonly GroupRecord[]
    }
  /** Answers a commit (an error code per offset) or a deletion (one). */
  | { readonly type: 'written'; readonly requestId: number; readonly errorCodes: readonly number[] }
  /** Call `wake` for the group at this time. A later one of the same group replaces it. */
  | { readonly type: 'wakeAt'; readonly groupId: string; readonly atMs: number }

interface Entry {
  readonly group: ClassicGroup
  readonly offsets: CommittedOffsets
  readonly effects: GroupEffect[]
  /** When the shell has been told to wake the group. */
  wakeAtMs: number
}

interface PendingAppend {
  readonly groupId: string
  readonly records: readonly GroupRecord[]
  /** Tells whoever waits for it. */
  readonly done: (nowMs: number, errorCode: number) => void
}

export class GroupCoordinator {
  readonly #limits: CoordinatorLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #entries = new Map<string, Entry>()
  readonly #pending = new Map<number, PendingAppend>()
  #nextAppendId = 1
  #effects: CoordinatorEffect[] = []

  constructor(limits: CoordinatorLimits, newMemberId: (prefix: string) => string) {
    this.#limits = limits
    this.#newMemberId = newMemberId
  }

  /** What is to be done since the last call, in this order. */
  takeEffects(): CoordinatorEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  // Loading

  /** Rebuilds the state from what was written; all of it before the first request. */
  restore(nowMs: number, records: Iterable<GroupRecord>): void {
    const groups = new Map<string, GroupMetadataValue>()
    for (const record of records) {
      if (record.type === 'offset') this.#applyOffset(record)
      else if (record.value === null) groups.delete(record.groupId)
      else groups.set(record.groupId, record.value)
    }
    for (const [groupId, value] of groups) this.#entry(groupId).group.restore(nowMs, value)
    for (const [groupId, entry] of [...this.#entries]) this.#settle(groupId, entry)
  }

  // Membership

  join(nowMs: number, requestId: number, groupId: string, request: JoinRequest): void {
    const error = this.#refuseJoin(groupId, request)
    if (error !== ErrorCode.none) {
      const outcome = joinError(error, request.memberId)
      this.#effects.push({ type: 'joined', requestId, outcome })
      return
    }
    const entry = this.#entry(groupId)
    entry.group.join(nowMs, requestId, request)
    this.#settle(groupId, entry)
  }

  #refuseJoin(groupId: string, { memberId, sessionTimeoutMs }: JoinRequest): number {
    if (groupId === '') return ErrorCode.invalidGroupId
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#limits
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      return ErrorCode.invalidSessionTimeout
    }
    // A member id can only have come from a group that existed.
    if (memberId !== '' && !this.#entries.has(groupId)) return ErrorCode.unknownMemberId
    return ErrorCode.none
  }

  sync(nowMs: number, requestId: number, groupId: string, request: SyncRequest): void {
    const entry = this.#entries.get(groupId)
    if (!entry) {
      const outcome = syncError(unknownGroup(groupId))
      this.#effects.push({ type: 'synced', requestId, outcome })
      return
    }
    entry.group.sync(nowMs, requestId, request)
    this.#settle(groupId, entry)
  }

  heartbeat(
    nowMs: number,
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): number {
    // Only moves deadlines away: the timer that is set is early enough.
    const entry = this.#entries.get(groupId)
    return entry ? entry.group.heartbeat(nowMs, identity, generationId) : unknownGroup(groupId)
  }

  /** An error code for each member. */
  leave(nowMs: number, groupId: string, members: readonly MemberIdentity[]): number[] {
    const entry = this.#entries.get(groupId)
    if (!entry) return members.map(() => unknownGroup(groupId))
    const codes = members.map((member) => entry.group.leave(nowMs, member))
    this.#settle(groupId, entry)
    return codes
  }

  /** The time that a `wakeAt` asked for has come. */
  wake(nowMs: number, groupId: string): void {
    const entry = this.#entries.get(groupId)
    if (!entry) return
    entry.wakeAtMs = Number.POSITIVE_INFINITY
    entry.group.tick(nowMs)
    this.#settle(groupId, entry)
  }

  /** The broker closes: everyone who waits is told to look for another coordinator. */
  close(): void {
    for (const [groupId, entry] of this.#entries) {
      entry.group.end(ErrorCode.notCoordinator)
      this.#collect(groupId, entry)
    }
  }

  // Offsets

  commit(
    nowMs: number,
    requestId: number,
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
    offsets: readonly OffsetToCommit[],
  ): void {
    const error = this.#admitCommit(nowMs, groupId, identity, generationId)
    const codes = offsets.map(({ value }) => {
      const tooLarge = Buffer.byteLength(value.metadata) > this.#limits.maxOffsetMetadataBytes
      return error === ErrorCode.none && tooLarge ? ErrorCode.offsetMetadataTooLarge : error
    })
    const records = offsets
      .filter((_, index) => codes[index] === ErrorCode.none)
      .map((offset): GroupRecord => ({ type: 'offset', groupId, ...offset }))
    const answer = (errorCode: number) => {
      const errorCodes = codes.map((code) => (code === ErrorCode.none ? errorCode : code))
      this.#effects.push({ type: 'written', requestId, errorCodes })
    }
    if (records.length === 0) {
      answer(ErrorCode.none)
      return
    }
    this.#append(groupId, records, (_, errorCode) => answer(errorCode))
  }

  #admitCommit(
    nowMs: number,
    groupId: string,
    identity: MemberIdentity,
    generationId: number,
  ): number {
    const entry = this.#entries.get(groupId)
    if (entry) return entry.group.admitCommit(nowMs, identity, generationId)
    // A generation of a group that is not there is over; without one, the commit makes the group.
    return generationId >= 0 ? ErrorCode.illegalGeneration : ErrorCode.none
  }

  committed(groupId: string): CommittedOffsets | undefined {
    return this.#entries.get(groupId)?.offsets
  }

  /** Forgets what groups committed for a topic that is gone; answered when that is durable. */
  forgetTopic(requestId: number, topic: string): void {
    let open = 1
    let error: number = ErrorCode.none
    const settled = (errorCode: number) => {
      if (errorCode !== ErrorCode.none) error = errorCode
      if (--open === 0) this.#effects.push({ type: 'written', requestId, errorCodes: [error] })
    }
    for (const [groupId, { offsets }] of this.#entries) {
      const records = [...offsets.entries()]
        .filter((entry) => entry.topic === topic)
        .map(({ partition }) => tombstone(groupId, topic, partition))
      if (records.length === 0) continue
      open++
      this.#append(groupId, records, (_, errorCode) => settled(errorCode))
    }
    settled(ErrorCode.none)
  }

  // Administration

  group(groupId: string): ClassicGroup | undefined {
    return this.#entries.get(groupId)?.group
  }

  groups(): ClassicGroup[] {
    return [...this.#entries.values()].map(({ group }) => group)
  }

  /** Removes a group nobody is in, with its offsets; answered when that is durable. */
  deleteGroup(requestId: number, groupId: string): void {
    const entry = this.#entries.get(groupId)
    const answer = (errorCode: number) =>
      this.#effects.push({ type: 'written', requestId, errorCodes: [errorCode] })
    if (groupId === '') return void answer(ErrorCode.invalidGroupId)
    if (!entry) return void answer(ErrorCode.groupIdNotFound)
    const inUse = entry.group.state !== 'Empty' || entry.group.promisedMembers > 0
    if (inUse) return void answer(ErrorCode.nonEmptyGroup)
    const records = [...entry.offsets.entries()].map(({ topic, partition }) =>
      tombstone(groupId, topic, partition),
    )
    entry.group.end(ErrorCode.unknownMemberId)
    this.#entries.delete(groupId)
    this.#append(groupId, [...records, { type: 'group', groupId, value: null }], (_, errorCode) =>
      answer(errorCode),
    )
  }

  // Writing

  /** An append has become durable, or has failed. */
  appended(nowMs: number, appendId: number, errorCode: number): void {
    const pending = this.#pending.get(appendId)
    assert(pending, `append ${appendId} was answered twice, or never asked for`)
    this.#pending.delete(appendId)
    if (errorCode === ErrorCode.none) {
      for (const record of pending.records) if (record.type === 'offset') this.#applyOffset(record)
    }
    pending.done(nowMs, errorCode)
    const entry = this.#entries.get(pending.groupId)
    if (entry) this.#settle(pending.groupId, entry)
  }

  #append(groupId: string, records: readonly GroupRecord[], done: PendingAppend['done']): void {
    const appendId = this.#nextAppendId++
    this.#pending.set(appendId, { groupId, records, done })
    this.#effects.push({ type: 'append', appendId, groupId, records })
  }

  #applyOffset(record: Extract<GroupRecord, { type: 'offset' }>): void {
    const entry = this.#entries.get(record.groupId)
    // A tombstone that arrives after its group has been deleted must not bring it back.
    if (!entry && record.value === null) return
    const { offsets } = entry ?? this.#entry(record.groupId)
    offsets.set(record.topic, record.partition, record.value)
  }

  #entry(groupId: string): Entry {
    const known = this.#entries.get(groupId)
    if (known) return known
    const effects: GroupEffect[] = []
    const entry: Entry = {
      group: new ClassicGroup(groupId, this.#limits, this.#newMemberId, effects),
      offsets: new CommittedOffsets(),
      effects,
      wakeAtMs: Number.POSITIVE_INFINITY,
    }
    this.#entries.set(groupId, entry)
    return entry
  }

  /** Passes the group's effects on, sees to its next deadline, and drops it when nothing is left. */
  #settle(groupId: string, entry: Entry): void {
    this.#collect(groupId, entry)
    const { group, offsets } = entry
    const neverWas = group.state === 'Empty' && group.generationId === 0 && offsets.isEmpty
    if (neverWas && group.promisedMembers === 0) {
      this.#entries.delete(groupId)
      return
    }
    const atMs = group.nextDeadlineMs()
    if (atMs >= entry.wakeAtMs) return
    entry.wakeAtMs = atMs
    this.#effects.push({ type: 'wakeAt', groupId, atMs })
  }

  #collect(groupId: string, { effects, group }: Entry): void {
    for (const effect of effects.splice(0)) {
      if (effect.type !== 'persist') {
        this.#effects.push(effect)
        continue
      }
      const record: GroupRecord = { type: 'group', groupId, value: effect.value }
      this.#append(groupId, [record], (nowMs, errorCode) =>
        group.persisted(nowMs, effect.generationId, errorCode),
      )
    }
  }
}

function unknownGroup(groupId: string): number {
  return groupId === '' ? ErrorCode.invalidGroupId : ErrorCode.unknownMemberId
}

function tombstone(groupId: string, topic: string, partition: number): GroupRecord {
  return { type: 'offset', groupId, topic, partition, value: null }
}
