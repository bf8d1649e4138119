// What the cluster has agreed on for one partition. The controller decides it; the replica manager of each
// broker follows it (broker/replication). Names and rules: Kafka's PartitionRegistration.

export interface PartitionRegistration {
  /** The brokers that hold the partition, the preferred leader first. */
  readonly replicas: readonly number[]
  /** The committed in-sync replicas. Never empty: the last one remains when it fails. */
  readonly isr: readonly number[]
  /** `noLeader` while no broker may lead. */
  readonly leader: number
  /** Grows with every change of the leader; fences whoever led before (KIP-101, KIP-320). */
  readonly leaderEpoch: number
  /** Grows with every change of this registration; an older change of the ISR is refused. */
  readonly partitionEpoch: number
}

export const noLeader = -1

/** A new partition on these brokers: the first leads, and all are in sync because all are empty. */
export function newRegistration(replicas: readonly number[]): PartitionRegistration {
  return { replicas, isr: replicas, leader: replicas[0]!, leaderEpoch: 0, partitionEpoch: 0 }
}
