// The steps of a member from its current assignment to its target (KIP-848): it first revokes
// partitions, then gets those that others have revoked. A pure function; the caller stores the
// result.

import {
  type ConsumerGroupMember,
  type CurrentAssignment,
  MemberState,
} from './consumerGroupMember.ts'
import {
  filterPartitions,
  hasPartition,
  noPartitions,
  overlaps,
  type TopicPartitions,
  union,
} from './topicPartitions.ts'

export interface Target {
  /** The epoch for which the target was computed. */
  readonly epoch: number
  readonly partitions: TopicPartitions
}

/** Whether any member owns the partition, or has not revoked it yet. */
export type IsOwned = (topicId: string, partition: number) => boolean

/** Whether the member has reached its target. */
export function isReconciled(member: CurrentAssignment, targetEpoch: number): boolean {
  return member.state === MemberState.stable && member.memberEpoch === targetEpoch
}

/**
 * Returns the member after its next step. `owned` are the partitions that the member reports; null
 * when it does not report them, which counts as owning all: partitions are never reassigned on a
 * guess.
 */
export function reconcile(
  member: ConsumerGroupMember,
  target: Target,
  isOwned: IsOwned,
  owned: TopicPartitions | null,
): ConsumerGroupMember {
  if (isReconciled(member, target.epoch)) return member
  if (member.state !== MemberState.unrevokedPartitions) {
    return nextStep(member, member.memberEpoch, target, isOwned, owned)
  }
  if (stillHas(owned, member.pendingRevocation)) return member
  // The member has revoked its partitions, which ends its epoch even if the target has changed
  // meanwhile and there is more to revoke.
  return nextStep(member, member.memberEpoch + 1, target, isOwned, owned)
}

function nextStep(
  member: ConsumerGroupMember,
  memberEpoch: number,
  target: Target,
  isOwned: IsOwned,
  owned: TopicPartitions | null,
): ConsumerGroupMember {
  const isTarget = (topicId: string, partition: number) =>
    hasPartition(target.partitions, topicId, partition)
  const kept = filterPartitions(member.assigned, isTarget)
  const pendingRevocation = filterPartitions(member.assigned, (...at) => !isTarget(...at))
  if (pendingRevocation.size > 0 && stillHas(owned, pendingRevocation)) {
    return {
      ...inEpoch(member, memberEpoch),
      state: MemberState.unrevokedPartitions,
      assigned: kept,
      pendingRevocation,
    }
  }
  const isNew = (topicId: string, partition: number) => !hasPartition(kept, topicId, partition)
  const released = filterPartitions(target.partitions, (...at) => isNew(...at) && !isOwned(...at))
  const unreleased = filterPartitions(target.partitions, (...at) => isNew(...at) && isOwned(...at))
  return {
    ...inEpoch(member, target.epoch),
    state: unreleased.size > 0 ? MemberState.unreleasedPartitions : MemberState.stable,
    assigned: released.size > 0 ? union(kept, released) : kept,
    pendingRevocation: noPartitions,
  }
}

function inEpoch(member: ConsumerGroupMember, memberEpoch: number): ConsumerGroupMember {
  return { ...member, memberEpoch, previousMemberEpoch: member.memberEpoch }
}

function stillHas(owned: TopicPartitions | null, pendingRevocation: TopicPartitions): boolean {
  return owned === null || overlaps(owned, pendingRevocation)
}
