// What an offset range is, and a request to read one as rows. Plain values: they travel to executors
// and into the offset log.

import type { Isolation } from '../../protocol/client/isolation.ts'
import type { RowFormat } from '../rows/csv.ts'

/** Offsets [from, until) of one topic partition, fixed before a batch runs. */
export interface OffsetRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly until: number
  /**
   * Which topic of that name: one that is deleted and created again has another id. Undefined in
   * ranges that were planned before ids were kept, and with brokers that have none.
   */
  readonly topicId?: string | undefined
  /**
   * Part of the range, because a batch that is run again, or that leaves a window, must have the same
   * records. Undefined in ranges planned before it was kept: those were read uncommitted.
   */
  readonly isolation?: Isolation | undefined
}

/** A range that was read to its end, and how many records it had. */
export interface RangeRead {
  readonly range: OffsetRange
  readonly records: number
  /** Of the record batches that hold them, as they were fetched: compressed ones count compressed. */
  readonly bytes?: number
}

/** What becomes of a record at which the job's code or the row format fails. */
export type OnRecordError = 'fail' | 'skip' | { readonly deadLetter: string }

/** A record that was left out of a batch. Plain: it crosses threads. */
export interface RejectedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly onError: Exclude<OnRecordError, 'fail'>
  /** What failed, with the line of the job; without data of the record. */
  readonly error: string
  /** Only of records that go to a dead letter topic. */
  readonly record?: {
    readonly key: Uint8Array | null
    readonly value: Uint8Array | null
    readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  }
}

/**
 * Offsets of rejected records of one topic partition: bit i (of byte i >> 3, the lowest bit first) stands
 * for offset `from + i`. Plain: it crosses threads.
 */
export interface RejectedOffsets {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly bits: Uint8Array
}

/** A range as the key of a map. */
export function rangeKey({ topic, partition, from, until, topicId }: OffsetRange): string {
  return `${topic}/${partition}/${from}/${until}/${topicId}`
}

/** Reads a range as rows of one format. Scans with equal ranges and formats may be shared. */
export interface Scan {
  readonly range: OffsetRange
  readonly format: RowFormat<unknown>
  /** What becomes of a record at which the format or an operator fails; the task fails unless given. */
  readonly onError?: OnRecordError | undefined
}

/** Takes the record that the policy of its source leaves out. `record` is valid during the call only. */
export type Reject = (record: RejectedRecord) => void

/** The smaller of two timestamps, where undefined stands for none. */
export function olderTimestamp(
  one: number | undefined,
  other: number | undefined,
): number | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}
