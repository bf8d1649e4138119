// Reading one log: how far which reader may go, and what a reader is told beside the bytes. It asks
// the log anew at every step, for records may be deleted while others are being read.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { endOfBatches } from './batchWalk.ts'
import { LogError } from './logError.ts'
import type { LogSegments } from './logSegments.ts'
import type {
  AbortedTransaction,
  ReadBound,
  ReadOptions,
  ReadResult,
  TimestampedOffset,
} from './readResult.ts'
import type { OffsetRange } from './timestampSearch.ts'

/** A log as it is at one moment. */
export interface LogView {
  readonly segments: LogSegments
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** What is durable: up to which offset, and up to where in the active segment's file. */
  readonly stableEnd: number
  readonly stablePosition: number
}

const noBytes = Buffer.alloc(0)

export class LogReader {
  readonly #look: () => LogView
  readonly #damaged: (damage: LogError) => void

  /** `damaged` is told of bytes that are not as they were written; the read fails with the same. */
  constructor(look: () => LogView, damaged: (damage: LogError) => void) {
    this.#look = look
    this.#damaged = damaged
  }

  /** See `PartitionLog.read`. */
  async read(offset: number, maxBytes: number, options: ReadOptions): Promise<ReadResult> {
    const {
      upTo = 'highWatermark',
      minOneBatch = true,
      allocate = Buffer.allocUnsafeSlow,
    } = options
    const view = this.#look()
    const limit = boundOf(view, upTo)
    const noneAborted = upTo === 'lastStable' ? [] : undefined
    if (offset < view.logStartOffset || offset > view.logEndOffset) {
      return this.#result(ErrorCode.offsetOutOfRange, noBytes, noneAborted)
    }
    if (offset >= limit) return this.#result(ErrorCode.none, noBytes, noneAborted)
    try {
      const { segments, stableEnd, stablePosition } = view
      const activeBytes = limit <= stableEnd ? stablePosition : segments.active.sizeBytes
      const limits = { maxBytes, minOneBatch, offset: limit, activeBytes, allocate }
      const bytes = await segments.read(offset, limits)
      const aborted = noneAborted && (await abortedAmong(segments, offset, bytes))
      return this.#result(ErrorCode.none, bytes, aborted)
    } catch (error) {
      const { logStartOffset, segments } = this.#look()
      // Deleted, or opened again, under the read.
      if (offset < logStartOffset) {
        return this.#result(ErrorCode.offsetOutOfRange, noBytes, noneAborted)
      }
      if (segments !== view.segments) return await this.read(offset, maxBytes, options)
      this.#notice(error, view)
    }
  }

  offsetForTimestamp(timestampMs: number, upTo: ReadBound): Promise<TimestampedOffset | undefined> {
    const view = this.#look()
    const found = view.segments.offsetForTimestamp(timestampMs, rangeOf(view, upTo))
    return found.catch((error) => this.#notice(error, view))
  }

  offsetOfMaxTimestamp(upTo: ReadBound): Promise<TimestampedOffset | undefined> {
    const view = this.#look()
    const found = view.segments.offsetOfMaxTimestamp(rangeOf(view, upTo))
    return found.catch((error) => this.#notice(error, view))
  }

  /** Damage is only that of the files that are still the log's. */
  #notice(error: unknown, { segments }: LogView): never {
    const isCorrupt = error instanceof LogError && error.code === 'LOG_CORRUPT'
    if (isCorrupt && segments === this.#look().segments) this.#damaged(error)
    throw error
  }

  #result(
    errorCode: number,
    bytes: Buffer,
    abortedTransactions: readonly AbortedTransaction[] | undefined,
  ): ReadResult {
    const { highWatermark, logStartOffset, lastStableOffset } = this.#look()
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
  return { from: view.logStartOffset, until: boundOf(view, upTo) }
}

async function abortedAmong(
  segments: LogSegments,
  offset: number,
  bytes: Buffer,
): Promise<AbortedTransaction[]> {
  if (bytes.length === 0) return []
  return await segments.abortedTransactions(offset, endOfBatches(bytes))
}
