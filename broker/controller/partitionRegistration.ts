// The state of one partition in the metadata. The controller decides it; the replica manager of
// each broker follows it (broker/replication). Names and rules are those of Kafka's
// PartitionRegistration. Invariants, asserted: the ISR is a non-empty subset of the replicas; the
// leader is in the ISR; every change raises the partition epoch by one; the leader epoch never
// decreases.

import { assert } from '../../protocol/runtime/assert.ts'

export interface PartitionRegistration {
  /** The brokers with a replica, the preferred leader first. */
  readonly replicas: readonly number[]
  /** The committed in-sync replicas. Never empty: the last one remains in it when it fails. */
  readonly isr: readonly number[]
  /** `noLeader` while no broker may lead. */
  readonly leader: number
  /** Grows with every change of the leader; fences earlier leaders (KIP-101, KIP-320). */
  readonly leaderEpoch: number
  /** Grows with every change of this registration; an older change of the ISR is refused. */
  readonly partitionEpoch: number
}

/**
 * A change of a registration; fields without a value do not change. Kafka's PartitionChangeRecord.
 */
export interface PartitionChange {
  readonly replicas?: readonly number[]
  readonly isr?: readonly number[]
  /** Elects this broker, or `noLeader`, with the next leader epoch, even if it leads already. */
  readonly leader?: number
  /** The partition epoch after the change: that of the state the proposer decided on, plus one. */
  readonly partitionEpoch: number
}

export const noLeader = -1

/** The leader epoch with which a partition is created. */
export const firstLeaderEpoch = 0

/**
 * A new partition on these brokers: the first one leads; all are in sync, because all are empty.
 */
export function newRegistration(replicas: readonly number[]): PartitionRegistration {
  assert(replicas.length > 0, 'a partition has at least one replica')
  return {
    replicas,
    isr: replicas,
    leader: replicas[0]!,
    leaderEpoch: firstLeaderEpoch,
    partitionEpoch: 0,
  }
}

/** The registration after the change. */
export function changedRegistration(
  before: PartitionRegistration,
  change: PartitionChange,
): PartitionRegistration {
  const { replicas = before.replicas, isr = before.isr, leader = before.leader } = change
  const leaderEpoch = before.leaderEpoch + (change.leader === undefined ? 0 : 1)
  assert(
    change.partitionEpoch === before.partitionEpoch + 1,
    `a change to partition epoch ${change.partitionEpoch} follows partition epoch ${before.partitionEpoch}`,
  )
  assert(leaderEpoch >= before.leaderEpoch, 'the leader epoch never goes back')
  assert(isr.length > 0, 'the last in-sync replica stays in the ISR')
  assert(
    isr.every((id) => replicas.includes(id)),
    'every in-sync replica is a replica',
  )
  assert(leader === noLeader || isr.includes(leader), 'a leader is elected from the ISR')
  return { replicas, isr, leader, leaderEpoch, partitionEpoch: change.partitionEpoch }
}
