// A group as its coordinator sees it, of either protocol. Classic members can be in groups of both
// kinds; ConsumerGroupHeartbeat is for consumer groups only. A group is a state machine: it changes
// only when it is called, and `takeEffects` returns what is to be done, in order. Times are
// monotonic milliseconds.
//
// Contract: an answer is returned only after the records that it depends on are
// durable, except that a classic generation is announced before it is written, as in Kafka. The
// state machines must never touch a log, a clock or a timer.

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
 * Since when the offsets of a group are unused, from which their retention counts: `time`, since
 * the group became empty; `commit`, since the commit of each offset, when nothing else is known;
 * `never`, when the group in its present state may still need them.
 */
export type OffsetsUnused =
  | { readonly since: 'time'; readonly ms: number }
  | { readonly since: 'commit' }
  | { readonly since: 'never' }

export interface Group {
  readonly groupId: string
  readonly type: GroupType
  /** The state under Kafka's name. */
  readonly state: string
  /** 'consumer' for consumers; null before the first member. */
  readonly protocolType: string | null
  /** Whether the group has no members, so that it may be deleted. */
  readonly isEmpty: boolean
  /**
   * Whether nothing of the group was written and no member is expected: it may be dropped without a
   * tombstone.
   */
  readonly isUntouched: boolean

  // Members of the classic protocol.

  join(nowMs: number, requestId: number, request: JoinRequest): void
  sync(nowMs: number, requestId: number, request: SyncRequest): void
  heartbeat(nowMs: number, identity: MemberIdentity, generationId: number): number
  /** Removes members; returns an error code for each. */
  leave(nowMs: number, members: readonly MemberIdentity[]): number[]

  // Admission: each returns a Kafka error code.

  /** Admits a commit, and renews the session of the member. */
  admitCommit(nowMs: number, committer: Committer): number
  /**
   * Admits a commit within a transaction, in which a producer commits for the member that it names
   * (KIP-447).
   */
  admitTransactionalCommit(member: MemberIdentity, generationId: number): number
  /** Admits the fetching of offsets. Callers that name no member pass null and epoch -1. */
  admitOffsetFetch(memberId: string | null, memberEpoch: number): number
  admitOffsetDelete(): number

  /** Whether a member consumes the topic, whose offsets are then neither deleted nor expired. */
  isSubscribedTo(topic: string): boolean
  offsetsUnused(): OffsetsUnused

  /** Returns when `tick` is due; Infinity for never. */
  nextDeadlineMs(): number
  tick(nowMs: number): void

  /** Returns the tombstones of the group's own records, which do not include its offsets. */
  tombstones(): readonly GroupRecord[]
  /** Continues after the write with this step, which is durable (0) or has failed. */
  written(nowMs: number, step: GroupStep, errorCode: number): void
  /** Ends the group: pending requests are answered with the error. */
  end(errorCode: number): void
  /** Returns, and forgets, the effects of the calls since the last `takeEffects`, in order. */
  takeEffects(): GroupEffect[]
}
