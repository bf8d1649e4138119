// Decides which brokers hold the replicas of new partitions. Pure. This is the one place that
// decides it: placement over racks replaces this function.

interface PlacementRequest {
  readonly partitions: number
  /** The number of the first of these partitions. */
  readonly firstPartition: number
  /** The broker that decides. */
  readonly nodeId: number
}

/**
 * Returns the replicas of each partition, the preferred leader first: one replica, on this broker.
 */
export function placePartitions({ partitions, nodeId }: PlacementRequest): number[][] {
  return Array.from({ length: partitions }, () => [nodeId])
}
