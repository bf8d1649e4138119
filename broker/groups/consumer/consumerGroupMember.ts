// One member of a consumer group: its metadata and its current assignment. An immutable value.

import { noPartitions, type TopicPartitions } from './topicPartitions.ts'

/** The state of a member between two assignments, under Kafka's names and numbers. */
export const MemberState = {
  /** The member owns the assignment that it was last sent. */
  stable: 0,
  /** The member was asked to revoke partitions, and has not confirmed it yet. */
  unrevokedPartitions: 1,
  /** The member waits for partitions that other members have not revoked yet. */
  unreleasedPartitions: 2,
} as const

export type MemberState = (typeof MemberState)[keyof typeof MemberState]

/**
 * Special member epochs of a heartbeat: the member joins, leaves, or leaves temporarily (a static
 * member).
 */
export const joinEpoch = 0
export const leaveEpoch = -1
export const leaveStaticEpoch = -2

/** The metadata of a member. */
export interface MemberMetadata {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Sorted, without duplicates. */
  readonly subscribedTopicNames: readonly string[]
  /** Null and '' both mean none. */
  readonly subscribedTopicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** Null unless the member uses the classic protocol (JoinGroup and SyncGroup). */
  readonly classic: ClassicMemberMetadata | null
}

export interface ClassicMemberMetadata {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
}

/** The current assignment of a member. */
export interface CurrentAssignment {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: TopicPartitions
  readonly pendingRevocation: TopicPartitions
}

export interface ConsumerGroupMember extends MemberMetadata, CurrentAssignment {
  readonly memberId: string
}

export function newConsumerMember(memberId: string): ConsumerGroupMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: [],
    subscribedTopicRegex: null,
    rebalanceTimeoutMs: -1,
    serverAssignor: null,
    classic: null,
    ...noAssignmentYet,
  }
}

export const noAssignmentYet: CurrentAssignment = {
  memberEpoch: joinEpoch,
  previousMemberEpoch: -1,
  state: MemberState.stable,
  assigned: noPartitions,
  pendingRevocation: noPartitions,
}

export function metadataOf(member: MemberMetadata): MemberMetadata {
  const { instanceId, rackId, clientId, clientHost, rebalanceTimeoutMs } = member
  const { subscribedTopicNames, subscribedTopicRegex, serverAssignor, classic } = member
  return {
    instanceId,
    rackId,
    clientId,
    clientHost,
    subscribedTopicNames,
    subscribedTopicRegex,
    rebalanceTimeoutMs,
    serverAssignor,
    classic,
  }
}

export function sameMetadata(a: MemberMetadata, b: MemberMetadata): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    sameSubscription(a, b) &&
    sameClassic(a.classic, b.classic)
  )
}

export function sameSubscription(a: MemberMetadata, b: MemberMetadata): boolean {
  return (
    (a.subscribedTopicRegex ?? '') === (b.subscribedTopicRegex ?? '') &&
    a.subscribedTopicNames.length === b.subscribedTopicNames.length &&
    a.subscribedTopicNames.every((name, index) => name === b.subscribedTopicNames[index])
  )
}

function sameClassic(a: ClassicMemberMetadata | null, b: ClassicMemberMetadata | null): boolean {
  if (a === null || b === null) return a === b
  return (
    a.sessionTimeoutMs === b.sessionTimeoutMs &&
    a.supportedProtocols.length === b.supportedProtocols.length &&
    a.supportedProtocols.every(({ name, metadata }, index) => {
      const other = b.supportedProtocols[index]!
      return name === other.name && metadata.equals(other.metadata)
    })
  )
}

/** Returns the names sorted and without duplicates. */
export function topicNames(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

/** Memory of a member without its metadata, in bytes. */
const overheadBytes = 512

/** Returns the approximate memory of a member with its metadata, in bytes. */
export function bytesOf({
  subscribedTopicNames,
  subscribedTopicRegex,
  classic,
}: Pick<MemberMetadata, 'subscribedTopicNames' | 'subscribedTopicRegex' | 'classic'>): number {
  let bytes = overheadBytes + (subscribedTopicRegex?.length ?? 0)
  for (const name of subscribedTopicNames) bytes += name.length
  for (const { name, metadata } of classic?.supportedProtocols ?? []) {
    bytes += name.length + metadata.length
  }
  return bytes
}
