// How one member gets from the assignment that it has to the one that it is to have (KIP-848), one
// step at a time: it gives up first, and gets what others have given up afterwards. A pure function
// of what is known; the group keeps the result.

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

/** Whether somebody has the partition, be it to give it up. */
export type IsOwned = (topicId: string, partition: number) => boolean

/** The member has nothing to do before the target changes. */
export function isReconciled(member: CurrentAssignment, targetEpoch: number): boolean {
  return member.state === MemberState.stable && member.memberEpoch === targetEpoch
}

/**
 * The next step. `owned` is what the member says it has; null when it did not say, which is taken
 * for having everything: nothing may be given to others on a guess.
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
  // It has given up what it had to: that ends its epoch, even if the target has moved on meanwhile
  // and there is more to give up.
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
