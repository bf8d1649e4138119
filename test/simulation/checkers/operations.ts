// The operations of a history: what the clients of a log asked for and what they were answered, as
// plain data. The words are Jepsen's and Kafka's.
//
// Contract: every value is sent at most once to a partition, so that a value names its send. One
// process is one client at a time: its sends to a partition are in the order of their invocations.

import type { PartitionName, Value } from './value.ts'

export type Offsets = Readonly<Record<PartitionName, number>>

export type OffsetAndValue = readonly [offset: number, value: Value]

/** `offset` is present when the answer said where the value lies. */
export interface Send {
  readonly kind: 'send'
  readonly partition: PartitionName
  readonly value: Value
  readonly offset?: number
  /** Time in ms that the client allows for the answer; unlimited unless given. */
  readonly timeoutMs?: number
}

/** One call of `poll`: everything that it returned, in the order in which it was returned. */
export interface Poll {
  readonly kind: 'poll'
  readonly records: Readonly<Record<PartitionName, readonly OffsetAndValue[]>>
  /** The consumer's position after the poll: the offset that it fetches next. */
  readonly positions?: Offsets
}

/** Offsets committed for a group, by itself or as a part of a transaction. */
export interface OffsetCommit {
  readonly kind: 'commit'
  readonly group: string
  readonly generation?: number
  readonly offsets: Offsets
}

export type TransactionStep = Send | Poll | OffsetCommit

/**
 * A transaction. `end` is what the client asked for: one that is `ok` ended so; one that is `fail`
 * is aborted for certain; one that is `info` with `end: 'commit'` may have been committed.
 */
export interface Transaction {
  readonly kind: 'txn'
  readonly transactionalId?: string
  readonly steps: readonly TransactionStep[]
  readonly end: 'commit' | 'abort'
  /** When the end was asked for, by the clock of the history: before that nobody may see a step. */
  readonly endTimeMs?: number
}

/**
 * Replaces the partitions of the process. Positions of partitions that it already had stay, those
 * of partitions named in `seeks` start anew.
 */
export interface Assign {
  readonly kind: 'assign'
  readonly partitions: readonly PartitionName[]
  readonly seeks?: readonly PartitionName[]
}

/** The consumer's position was set on purpose, or by `auto.offset.reset`. */
export interface Seek {
  readonly kind: 'seek'
  readonly positions: Offsets
}

export interface Subscribe {
  readonly kind: 'subscribe'
  readonly group: string
  readonly topics: readonly string[]
}

/**
 * The member joined a generation: partitions that it gave up (or lost), then those that it got. A
 * partition in both was given up and assigned again, and starts at its committed offset.
 */
export interface Rebalance {
  readonly kind: 'rebalance'
  readonly group: string
  readonly generation: number
  readonly revoked: readonly PartitionName[]
  readonly assigned: readonly PartitionName[]
}

/** The process stopped without closing anything: its open operations are never answered. */
export interface Crash {
  readonly kind: 'crash'
}

/** The committed offsets that a group was given; -1 means that there is none. */
export interface OffsetFetch {
  readonly kind: 'committed'
  readonly group: string
  readonly offsets: Offsets
}

/** The group's committed offsets were set by an administrator: they may go back. */
export interface OffsetReset {
  readonly kind: 'resetOffsets'
  readonly group: string
  readonly offsets: Offsets
}

export interface Watermarks {
  readonly logStartOffset?: number
  readonly lastStableOffset?: number
  readonly highWatermark?: number
  /** Compaction may have removed values below this offset. */
  readonly compactedTo?: number
}

/** What a process saw of the state of logs, in a Fetch or ListOffsets response. */
export interface Observation {
  readonly kind: 'watermarks'
  readonly partitions: Readonly<Record<PartitionName, Watermarks>>
}

/**
 * `liveness`: from here on the system is healed, and every produce has to be answered. `caughtUp`:
 * everything acknowledged before this mark had the chance to be polled.
 */
export interface Mark {
  readonly kind: 'mark'
  readonly name: 'liveness' | 'caughtUp'
}

export type Operation =
  | Send
  | Poll
  | Transaction
  | Assign
  | Seek
  | Subscribe
  | Rebalance
  | Crash
  | OffsetCommit
  | OffsetFetch
  | OffsetReset
  | Observation
  | Mark
