// A group as its coordinator sees it, whichever protocol its members speak. Members of the classic
// protocol can be in groups of both kinds; ConsumerGroupHeartbeat is for consumer groups alone. A
// group is a state machine: it changes only when it is called, and `takeEffects` returns what is to
// be done, in order.
//
// Times are monotonic milliseconds.

import type { GroupEffect, GroupStep } from './groupOutcome.ts'
import type { GroupRecord } from './groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'

export type GroupType = 'classic' | 'consumer'

/** Limits of classic groups. */
export interface GroupLimits {
  readonly initialRebalanceDelayMs: number
  readonly maxSize: number
}

/**
 * Since when a group's offsets have not been needed: since the group is empty, since each was
 * committed (nothing says otherwise), or never: they are needed as long as the group is in this
 * state.
 */
export type OffsetsUnused =
  | { readonly since: 'time'; readonly ms: number }
  | { readonly since: 'commit' }
  | { readonly since: 'never' }

export interface Group {
  readonly groupId: string
  readonly type: GroupType
  /** Kafka's name for it. */
  readonly state: string
  /** 'consumer' for consumers; null before the first member. */
  readonly protocolType: string | null
  /** The group has no members: it may be deleted. */
  readonly isEmpty: boolean
  /**
   * Nothing of the group was written and no member is expected: it may be dropped without a trace.
   */
  readonly isUntouched: boolean

  // Members of the classic protocol.

  join(nowMs: number, requestId: number, request: JoinRequest): void
  sync(nowMs: number, requestId: number, request: SyncRequest): void
  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number
  /** An error code for each member. */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[]

  // Admission: each returns a Kafka error code.

  /** Renews the session of a member that may commit. */
  admitCommit(nowMs: number, committer: Committer): number
  /** The same within a transaction: a producer commits for the member that it names (KIP-447). */
  admitTransactionalCommit(member: MemberIdentity, generationId: number): number
  /** `memberId` null and epoch -1 are for callers that do not name a member. */
  admitOffsetFetch(memberId: string | null, memberEpoch: number): number
  admitOffsetDelete(): number

  /** Offsets of a subscribed topic are not deleted and do not expire. */
  isSubscribedTo(topic: string): boolean
  offsetsUnused(): OffsetsUnused

  /** When `tick` is due; Infinity for never. */
  nextDeadlineMs(): number
  tick(nowMs: number): void

  /** The tombstones of all of the group's own records; offsets are not among them. */
  tombstones(): readonly GroupRecord[]
  /** The write with this step is durable (0), or has failed. */
  written(nowMs: number, step: GroupStep, errorCode: number): void
  /** Ends the group: requests that wait are answered with this error. */
  end(errorCode: number): void
  /** What the calls since the last time have decided, in order. */
  takeEffects(): GroupEffect[]
}
