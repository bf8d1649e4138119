// The groups of one coordinator, whatever their protocol, and the way of their effects: what a group
// asks for is passed on to the shell, what is to be written is numbered so that the shell can say
// what became of it. Decides nothing about members or offsets.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Appended } from '../log/coordinatorTopic.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'
import { ClassicGroup } from './classicGroup.ts'
import { ConsumerGroup, type ConsumerGroupLimits } from './consumer/consumerGroup.ts'
import type { ConsumerGroupState } from './consumer/consumerGroupState.ts'
import type { TopicCatalog } from './consumer/topicCatalog.ts'
import type { Group, GroupLimits } from './group.ts'
import { GroupOffsets } from './groupOffsets.ts'
import type { GroupEffect } from './groupOutcome.ts'
import type { GroupRecord, OffsetRecord } from './groupRecords.ts'
import { MemberBudget } from './memberBudget.ts'

export interface RegistryLimits extends GroupLimits {
  /** Memory for what the members of all groups say of themselves. */
  readonly maxMemberBytes: number
  readonly maxGroups: number
  /** Of groups of the protocol of KIP-848. */
  readonly consumer: ConsumerGroupLimits
}

/** The producer whose transaction an append is part of. */
export interface CommittingProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly verification: VerificationGuard | undefined
}

export type CoordinatorEffect =
  | Exclude<GroupEffect, { type: 'write' | 'replaced' }>
  /** Append these to the group's partition as one batch, then call `appended`. */
  | {
      readonly type: 'append'
      readonly appendId: number
      readonly groupId: string
      readonly records: readonly GroupRecord[]
      readonly producer: CommittingProducer | undefined
    }
  /** Answers a commit (an error code per offset) or a deletion (one). */
  | { readonly type: 'written'; readonly requestId: number; readonly errorCodes: readonly number[] }
  /** Call `wake` for the group at this time. A later one of the same group replaces it. */
  | { readonly type: 'wakeAt'; readonly groupId: string; readonly atMs: number }

export interface GroupEntry {
  readonly groupId: string
  group: Group
  readonly offsets: GroupOffsets
  readonly effects: GroupEffect[]
  /**
   * Of a group that was of KIP-848 and is classic now: what takes the former out of the log. It is
   * written with every record of the group until one of those is durable, for it must be there before
   * the group is ever of KIP-848 again: who was a member then would be one again after a restart.
   */
  leftovers: readonly GroupRecord[]
  /** When the shell has been told to wake the group. */
  wakeAtMs: number
}

interface PendingAppend {
  readonly entry: GroupEntry
  readonly done: (nowMs: number, appended: Appended) => void
}

/** A batch of tombstones stays far below what a log takes at once. */
const tombstoneBatchBytes = 128 * 1024
/** A record without the group's name: a topic's name is at most 249 bytes, the rest is small. */
const mostTombstoneBytes = 320
/** Of a character in UTF-8. */
const mostCharacterBytes = 3

export class GroupRegistry {
  readonly budget: MemberBudget
  readonly #limits: RegistryLimits
  readonly #newMemberId: (prefix: string) => string
  readonly #catalog: TopicCatalog
  readonly #entries = new Map<string, GroupEntry>()
  readonly #appends = new Map<number, PendingAppend>()
  /** The groups that a producer has committed offsets of in its open transaction. */
  readonly #transactions = new Map<number, Set<GroupEntry>>()
  #nextAppendId = 1
  #effects: CoordinatorEffect[] = []

  constructor(
    limits: RegistryLimits,
    newMemberId: (prefix: string) => string,
    catalog: TopicCatalog,
  ) {
    this.#limits = limits
    this.#newMemberId = newMemberId
    this.#catalog = catalog
    this.budget = new MemberBudget(limits.maxMemberBytes)
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#limits.maxGroups
  }

  find(groupId: string): GroupEntry | undefined {
    return this.#entries.get(groupId)
  }

