// Reconciles a consumer group (KIP-848): a member that joins, changes or leaves moves the group to
// a new epoch, a new epoch gets new target assignments, and each heartbeat leads its member one
// step towards its target. Every change is a record, which is applied at once and added to the
// journal. Does not decide who may ask for a change. Invariants: epochs never decrease, and a
// partition has at most one owner.

import { assert } from '../../../protocol/runtime/assert.ts'
import { compilePattern, PatternError } from '../../re2Pattern.ts'
import { type AssignorName, assignors } from './assignor.ts'
import {
  type ConsumerGroupMember,
  MemberState,
  metadataOf,
  sameMetadata,
  sameSubscription,
} from './consumerGroupMember.ts'
import type { ConsumerGroupRecord } from './consumerGroupRecords.ts'
import { type ConsumerGroupState, currentOf, memberTombstones } from './consumerGroupState.ts'
import { reconcile } from './currentAssignment.ts'
import type { MemberDeadlines } from './memberDeadlines.ts'
import { metadataHash } from './metadataHash.ts'
import type { RecordJournal } from './recordJournal.ts'
import type { CatalogTopic, TopicCatalog } from './topicCatalog.ts'
import { equal, noPartitions, type TopicPartitions } from './topicPartitions.ts'

export interface ReconciliationDependencies {
  readonly state: ConsumerGroupState
  readonly journal: RecordJournal
  readonly deadlines: MemberDeadlines
  readonly catalog: TopicCatalog
  /** The assignors on offer; the first one is used when no member requests one. */
  readonly assignors: readonly AssignorName[]
}

export class GroupReconciliation {
  readonly #dependencies: ReconciliationDependencies
  readonly #state: ConsumerGroupState
  readonly #catalog: TopicCatalog
  /** Version of the topic catalog from which the group epoch was computed; -1 after loading. */
  #topicsVersion = -1

  constructor(dependencies: ReconciliationDependencies) {
    this.#dependencies = dependencies
    this.#state = dependencies.state
    this.#catalog = dependencies.catalog
  }

