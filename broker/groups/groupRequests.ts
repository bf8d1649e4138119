// The requests of groups as their coordinator takes them, free of the versions of the wire
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
  /** From JoinGroup v4 on, a new member first gets its member id, and joins with it (KIP-394). */
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

/** The committer of offsets: a member in its generation (in a consumer group, its epoch). */
export interface Committer extends MemberIdentity {
  /** -1 when the committer is not a member. */
  readonly generationId: number
  /** Version of OffsetCommit: it decides which error codes the client knows. */
  readonly apiVersion: number
}
