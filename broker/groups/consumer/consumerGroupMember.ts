// One member of a consumer group: what it said of itself, and what it has. A value; a change makes
// a new one.

import { noPartitions, type TopicPartitions } from './topicPartitions.ts'

/** Where a member is on its way from one assignment to the next; Kafka's names and numbers. */
export const MemberState = {
  /** It has what it is to have, as far as anybody has told it. */
  stable: 0,
  /** It has been told to give partitions up, and has not yet said that it did. */
  unrevokedPartitions: 1,
  /** It waits for partitions that others still have. */
  unreleasedPartitions: 2,
} as const

export type MemberState = (typeof MemberState)[keyof typeof MemberState]

/** Epochs with a meaning: what a member sends that joins, that leaves, or that will be back. */
export const joinEpoch = 0
export const leaveEpoch = -1
export const leaveStaticEpoch = -2

/** What a member says of itself. */
export interface MemberMetadata {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Sorted, each once. */
  readonly subscribedTopicNames: readonly string[]
  /** Null and '' are both for none. */
  readonly subscribedTopicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** Of a member that speaks the classic protocol (JoinGroup and SyncGroup). */
  readonly classic: ClassicMemberMetadata | null
}

export interface ClassicMemberMetadata {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
}

/** What a member has. */
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

/** As names are kept: sorted, each once. */
export function topicNames(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

/** A member costs this much besides what it says of itself. */
const overheadBytes = 512

/** About how much memory it takes to keep what a member says. */
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