  /**
   * Stores the metadata of a new or known member, and leads the member one step towards its target.
   * Returns the member after the step.
   */
  advance(
    nowMs: number,
    member: ConsumerGroupMember,
    owned: TopicPartitions | null,
  ): ConsumerGroupMember {
    const { memberId } = member
    const before = this.#state.members.get(memberId)
    if (!before || !sameMetadata(before, member)) {
      this.#write({
        type: 'consumerGroupMemberMetadata',
        ...this.#of(memberId),
        value: metadataOf(member),
      })
    }
    const isResubscribed = !before || !sameSubscription(before, member)
    if (isResubscribed || this.#hasNewTopics) this.#updateEpoch(isResubscribed)
    if (this.#state.groupEpoch > this.#state.assignmentEpoch) this.#updateTargets()
    return this.#reconcile(nowMs, this.#state.members.get(memberId)!, owned)
  }

  /**
   * Replaces a static member that returned under a new member id, which inherits its target
   * assignment.
   */
  replace(old: ConsumerGroupMember, memberId: string): ConsumerGroupMember {
    const assigned = this.#state.target(old.memberId)
    this.forget(old.memberId)
    const member = { ...old, memberId, memberEpoch: 0, previousMemberEpoch: 0 }
    const of = this.#of(memberId)
    this.#write({ type: 'consumerGroupMemberMetadata', ...of, value: metadataOf(member) })
    this.#write({ type: 'consumerGroupTargetAssignmentMember', ...of, value: { assigned } })
    this.#write({ type: 'consumerGroupCurrentMemberAssignment', ...of, value: currentOf(member) })
    return member
  }

  /**
   * Lets a static member leave temporarily: its partitions stay assigned until its session expires.
   */
  suspend(member: ConsumerGroupMember, memberEpoch: number): void {
    this.#dependencies.deadlines.cancel(member.memberId, 'rebalance')
    this.#write({
      type: 'consumerGroupCurrentMemberAssignment',
      ...this.#of(member.memberId),
      value: { ...currentOf(member), memberEpoch, pendingRevocation: noPartitions },
    })
  }

  /** Removes members. The others get new targets with the next heartbeat of any of them. */
  remove(memberIds: Iterable<string>): void {
    for (const memberId of memberIds) this.forget(memberId)
    this.#updateEpoch(true)
  }

  /**
   * Removes a member without a new epoch: for a member that is replaced, or when the group itself
   * ends.
   */
  forget(memberId: string): void {
    this.#dependencies.deadlines.forget(memberId)
    for (const record of memberTombstones(this.#state.groupId, memberId)) this.#write(record)
  }

  /** The assignor that most members request. */
  get assignorName(): AssignorName {
    const votes = new Map<string, number>()
    for (const { serverAssignor } of this.#state.members.values()) {
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1)
    }
    const preferred = this.#dependencies.assignors.filter((name) => votes.has(name))
    const byVotes = preferred.sort((a, b) => votes.get(b)! - votes.get(a)!)
    return byVotes[0] ?? this.#dependencies.assignors[0]!
  }

  get #hasNewTopics(): boolean {
    return this.#topicsVersion !== this.#catalog.topicsVersion
  }

  /** Begins a new group epoch if `isNeeded`, or if the subscribed topics have changed. */
  #updateEpoch(isNeeded: boolean): void {
    const { groupId } = this.#state
    const hasNewPatterns = this.#resolvePatterns(this.#hasNewTopics)
    this.#topicsVersion = this.#catalog.topicsVersion
    const hash = metadataHash(this.#topics())
    if (!isNeeded && !hasNewPatterns && hash === this.#state.metadataHash) return
    if (this.#state.hasPartitionMetadata) {
      this.#write({ type: 'consumerGroupPartitionMetadata', groupId, value: null })
    }
    const value = { epoch: this.#state.groupEpoch + 1, metadataHash: hash }
    this.#write({ type: 'consumerGroupMetadata', groupId, value })
  }

  /**
   * Resolves new regular expressions, or all with `isAgain`, and removes unused ones. Returns
   * whether the topics of any have changed.
   */
  #resolvePatterns(isAgain: boolean): boolean {
    const { groupId, members, patterns } = this.#state
    const used = new Set([...members.values()].map((member) => member.subscribedTopicRegex ?? ''))
    used.delete('')
    let hasChanged = false
    for (const regularExpression of [...patterns.keys()]) {
      if (used.has(regularExpression)) continue
      this.#write({
        type: 'consumerGroupRegularExpression',
        groupId,
        regularExpression,
        value: null,
      })
    }
    for (const regularExpression of used) {
      const known = patterns.get(regularExpression)
      if (known && !isAgain) continue
      const topics = this.#topicsMatching(regularExpression)
      if (known && sameNames(known.topics, topics)) continue
      // Version and timestamp would say how old the resolution is. The coordinator keeps it up to
      // date while it runs, and a coordinator that loads the log has to resolve it again in any
      // case.
      const value = { topics, version: 0, timestamp: 0 }
      this.#write({ type: 'consumerGroupRegularExpression', groupId, regularExpression, value })
      hasChanged = true
    }
    return hasChanged
  }

  #topicsMatching(regularExpression: string): string[] {
    const pattern = compilePattern(regularExpression)
    // Invalid only when another implementation, which accepted the expression, has written the
    // record.
    if (pattern instanceof PatternError) return []
    const names = [...this.#catalog.topics()].map(({ name }) => name)
    return names.filter((name) => pattern.matches(name)).sort()
  }

  /** Returns the existing topics that at least one member is subscribed to. */
  #topics(): Iterable<CatalogTopic> {
    const names = new Set<string>()
    for (const member of this.#state.members.values()) {
      for (const name of this.#state.subscribedTopics(member)) names.add(name)
    }
    return [...names].flatMap((name) => this.#catalog.topic(name) ?? [])
  }

  #updateTargets(): void {
    const { groupId, members } = this.#state
    const assigned = assignors[this.assignorName](
      [...members.values()].map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        topicIds: this.#topicIdsOf(member),
        target: this.#state.target(member.memberId),
      })),
      (topicId) => this.#catalog.topicById(topicId)!.partitions.length,
    )
    for (const [memberId, partitions] of assigned) {
      if (equal(this.#state.target(memberId), partitions)) continue
      const value = { assigned: partitions }
      this.#write({ type: 'consumerGroupTargetAssignmentMember', ...this.#of(memberId), value })
    }
    const value = { assignmentEpoch: this.#state.groupEpoch }
    this.#write({ type: 'consumerGroupTargetAssignmentMetadata', groupId, value })
  }

  #topicIdsOf(member: ConsumerGroupMember): ReadonlySet<string> {
    const ids = new Set<string>()
    for (const name of this.#state.subscribedTopics(member)) {
      const topic = this.#catalog.topic(name)
      if (topic) ids.add(topic.id)
    }
    return ids
  }

  #reconcile(
    nowMs: number,
    member: ConsumerGroupMember,
    owned: TopicPartitions | null,
  ): ConsumerGroupMember {
    const { memberId } = member
    const { assignmentEpoch: epoch } = this.#state
    const next = reconcile(
      member,
      { epoch, partitions: this.#state.target(memberId) },
      (topicId, partition) => this.#state.isOwned(topicId, partition),
      owned,
    )
    if (sameCurrent(member, next)) return member
    assert(
      next.memberEpoch >= member.memberEpoch,
      `the epoch of member ${memberId} never decreases`,
    )
    this.#assertOneOwner(next)
    this.#write({
      type: 'consumerGroupCurrentMemberAssignment',
      ...this.#of(memberId),
      value: currentOf(next),
    })
    // Classic members have deadlines for JoinGroup and SyncGroup instead.
    const mustRevoke = next.state === MemberState.unrevokedPartitions && next.classic === null
    if (mustRevoke) {
      this.#dependencies.deadlines.set(memberId, 'rebalance', nowMs + next.rebalanceTimeoutMs)
    } else {
      this.#dependencies.deadlines.cancel(memberId, 'rebalance')
    }
    return next
  }

  #assertOneOwner({ memberId, assigned }: ConsumerGroupMember): void {
    for (const [topicId, partitions] of assigned) {
      for (const partition of partitions) {
        const owner = this.#state.owner(topicId, partition)
        assert(
          owner === undefined || owner === memberId,
          `partition ${topicId}-${partition} has at most one owner in its group`,
        )
      }
    }
  }

  #of(memberId: string) {
    return { groupId: this.#state.groupId, memberId }
  }

  #write(record: ConsumerGroupRecord): void {
    this.#state.apply(record)
    this.#dependencies.journal.add([record])
  }
}

function sameCurrent(a: ConsumerGroupMember, b: ConsumerGroupMember): boolean {
  return (
    a === b ||
    (a.memberEpoch === b.memberEpoch &&
      a.previousMemberEpoch === b.previousMemberEpoch &&
      a.state === b.state &&
      equal(a.assigned, b.assigned) &&
      equal(a.pendingRevocation, b.pendingRevocation))
  )
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index])
}
