// Kafka's range assignor: each subscriber of a topic gets a contiguous range of its partitions, in
// the order of member ids. If the division leaves a remainder, the first members get one partition
// more.

export interface AssignorMember {
  readonly memberId: string
  readonly topics: readonly string[]
}

/** Partitions by topic. */
export type Assignment = ReadonlyMap<string, readonly number[]>

/**
 * Returns the assignment of each member. Topics without an entry in `partitionCounts` are skipped.
 */
export function rangeAssign(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, Assignment> {
  const assigned = new Map(members.map(({ memberId }) => [memberId, new Map<string, number[]>()]))
  for (const [topic, count] of partitionCounts) {
    const takers = members
      .filter(({ topics }) => topics.includes(topic))
      .map(({ memberId }) => memberId)
      .sort()
    let next = 0
    for (const [index, memberId] of takers.entries()) {
      const share = Math.floor(count / takers.length) + (index < count % takers.length ? 1 : 0)
      if (share === 0) continue
      const run = Array.from({ length: share }, (_, at) => next + at)
      assigned.get(memberId)!.set(topic, run)
      next += share
    }
  }
  return assigned
}
