// What the coordinator needs of a group, whichever protocol its members speak. Members of the classic
// protocol can be in groups of both kinds; ConsumerGroupHeartbeat is for the other kind alone. A group
// is a state machine: it changes only when it is called, and puts what is to be done into the list of
// effects that it was made with.
//
// Times are monotonic milliseconds.

import type { GroupRecord } from './groupRecords.ts'
import type { Committer, JoinRequest, MemberIdentity, SyncRequest } from './groupRequests.ts'

export type GroupType = 'classic' | 'consumer'

/** Of groups of the classic protocol. */
export interface GroupLimits {
  readonly initialRebalanceDelayMs: number
  readonly maxSize: number
}

/**
 * Since when a group's offsets have not been needed: since a time (nobody is in the group any more),
 * since each was committed (nobody says otherwise), or they are needed as long as the group is as it is.
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
  /** Nobody is in it: it may be deleted. */
  readonly isEmpty: boolean
  /** Nothing has been written of it and nobody is expected: it may be forgotten without a trace. */
  readonly isUntouched: boolean

  // Members of the classic protocol.

  join(nowMs: number, requestId: number, request: JoinRequest): void
  sync(nowMs: number, requestId: number, request: SyncRequest): void
  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number
  /** An error code for each member. */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[]

  // Each of these is asked before something is done, and answers with a Kafka error code.

  /** A member that may commit has been heard of. */
  admitCommit(nowMs: number, committer: Committer): number
  /** The same within a transaction: a producer may commit for whoever it says it is (KIP-447). */
  admitTransactionalCommit(member: MemberIdentity, generationId: number): number
  /** `memberId` null and epoch -1 are for anybody, inside the group or not. */
  admitOffsetFetch(memberId: string | null, memberEpoch: number): number
  admitOffsetDelete(): number

  /** Such a topic's offsets are neither deleted nor do they expire. */
  isSubscribedTo(topic: string): boolean
  offsetsUnused(): OffsetsUnused

  /** When `tick` has something to do; Infinity for never. */
  nextDeadlineMs(): number
  tick(nowMs: number): void

  /** What takes all of the group's own records out of the log; its offsets are the coordinator's. */
  tombstones(): readonly GroupRecord[]
  /** Ends the group: whoever waits is sent away with this error. */
  end(errorCode: number): void
}
