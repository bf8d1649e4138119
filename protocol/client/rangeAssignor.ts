// Kafka's range assignment: of each topic, every member that wants it gets one run of partitions,
// in the order of member ids, and the first ones get one more when it does not come out even.

export interface AssignorMember {
  readonly memberId: string
  readonly topics: readonly string[]
}

/** Partitions by topic. */
export type Assignment = ReadonlyMap<string, readonly number[]>

/** `partitionCounts`: of the topics that exist; others are assigned to nobody. */
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
