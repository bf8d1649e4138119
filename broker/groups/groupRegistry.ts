// The groups of one coordinator, of both protocols. Collects the effects of groups, and numbers
// their appends with the continuation of each. Decides nothing about members or offsets.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { AppendStep, PendingAppend } from './appendStep.ts'
import { ClassicGroup } from './classic/classicGroup.ts'
import { ConsumerGroup, type ConsumerGroupLimits } from './consumer/consumerGroup.ts'
import type { ConsumerGroupState } from './consumer/consumerGroupState.ts'
import type { JournalWrite } from './consumer/recordJournal.ts'
import type { TopicCatalog } from './consumer/topicCatalog.ts'
import type { Group, GroupLimits } from './group.ts'
import type { GroupAnswer, GroupEffect } from './groupOutcome.ts'
import type { GroupRecord, OffsetRecord } from './groupRecords.ts'
import { MemberBudget } from './memberBudget.ts'
import { GroupOffsets } from './offsets/groupOffsets.ts'
import type { CommittingProducer } from './offsets/transactionalCommit.ts'

export interface RegistryLimits extends GroupLimits {
  /** Maximum memory for the metadata of members in all groups of this broker, in bytes. */
  readonly maxMemberBytes: number
  /** Maximum number of groups of this broker. */
  readonly maxGroups: number
  readonly consumer: ConsumerGroupLimits
}

export type CoordinatorEffect =
  | GroupAnswer
  /** Append the records to the coordinator's partition as one batch, then report `appended`. */
  | {
      readonly type: 'append'
      readonly appendId: number
      readonly groupId: string
      readonly records: readonly GroupRecord[]
      readonly producer: CommittingProducer | undefined
    }
  /** Answers any other request with an error code for each item, or with one. */
  | {
      readonly type: 'answered'
      readonly requestId: number
      readonly errorCodes: readonly number[]
    }
  /** Report `wake` for the group at this time. Replaces the previous time of the same group. */
  | { readonly type: 'wakeAt'; readonly groupId: string; readonly atMs: number }

export interface GroupEntry {
  readonly groupId: string
  readonly offsets: GroupOffsets
  group: Group
  /**
   * Counts the groups that have had this id: each conversion between the protocols makes another
   * one.
   */
  incarnation: number
  /**
   * Consumer groups that were converted while writes were in flight, by incarnation. Their answers
   * are still due.
   */
  readonly former: Map<number, ConsumerGroup>
  /**
   * The tombstones of the consumer group that this classic group was before. They are written with
   * every record of the group until one such write is durable: they must precede the records of any
   * later consumer group, or a restart would restore the former members.
   */
  leftovers: readonly GroupRecord[]
  /** Identifies the leftovers; 0 when there are none. */
  leftoversId: number
  /** The time of the last `wakeAt`. */
  wakeAtMs: number
}

export interface RegistryDependencies {
  readonly limits: RegistryLimits
  /** Returns a unique member id that starts with the prefix. */
  readonly newMemberId: (prefix: string) => string
  readonly catalog: TopicCatalog
  /**
   * The memory budget that the coordinators of this broker share. By default the coordinator is
   * alone.
   */
  readonly budget?: MemberBudget
  /** Whether the coordinators of this broker have the maximum number of groups. */
  readonly isFull?: () => boolean
}

interface Append {
  readonly entry: GroupEntry
  readonly step: AppendStep
}

export class GroupRegistry {
  readonly budget: MemberBudget
  readonly #dependencies: RegistryDependencies
  readonly #entries = new Map<string, GroupEntry>()
  readonly #appends = new Map<number, Append>()
  /** The groups in which each producer has committed offsets in its open transaction. */
  readonly #transactions = new Map<number, Set<GroupEntry>>()
  #nextAppendId = 1
  #lastLeftoversId = 0
  #nowMs = 0
  #effects: CoordinatorEffect[] = []

  constructor(dependencies: RegistryDependencies) {
    this.#dependencies = dependencies
    this.budget = dependencies.budget ?? new MemberBudget(dependencies.limits.maxMemberBytes)
  }

  get size(): number {
    return this.#entries.size
  }

  get isFull(): boolean {
    const { isFull, limits } = this.#dependencies
    return isFull ? isFull() : this.#entries.size >= limits.maxGroups
  }

  find(groupId: string): GroupEntry | undefined {
    return this.#entries.get(groupId)
  }

