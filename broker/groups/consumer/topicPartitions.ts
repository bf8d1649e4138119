// A set of partitions of several topics, by topic id, as assignments name them. An immutable value;
// every topic in it has partitions.

export type TopicPartitions = ReadonlyMap<string, ReadonlySet<number>>

/** The form in which messages and records hold the set. */
export type TopicPartitionsList = readonly {
  readonly topicId: string
  readonly partitions: readonly number[]
}[]

export const noPartitions: TopicPartitions = new Map()

export function fromList(list: TopicPartitionsList): TopicPartitions {
  const all = new Map<string, Set<number>>()
  for (const { topicId, partitions } of list) {
    for (const partition of partitions) addPartition(all, topicId, partition)
  }
  return all
}

/** Sorted, so that equal sets make equal records. */
export function toList(all: TopicPartitions): TopicPartitionsList {
  return [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions].sort((a, b) => a - b),
    }))
}

/** Adds a partition to a set under construction. */
export function addPartition(
  all: Map<string, Set<number>>,
  topicId: string,
  partition: number,
): void {
  const partitions = all.get(topicId)
  if (partitions) partitions.add(partition)
  else all.set(topicId, new Set([partition]))
}

export function filterPartitions(
  all: TopicPartitions,
  keep: (topicId: string, partition: number) => boolean,
): TopicPartitions {
  const kept = new Map<string, Set<number>>()
  for (const [topicId, partitions] of all) {
    for (const partition of partitions) {
      if (keep(topicId, partition)) addPartition(kept, topicId, partition)
    }
  }
  return kept
}

export function hasPartition(all: TopicPartitions, topicId: string, partition: number): boolean {
  return all.get(topicId)?.has(partition) ?? false
}

export function union(a: TopicPartitions, b: TopicPartitions): TopicPartitions {
  const all = new Map<string, Set<number>>()
  for (const one of [a, b]) {
    for (const [topicId, partitions] of one) {
      for (const partition of partitions) addPartition(all, topicId, partition)
    }
  }
  return all
}

export function isSubset(part: TopicPartitions, whole: TopicPartitions): boolean {
  for (const [topicId, partitions] of part) {
    for (const partition of partitions) {
      if (!hasPartition(whole, topicId, partition)) return false
    }
  }
  return true
}

export function overlaps(a: TopicPartitions, b: TopicPartitions): boolean {
  for (const [topicId, partitions] of a) {
    for (const partition of partitions) if (hasPartition(b, topicId, partition)) return true
  }
  return false
}

export function equal(a: TopicPartitions, b: TopicPartitions): boolean {
  return partitionCount(a) === partitionCount(b) && isSubset(a, b)
}

export function partitionCount(all: TopicPartitions): number {
  let count = 0
  for (const partitions of all.values()) count += partitions.size
  return count
}
