// Reads one log: applies the bound of the reader, and returns the watermarks with the bytes. Looks
// at the log anew at every step, because records may be deleted or truncated while others are read.
// Invariant: returns no byte at or above the bound.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type {
  AbortedTransaction,
  ReadBound,
  ReadOptions,
  ReadResult,
  TimestampedOffset,
} from '../readResult.ts'
import { endOfBatches } from '../segment/batchWalk.ts'
import type { OffsetRange } from '../segment/indexes/timestampSearch.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import type { KnownEpochs } from '../segment/soundBatches.ts'

/** The state of a log at one moment. */
export interface LogView {
  readonly segments: LogSegments
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** The durable end: as an offset, and as a position in the file of the active segment. */
  readonly stableEnd: number
  readonly stablePosition: number
  /** By the monotonic clock. */
  readonly nowMs: number
  readonly epochs: KnownEpochs
}

const noBytes = Buffer.alloc(0)

/** The log that is read. */
export interface ReadableLog {
  look(): LogView
  /** Resolves when the truncation in progress has ended; undefined without one. Never rejects. */
  cutting(): Promise<void> | undefined
  /** Called with the cause of a failed read; returns the error for the caller. */
  failed(cause: unknown): unknown
}

export class LogReader {
  readonly #log: ReadableLog

  constructor(log: ReadableLog) {
    this.#log = log
  }

  /** See `PartitionLog.read`. */
  async read(offset: number, maxBytes: number, options: ReadOptions): Promise<ReadResult> {
    const {
      upTo = 'highWatermark',
      minOneBatch = true,
      allocate = Buffer.allocUnsafeSlow,
    } = options
    const view = this.#log.look()
    const limit = boundOf(view, upTo)
    const noneAborted = upTo === 'lastStable' ? [] : undefined
    if (offset < view.logStartOffset || offset > view.logEndOffset) {
      return this.#result(ErrorCode.offsetOutOfRange, noBytes, noneAborted)
    }
    const isFull = maxBytes <= 0 && !minOneBatch
    if (offset >= limit || isFull) return this.#result(ErrorCode.none, noBytes, noneAborted)
    try {
      const { segments, stableEnd, stablePosition, epochs, nowMs } = view
      const activeBytes = limit <= stableEnd ? stablePosition : segments.active.sizeBytes
      const bounds = { maxBytes, minOneBatch, offset: limit, activeBytes }
      const limits = { ...bounds, allocate, epochs, nowMs }
      const bytes = await segments.read(offset, limits)
      const aborted = noneAborted && (await abortedAmong(segments, offset, bytes))
      return this.#result(ErrorCode.none, bytes, aborted)
    } catch (error) {
      // The records were deleted, or the log was truncated, during the read.
      const hasChanged = await this.#hasChanged(view)
      if (offset < this.#log.look().logStartOffset) {
        return this.#result(ErrorCode.offsetOutOfRange, noBytes, noneAborted)
      }
      if (hasChanged) return await this.read(offset, maxBytes, options)
      throw this.#log.failed(error)
    }
  }

  offsetForTimestamp(timestampMs: number, upTo: ReadBound): Promise<TimestampedOffset | undefined> {
    return this.#search(upTo, (segments, range) => segments.offsetForTimestamp(timestampMs, range))
  }

  offsetOfMaxTimestamp(upTo: ReadBound): Promise<TimestampedOffset | undefined> {
    return this.#search(upTo, (segments, range) => segments.offsetOfMaxTimestamp(range))
  }

  /** Searches again when the log was truncated, or its start deleted, during the search. */
  async #search(
    upTo: ReadBound,
    search: (segments: LogSegments, range: OffsetRange) => Promise<TimestampedOffset | undefined>,
  ): Promise<TimestampedOffset | undefined> {
    const view = this.#log.look()
    const range = rangeOf(view, upTo)
    try {
      return await search(view.segments, range)
    } catch (error) {
      if (await this.#hasChanged(view)) return await this.#search(upTo, search)
      if (this.#log.look().logStartOffset > range.from) return await this.#search(upTo, search)
      throw this.#log.failed(error)
    }
  }

  /** Whether the log was truncated since, or is being truncated. */
  async #hasChanged({ segments }: LogView): Promise<boolean> {
    await this.#log.cutting()
    return this.#log.look().segments !== segments
  }

  #result(
    errorCode: number,
    bytes: Buffer,
    abortedTransactions: readonly AbortedTransaction[] | undefined,
  ): ReadResult {
    const { highWatermark, logStartOffset, lastStableOffset } = this.#log.look()
    return {
      errorCode,
      bytes,
      highWatermark,
      logStartOffset,
      lastStableOffset,
      abortedTransactions,
    }
  }
}

function boundOf(view: LogView, upTo: ReadBound): number {
  if (upTo === 'logEnd') return view.logEndOffset
  return upTo === 'lastStable' ? view.lastStableOffset : view.highWatermark
}

function rangeOf(view: LogView, upTo: ReadBound): OffsetRange {
  return { from: view.logStartOffset, until: boundOf(view, upTo), epochs: view.epochs }
}

async function abortedAmong(
  segments: LogSegments,
  offset: number,
  bytes: Buffer,
): Promise<AbortedTransaction[]> {
  if (bytes.length === 0) return []
  return await segments.abortedTransactions(offset, endOfBatches(bytes))
}
