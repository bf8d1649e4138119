// What the group state machine is asked, with the wire's versions and nullable corners behind it.

import type { CommittedOffset } from './groupRecords.ts'

/** An assignor that a member speaks, with what it tells the leader in that assignor's words. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly MemberProtocol[]
  /** From JoinGroup v4 a new member is first told its id, and joins with it (KIP-394). */
  readonly requireKnownMemberId: boolean
  readonly supportsSkippingAssignment: boolean
}

export interface MemberIdentity {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface SyncRequest extends MemberIdentity {
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly value: CommittedOffset
}

/** Who commits offsets: a member in its generation (of a consumer group, its epoch). */
export interface Committer extends MemberIdentity {
  /** -1 when it is not a member that commits. */
  readonly generationId: number
  /** Of OffsetCommit: what a member can be told has changed. */
  readonly apiVersion: number
}
