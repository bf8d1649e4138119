// What reading a log answers: the words between the log and its callers.

import type { KnownEpochs } from './segment/soundBatches.ts'

export interface ReadResult {
  /** Kafka's error code: 0, or OFFSET_OUT_OF_RANGE. */
  readonly errorCode: number
  /** Whole batches; the first one may begin below the offset asked for. Not to be changed. */
  readonly bytes: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Below this every transaction has ended: where `read_committed` consumers stop. */
  readonly lastStableOffset: number
  /** Aborted transactions with records among `bytes`; undefined unless read up to `lastStable`. */
  readonly abortedTransactions: readonly AbortedTransaction[] | undefined
}

/** The producer's records from `firstOffset` up to its next abort marker are not to be seen. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/**
 * Consumers read up to the high watermark or, with `read_committed`, up to the last stable offset;
 * followers up to the end of the log.
 */
export type ReadBound = 'highWatermark' | 'lastStable' | 'logEnd'

/** Memory for `length` bytes to be read; what is in it is of no account. */
export type Allocate = (length: number) => Buffer

export interface ReadOptions {
  /** Return the first batch even when it is larger than `maxBytes`. True unless said otherwise. */
  readonly minOneBatch?: boolean
  /** The high watermark unless said otherwise. */
  readonly upTo?: ReadBound
  /** Where the bytes are read into: the caller knows when they are done with. New memory without. */
  readonly allocate?: Allocate
}

/** How far a read may go. */
export interface ReadLimits {
  readonly maxBytes: number
  readonly minOneBatch: boolean
  /** Only batches that end below this offset. */
  readonly offset: number
  /** How many bytes of the active segment's file are to be looked at. */
  readonly activeBytes: number
  readonly allocate: Allocate
  /** By the monotonic clock; undefined where nothing is to be believed because it was checked before. */
  readonly nowMs: number | undefined
  /** What the log knows of the epochs of its batches, which are compared with it. */
  readonly epochs: KnownEpochs | undefined
}

/** A record found by its timestamp. */
export interface TimestampedOffset {
  readonly offset: number
  readonly timestampMs: number
  /** The epoch of the leader that appended it. */
  readonly leaderEpoch: number
}
