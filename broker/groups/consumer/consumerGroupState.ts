// The state of a consumer group, as a fold of its records: the same records give the same state,
// whether a request has just produced them or they are replayed from the log. Decides nothing.

import { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'
import {
  bytesOf,
  type ConsumerGroupMember,
  metadataOf,
  newConsumerMember,
  noAssignmentYet,
} from './consumerGroupMember.ts'
import type { ConsumerGroupRecord, ResolvedRegularExpression } from './consumerGroupRecords.ts'
import { isReconciled } from './currentAssignment.ts'
import { noPartitions, type TopicPartitions } from './topicPartitions.ts'

export type ConsumerGroupStateName = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' | 'Dead'

export class ConsumerGroupState {
  readonly groupId: string
  #groupEpoch = 0
  #metadataHash = 0n
  #assignmentEpoch = 0
  #hasPartitionMetadata = false
  readonly #members = new Map<string, ConsumerGroupMember>()
  readonly #instances = new Map<string, string>()
  #memberBytes = 0
  readonly #targets = new Map<string, TopicPartitions>()
  readonly #patterns = new Map<string, ResolvedRegularExpression>()
  /** The owner of each partition, by topic id and partition number. */
  readonly #owners = new PartitionMap<string>()

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get groupEpoch(): number {
    return this.#groupEpoch
  }

  /** Hash of the topics that the group is subscribed to; see metadataHash.ts. */
  get metadataHash(): bigint {
    return this.#metadataHash
  }

  /** The group epoch for which the targets were computed. */
  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  /**
   * Whether the log has a partition metadata record, which Kafka before 4.1 wrote and which is
   * unused.
   */
  get hasPartitionMetadata(): boolean {
    return this.#hasPartitionMetadata
  }

  get members(): ReadonlyMap<string, ConsumerGroupMember> {
    return this.#members
  }

  /** Approximate memory of the members' metadata, in bytes. */
  get memberBytes(): number {
    return this.#memberBytes
  }

  get patterns(): ReadonlyMap<string, ResolvedRegularExpression> {
    return this.#patterns
  }

  get name(): ConsumerGroupStateName {
    if (this.#members.size === 0) return 'Empty'
    if (this.#groupEpoch > this.#assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) {
      if (!isReconciled(member, this.#assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  /** Returns the member of a static instance. */
  byInstance(instanceId: string): ConsumerGroupMember | undefined {
    const memberId = this.#instances.get(instanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  /** Returns the target assignment of a member. */
  target(memberId: string): TopicPartitions {
    return this.#targets.get(memberId) ?? noPartitions
  }

  isOwned(topicId: string, partition: number): boolean {
    return this.#owners.has(topicId, partition)
  }

  /** Returns the member that the partition is assigned to, or that has not revoked it yet. */
  owner(topicId: string, partition: number): string | undefined {
    return this.#owners.get(topicId, partition)
  }

  /** Yields the names of the topics that a member is subscribed to. */
  *subscribedTopics(member: ConsumerGroupMember): Iterable<string> {
    yield* member.subscribedTopicNames
    yield* this.#patterns.get(member.subscribedTopicRegex ?? '')?.topics ?? []
  }

  apply(record: ConsumerGroupRecord): void {
    switch (record.type) {
      case 'consumerGroupMetadata':
        this.#groupEpoch = record.value?.epoch ?? 0
        this.#metadataHash = record.value?.metadataHash ?? 0n
        return
      case 'consumerGroupPartitionMetadata':
        this.#hasPartitionMetadata = record.value !== null
        return
      case 'consumerGroupMemberMetadata':
        if (record.value === null) this.#remove(record.memberId)
        else this.#put({ ...this.#memberOf(record.memberId), ...record.value })
        return
      case 'consumerGroupTargetAssignmentMetadata':
        this.#assignmentEpoch = record.value?.assignmentEpoch ?? 0
        return
      case 'consumerGroupTargetAssignmentMember':
        if (record.value === null) this.#targets.delete(record.memberId)
        else this.#targets.set(record.memberId, record.value.assigned)
        return
      case 'consumerGroupCurrentMemberAssignment':
        this.#assign(record)
        return
      case 'consumerGroupRegularExpression':
        if (record.value === null) this.#patterns.delete(record.regularExpression)
        else this.#patterns.set(record.regularExpression, record.value)
        return
    }
  }

  /** Returns the whole state as records. */
  records(): ConsumerGroupRecord[] {
    const { groupId } = this
    const members = [...this.#members.values()]
    return [
      ...members.map(
        (member): ConsumerGroupRecord => ({
          type: 'consumerGroupMemberMetadata',
          groupId,
          memberId: member.memberId,
          value: metadataOf(member),
        }),
      ),
      {
        type: 'consumerGroupMetadata',
        groupId,
        value: { epoch: this.#groupEpoch, metadataHash: this.#metadataHash },
      },
      ...members.map(
        ({ memberId }): ConsumerGroupRecord => ({
          type: 'consumerGroupTargetAssignmentMember',
          groupId,
          memberId,
          value: { assigned: this.target(memberId) },
        }),
      ),
      {
        type: 'consumerGroupTargetAssignmentMetadata',
        groupId,
        value: { assignmentEpoch: this.#assignmentEpoch },
      },
      ...members.map(
        (member): ConsumerGroupRecord => ({
          type: 'consumerGroupCurrentMemberAssignment',
          groupId,
          memberId: member.memberId,
          value: currentOf(member),
        }),
      ),
    ]
  }

  /**
   * Returns the tombstones of all records. The tombstone of the group's own record comes last,
   * because that record is what makes the group exist.
   */
  tombstones(): ConsumerGroupRecord[] {
    const { groupId } = this
    const value = null
    const memberIds = new Set([...this.#members.keys(), ...this.#targets.keys()])
    const records: ConsumerGroupRecord[] = []
    for (const memberId of memberIds) records.push(...memberTombstones(groupId, memberId))
    for (const regularExpression of this.#patterns.keys()) {
      records.push({ type: 'consumerGroupRegularExpression', groupId, regularExpression, value })
    }
    if (this.#hasPartitionMetadata) {
      records.push({ type: 'consumerGroupPartitionMetadata', groupId, value })
    }
    records.push({ type: 'consumerGroupTargetAssignmentMetadata', groupId, value })
    records.push({ type: 'consumerGroupMetadata', groupId, value })
    return records
  }

  #memberOf(memberId: string): ConsumerGroupMember {
    return this.#members.get(memberId) ?? newConsumerMember(memberId)
  }

  #assign(
    record: Extract<ConsumerGroupRecord, { type: 'consumerGroupCurrentMemberAssignment' }>,
  ): void {
    const known = this.#members.get(record.memberId)
    // The tombstone of a member's assignment precedes that of the member itself.
    if (!known && record.value === null) return
    const member = known ?? newConsumerMember(record.memberId)
    this.#put({ ...member, ...(record.value ?? noAssignmentYet) })
  }

  #put(member: ConsumerGroupMember): void {
    this.#remove(member.memberId)
    this.#memberBytes += bytesOf(member)
    this.#members.set(member.memberId, member)
    if (member.instanceId !== null) this.#instances.set(member.instanceId, member.memberId)
    this.#own(member, member.assigned)
    this.#own(member, member.pendingRevocation)
  }

  #remove(memberId: string): void {
    const member = this.#members.get(memberId)
    if (!member) return
    this.#disown(member)
    this.#memberBytes -= bytesOf(member)
    this.#members.delete(memberId)
    const { instanceId } = member
    if (instanceId !== null && this.#instances.get(instanceId) === memberId) {
      this.#instances.delete(instanceId)
    }
  }

  #own({ memberId }: ConsumerGroupMember, all: TopicPartitions): void {
    for (const [topicId, partitions] of all) {
      for (const partition of partitions) this.#owners.set(topicId, partition, memberId)
    }
  }

  /**
   * Removes the member as owner of its partitions, unless another member owns them already: in a
   * compacted log, the record with which a member revoked a partition may follow the record that
   * assigns it to another member.
   */
  #disown({ memberId, assigned, pendingRevocation }: ConsumerGroupMember): void {
    for (const all of [assigned, pendingRevocation]) {
      for (const [topicId, partitions] of all) {
        for (const partition of partitions) {
          if (this.owner(topicId, partition) === memberId) this.#owners.delete(topicId, partition)
        }
      }
    }
  }
}

export function currentOf(member: ConsumerGroupMember) {
  const { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } = member
  return { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation }
}

/** Returns the tombstones of the current assignment, the target and the member, in this order. */
export function memberTombstones(groupId: string, memberId: string): ConsumerGroupRecord[] {
  const value = null
  return [
    { type: 'consumerGroupCurrentMemberAssignment', groupId, memberId, value },
    { type: 'consumerGroupTargetAssignmentMember', groupId, memberId, value },
    { type: 'consumerGroupMemberMetadata', groupId, memberId, value },
  ]
}
