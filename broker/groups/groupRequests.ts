// The requests of groups as their coordinator takes them, independent of the versions of the wire
// protocol.

import type { CommittedOffset } from './groupRecords.ts'

/** An assignor that a member supports, with its metadata for the leader. */
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
  /**
   * Whether a new member is first given its member id and joins with it, as from JoinGroup v4 on
   * (KIP-394).
   */
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

/**
 * The committer of offsets: a member in its generation (in a consumer group: in its member epoch).
 */
export interface Committer extends MemberIdentity {
  /** -1 when the committer is not a member. */
  readonly generationId: number
  /** Version of OffsetCommit, which determines the error codes that the client knows. */
  readonly apiVersion: number
}
