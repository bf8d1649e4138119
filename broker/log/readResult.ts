// Results and options of reads: the types between a log and its readers. No behaviour.

import type { KnownEpochs } from './segment/soundBatches.ts'

export interface ReadResult {
  /** Kafka's error code: 0, or OFFSET_OUT_OF_RANGE. */
  readonly errorCode: number
  /** Whole batches; the first may begin below the requested offset. Read-only. */
  readonly bytes: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
  /** `read_committed` consumers read below it: all transactions that began there have ended. */
  readonly lastStableOffset: number
  /** Aborted transactions with records among `bytes`; undefined unless read up to `lastStable`. */
  readonly abortedTransactions: readonly AbortedTransaction[] | undefined
}

/** Consumers skip the producer's records from `firstOffset` up to its next abort marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/**
 * Consumers read up to the high watermark or, with `read_committed`, up to the last stable offset;
 * followers up to the end of the log.
 */
export type ReadBound = 'highWatermark' | 'lastStable' | 'logEnd'

/** Returns memory for `length` bytes, with arbitrary content. */
export type Allocate = (length: number) => Buffer

export interface ReadOptions {
  /** Return the first batch even if it is larger than `maxBytes`. Default: true. */
  readonly minOneBatch?: boolean
  /** Default: the high watermark. */
  readonly upTo?: ReadBound
  /** Allocates the memory that is read into, for callers that reuse it. Default: new memory. */
  readonly allocate?: Allocate
}

/** The limits of a read. */
export interface ReadLimits {
  readonly maxBytes: number
  readonly minOneBatch: boolean
  /** Only batches that end below this offset are returned. */
  readonly offset: number
  /** Only this many bytes of the active segment's file are read. */
  readonly activeBytes: number
  readonly allocate: Allocate
  /**
   * By the monotonic clock; undefined if batches must be checked even if they were checked before.
   */
  readonly nowMs: number | undefined
  /** The epochs of the log, which the epochs of batches are compared with. */
  readonly epochs: KnownEpochs | undefined
}

/** A record that was found by its timestamp. */
export interface TimestampedOffset {
  readonly offset: number
  readonly timestampMs: number
  /** The epoch of the leader that appended it. */
  readonly leaderEpoch: number
}