  /** Returns a copy: groups may be created and removed during an iteration. */
  all(): GroupEntry[] {
    return [...this.#entries.values()]
  }

  *groups(): Generator<Group, void> {
    for (const { group } of this.#entries.values()) yield group
  }

  findOrCreate(groupId: string): GroupEntry {
    const known = this.#entries.get(groupId)
    if (known) return known
    const entry: GroupEntry = {
      groupId,
      offsets: new GroupOffsets(),
      group: this.newClassicGroup(groupId),
      incarnation: 1,
      former: new Map(),
      leftovers: [],
      leftoversId: 0,
      wakeAtMs: Number.POSITIVE_INFINITY,
    }
    this.#entries.set(groupId, entry)
    return entry
  }

  newClassicGroup(groupId: string): ClassicGroup {
    const { limits, newMemberId } = this.#dependencies
    return new ClassicGroup(groupId, limits, newMemberId, this.budget)
  }

  newConsumerGroup(nowMs: number, state: ConsumerGroupState): ConsumerGroup {
    const { limits, catalog, newMemberId } = this.#dependencies
    const { budget } = this
    return new ConsumerGroup(nowMs, state, {
      limits: limits.consumer,
      catalog,
      newMemberId,
      budget,
    })
  }

  /** Replaces the group of an entry by another one with the same id. */
  replace(entry: GroupEntry, group: Group): void {
    this.collect(entry)
    const { group: former, incarnation } = entry
    if (former instanceof ConsumerGroup && former.owesAnswers) {
      entry.former.set(incarnation, former)
    }
    entry.group = group
    entry.incarnation++
  }

  setLeftovers(entry: GroupEntry, leftovers: readonly GroupRecord[]): void {
    entry.leftovers = leftovers
    entry.leftoversId = leftovers.length === 0 ? 0 : ++this.#lastLeftoversId
  }

  /** Removes a group whose tombstones are durable. Its promised member ids become void. */
  remove(entry: GroupEntry): void {
    // The entry may have been dropped meanwhile, and the id may belong to another one.
    if (this.#entries.get(entry.groupId) !== entry) return
    entry.group.end(ErrorCode.unknownMemberId)
    this.collect(entry)
    this.#entries.delete(entry.groupId)
  }

  // Effects

  /** Begins the handling of an event at this time. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs
    this.#effects = []
  }

  /** Returns the effects since `begin`. */
  end(): CoordinatorEffect[] {
    return this.#effects
  }

  effect(effect: CoordinatorEffect): void {
    this.#effects.push(effect)
  }

  /**
   * Collects the effects of the group, asks for a wake at its next deadline, and drops the group
   * when nothing of it is left.
   */
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
    const { group, incarnation } = entry
    for (const effect of group.takeEffects()) this.#collectOne(entry, incarnation, effect)
    if (entry.group !== group) this.collect(entry)
  }

  #collectOne(entry: GroupEntry, incarnation: number, effect: GroupEffect): void {
    if (effect.type === 'write') {
      this.appendGroup(entry, effect.records, { type: 'group', incarnation, step: effect.step })
    } else if (effect.type === 'downgraded') {
      const classic = this.newClassicGroup(entry.groupId)
      classic.restore(this.#nowMs, effect.value, 0)
      this.replace(entry, classic)
      this.setLeftovers(entry, effect.leftovers)
    } else {
      this.#effects.push(effect)
    }
  }

  // Appends

  /** Appends records of the group itself, behind its leftovers. */
  appendGroup(
    entry: GroupEntry,
    records: readonly GroupRecord[],
    step: DistributiveOmit<Exclude<AppendStep, { type: 'offsets' }>, 'leftoversId'>,
  ): void {
    const { leftovers, leftoversId } = entry
    this.#append(entry, [...leftovers, ...records], undefined, { ...step, leftoversId })
  }

  /** Appends offsets, which are in flight until `appended` reports the append. */
  appendOffsets(
    entry: GroupEntry,
    records: readonly OffsetRecord[],
    producer: CommittingProducer | undefined,
    next: Extract<AppendStep, { type: 'offsets' }>['next'],
  ): void {
    const producerId = producer?.producerId ?? -1
    if (producerId >= 0) this.noteTransaction(entry, producerId)
    const appendId = this.#append(entry, records, producer, { type: 'offsets', next })
    entry.offsets.writing(appendId, records, producerId)
  }

  /** Ends an append that is durable or has failed. Returns its continuation. */
  takeAppend(appendId: number): Append {
    const append = this.#appends.get(appendId)
    assert(append, `append ${appendId} is in flight, and is reported once`)
    this.#appends.delete(appendId)
    return append
  }

  /** Passes the step to the group that wrote the records, which may have been converted since. */
  groupWritten(
    entry: GroupEntry,
    { incarnation, step }: Extract<AppendStep, { type: 'group' }>,
    errorCode: number,
  ): void {
    if (entry.incarnation === incarnation) {
      entry.group.written(this.#nowMs, step, errorCode)
      return
    }
    const former = entry.former.get(incarnation)
    if (!former) return
    former.written(this.#nowMs, step, errorCode)
    for (const effect of former.takeEffects()) this.#collectOne(entry, incarnation, effect)
    if (!former.owesAnswers) entry.former.delete(incarnation)
  }

  /** Returns the appends in flight. */
  pending(): PendingAppend[] {
    return [...this.#appends].map(([appendId, { entry, step }]) => {
      const { groupId, offsets } = entry
      return { appendId, groupId, step, offsets: offsets.inFlight(appendId) }
    })
  }

  /**
   * Returns the writes in flight of consumer groups, including groups that were converted since.
   */
  pendingWrites(): JournalWrite[] {
    return this.all().flatMap(({ group, former }) =>
      [...former.values(), group].flatMap((each) =>
        each instanceof ConsumerGroup ? each.pendingWrites() : [],
      ),
    )
  }

  #append(
    entry: GroupEntry,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
    step: AppendStep,
  ): number {
    const appendId = this.#nextAppendId++
    const { groupId } = entry
    this.#appends.set(appendId, { entry, step })
    this.#effects.push({ type: 'append', appendId, groupId, records, producer })
    return appendId
  }

  // Transactions

  noteTransaction(entry: GroupEntry, producerId: number): void {
    const entries = this.#transactions.get(producerId)
    if (entries) entries.add(entry)
    else this.#transactions.set(producerId, new Set([entry]))
  }

  /** Ends the producer's transaction, whose marker is in the coordinator's partition. */
  endTransaction(producerId: number, isCommitted: boolean): void {
    const entries = this.#transactions.get(producerId)
    if (!entries) return
    this.#transactions.delete(producerId)
    for (const entry of entries) {
      entry.offsets.endTransaction(producerId, isCommitted)
      this.settle(entry)
    }
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never