  /** Not to be held on to: groups come and go. */
  all(): GroupEntry[] {
    return [...this.#entries.values()]
  }

  findOrCreate(groupId: string): GroupEntry {
    const known = this.#entries.get(groupId)
    if (known) return known
    const effects: GroupEffect[] = []
    const entry: GroupEntry = {
      groupId,
      group: this.classicGroup(groupId, effects),
      offsets: new GroupOffsets(),
      effects,
      leftovers: [],
      wakeAtMs: Number.POSITIVE_INFINITY,
    }
    this.#entries.set(groupId, entry)
    return entry
  }

  /** For an entry of this id and with these effects. */
  classicGroup(groupId: string, effects: GroupEffect[]): ClassicGroup {
    return new ClassicGroup(groupId, this.#limits, this.#newMemberId, effects, this.budget)
  }

  /** For an entry of the state's id and with these effects. */
  consumerGroup(nowMs: number, state: ConsumerGroupState, effects: GroupEffect[]): ConsumerGroup {
    return new ConsumerGroup(nowMs, state, {
      limits: this.#limits.consumer,
      catalog: this.#catalog,
      newMemberId: this.#newMemberId,
      effects,
      budget: this.budget,
      newClassicGroup: () => this.classicGroup(state.groupId, effects),
    })
  }

  /** The group is gone, in the log as well: whoever was promised a place in it has none. */
  remove(entry: GroupEntry): void {
    // It may have been dropped already, and another one of the same name have come.
    if (this.#entries.get(entry.groupId) !== entry) return
    entry.group.end(ErrorCode.unknownMemberId)
    this.collect(entry)
    this.#entries.delete(entry.groupId)
  }

  /** What is to be done since the last call, in this order. */
  takeEffects(): CoordinatorEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  effect(effect: CoordinatorEffect): void {
    this.#effects.push(effect)
  }

  /** Passes the group's effects on, sees to its next deadline, and drops it when nothing is left. */
  settle(entry: GroupEntry): void {
    this.collect(entry)
    const { groupId, group, offsets } = entry
    if (this.#entries.get(groupId) !== entry) return
    if (group.isUntouched && offsets.isEmpty && entry.leftovers.length === 0) {
      this.#entries.delete(groupId)
      return
    }
    const atMs = group.nextDeadlineMs()
    if (atMs >= entry.wakeAtMs) return
    entry.wakeAtMs = atMs
    this.#effects.push({ type: 'wakeAt', groupId, atMs })
  }

  collect(entry: GroupEntry): void {
    for (const effect of entry.effects.splice(0)) {
      if (effect.type === 'replaced') {
        entry.group = effect.group
        entry.leftovers = effect.leftovers
        continue
      }
      if (effect.type !== 'write') {
        this.#effects.push(effect)
        continue
      }
      this.write(entry, effect.records, effect.written)
    }
  }

  /** Appends records of the group itself, as opposed to its offsets. */
  write(
    entry: GroupEntry,
    records: readonly GroupRecord[],
    written: (nowMs: number, errorCode: number) => void,
  ): void {
    const { leftovers } = entry
    this.append(entry, [...leftovers, ...records], undefined, (nowMs, { errorCode }) => {
      if (errorCode === ErrorCode.none && entry.leftovers === leftovers) entry.leftovers = []
      written(nowMs, errorCode)
    })
  }

  append(
    entry: GroupEntry,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
    done: PendingAppend['done'],
  ): void {
    const appendId = this.#nextAppendId++
    const { groupId } = entry
    this.#appends.set(appendId, { entry, done })
    this.#effects.push({ type: 'append', appendId, groupId, records, producer })
  }

  /** Appends offsets, and has them known as soon as they are durable. `done` gets an error code. */
  appendOffsets(
    entry: GroupEntry,
    records: readonly OffsetRecord[],
    producer: CommittingProducer | undefined,
    done: (errorCode: number) => void,
  ): void {
    const producerId = producer?.producerId ?? -1
    if (producerId >= 0) this.noteTransaction(entry, producerId)
    const write = entry.offsets.writing(records, producerId)
    this.append(entry, records, producer, (_, { errorCode, baseOffset }) => {
      entry.offsets.wrote(write, errorCode === ErrorCode.none ? baseOffset : undefined)
      done(errorCode)
    })
  }

  noteTransaction(entry: GroupEntry, producerId: number): void {
    const entries = this.#transactions.get(producerId)
    if (entries) entries.add(entry)
    else this.#transactions.set(producerId, new Set([entry]))
  }

  /** The marker of the producer's transaction is in the partition that has these groups. */
  endTransaction(
    producerId: number,
    isCommitted: boolean,
    isInPartition: (groupId: string) => boolean,
  ): void {
    const entries = this.#transactions.get(producerId)
    if (!entries) return
    for (const entry of [...entries].filter(({ groupId }) => isInPartition(groupId))) {
      entries.delete(entry)
      entry.offsets.endTransaction(producerId, isCommitted)
      this.settle(entry)
    }
    if (entries.size === 0) this.#transactions.delete(producerId)
  }

  /** Takes offsets away, however many; `done` gets the last error code, or 0. */
  appendTombstones(
    entry: GroupEntry,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    done: (errorCode: number) => void,
  ): void {
    const { groupId } = entry
    let open = 1
    let result: number = ErrorCode.none
    const settled = (errorCode: number) => {
      if (errorCode !== ErrorCode.none) result = errorCode
      if (--open === 0) done(result)
    }
    const recordBytes = groupId.length * mostCharacterBytes + mostTombstoneBytes
    const atOnce = Math.max(1, Math.floor(tombstoneBatchBytes / recordBytes))
    for (let from = 0; from < partitions.length; from += atOnce) {
      const records = partitions
        .slice(from, from + atOnce)
        .map((each): OffsetRecord => ({ type: 'offset', groupId, ...each, value: null }))
      open++
      this.appendOffsets(entry, records, undefined, settled)
    }
    settled(ErrorCode.none)
  }

  /** An append has become durable, or has failed. */
  appended(nowMs: number, appendId: number, appended: Appended): void {
    const pending = this.#appends.get(appendId)
    assert(pending, `append ${appendId} was answered twice, or never asked for`)
    this.#appends.delete(appendId)
    pending.done(nowMs, appended)
    this.settle(pending.entry)
  }
}
