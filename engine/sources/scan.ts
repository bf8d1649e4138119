// Offset ranges, requests to read one as rows, and reports of rejected records. Plain values: they
// are sent to executors and stored in the offset log.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import type { RowFormat } from '../rows/csv.ts'

/** Offsets [from, until) of one topic partition, fixed before a batch runs. */
export interface OffsetRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly until: number
  /**
   * Id of the topic: a topic that is deleted and created again has a new one. Undefined in ranges
   * planned by versions that stored no ids, and for brokers that have none.
   */
  readonly topicId?: string | undefined
  /**
   * Part of the range, because a batch that runs again or leaves a window must read the same
   * records. Undefined in ranges planned by versions that did not store it; those were read
   * uncommitted.
   */
  readonly isolation?: Isolation | undefined
}

/** A range that was read to its end, with the number of its records. */
export interface RangeRead {
  readonly range: OffsetRange
  readonly records: number
  /** Bytes of the record batches that hold them, as fetched (compressed if they were). */
  readonly bytes?: number
}

/** The policy for a record at which the job's code or the row format fails. */
export type OnRecordError = 'fail' | 'skip' | { readonly deadLetter: string }

/** A record rejected from a batch. Plain data: it is sent between threads. */
export interface RejectedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly onError: Exclude<OnRecordError, 'fail'>
  /** The error and the line of the job that caused it, without data of the record. */
  readonly error: string
  /** Only for records that go to a dead letter topic. */
  readonly record?: {
    readonly key: Uint8Array | null
    readonly value: Uint8Array | null
    readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  }
}

/**
 * Offsets of rejected records of one topic partition: bit i (of byte i >> 3, lowest bit first)
 * stands for offset `from + i`. Plain data: it is sent between threads.
 */
export interface RejectedOffsets {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly bits: Uint8Array
}

/** A range as a map key. */
export function rangeKey({ topic, partition, from, until, topicId }: OffsetRange): string {
  return `${topic}/${partition}/${from}/${until}/${topicId}`
}

/**
 * A request to read a range as rows of one format. Scans with equal ranges and formats may be
 * shared.
 */
export interface Scan {
  readonly range: OffsetRange
  readonly format: RowFormat<unknown>
  /** Policy for a record at which the format or an operator fails; `fail` by default. */
  readonly onError?: OnRecordError | undefined
}

/** Receives a rejected record. `record` is valid only during the call. */
export type Reject = (record: RejectedRecord) => void

/** The smaller of two timestamps; undefined stands for none. */
export function olderTimestamp(
  one: number | undefined,
  other: number | undefined,
): number | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}
