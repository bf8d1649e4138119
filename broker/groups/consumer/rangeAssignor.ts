// The `range` assignor: divides each topic into ranges of nearly equal length, one per subscriber,
// in the same order of subscribers for every topic. Topics with the same number of partitions and
// the same subscribers are co-partitioned, which joins rely on: the owner of partition 3 of one
// topic owns partition 3 of the other. Static members come first, by instance id: they get the same
// ranges after a restart, because an instance id outlives the member id.

import type { AssignorMember } from './assignorMember.ts'
import type { TopicPartitions } from './topicPartitions.ts'

export function rangeAssignor(
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
): ReadonlyMap<string, TopicPartitions> {
  const sorted = [...members].sort(compareMembers)
  const assignment = new Map(sorted.map(({ memberId }) => [memberId, new Map()]))
  for (const [topicId, subscribers] of subscribersByTopic(sorted)) {
    const ranges = cut(partitionsOf(topicId), subscribers.length)
    subscribers.forEach(({ memberId }, index) => {
      const range = ranges[index]!
      if (range.size > 0) assignment.get(memberId)!.set(topicId, range)
    })
  }
  return assignment
}

function subscribersByTopic(
  members: readonly AssignorMember[],
): ReadonlyMap<string, AssignorMember[]> {
  const byTopic = new Map<string, AssignorMember[]>()
  for (const member of members) {
    for (const topicId of member.topicIds) {
      const subscribers = byTopic.get(topicId)
      if (subscribers) subscribers.push(member)
      else byTopic.set(topicId, [member])
    }
  }
  return byTopic
}

/**
 * Divides partitions into ranges. The first ranges are longer by one when they do not divide
 * evenly.
 */
function cut(partitions: number, ranges: number): ReadonlySet<number>[] {
  const shortest = Math.floor(partitions / ranges)
  const longer = partitions % ranges
  let next = 0
  return Array.from({ length: ranges }, (_, index) => {
    const length = index < longer ? shortest + 1 : shortest
    return new Set(Array.from({ length }, () => next++))
  })
}

function compareMembers(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compare(a.instanceId, b.instanceId)
  if (a.instanceId !== null) return -1
  if (b.instanceId !== null) return 1
  return compare(a.memberId, b.memberId)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
