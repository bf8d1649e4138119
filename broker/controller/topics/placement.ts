// Decides which brokers have the replicas of new partitions. Pure. Placement over racks will
// replace this function.

interface PlacementRequest {
  readonly partitions: number
  /** Number of the first of the new partitions. */
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
