// A log as the cleaner sees it, at one moment: what may be cleaned of it, what the cleaner has to
// know of its transactions and producers, and the way back in for what was cleaned. When the log
// has been cut, closed or deleted since, nothing is put back.

import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { Durability } from '../durability/durability.ts'
import type { LogConfig } from '../logConfig.ts'
import type { LogHousekeeping } from '../maintenance/logHousekeeping.ts'
import type { ProducerState } from '../producers/producerState.ts'
import type { IndexCache } from '../segment/indexCache.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import { Segment } from '../segment/segment.ts'
import { swapSegments } from '../segment/segmentSwap.ts'
import type { AbortedTransactionEntry } from '../segment/transactionIndex.ts'
import type { LastRecord } from './batchFilter.ts'
import type { CleanedSegment } from './cleanedSegment.ts'
import type { LogBounds } from './cleaningPlan.ts'

export interface CleanableLogParts {
  readonly disk: Disk
  readonly directory: string
  readonly config: LogConfig
  readonly bounds: LogBounds
  readonly segments: LogSegments
  readonly producers: ProducerState
  readonly housekeeping: LogHousekeeping
  readonly durability: Durability
  readonly cache: IndexCache
  /** Told of what went wrong beside the log's own writes. */
  readonly noticed: (cause: unknown) => void
}

export class CleanableLog {
  readonly directory: string
  readonly config: LogConfig
  readonly bounds: LogBounds
  /** All segments but the one that is appended to. */
  readonly sealed: readonly Segment[]
  readonly #parts: CleanableLogParts

  constructor(parts: CleanableLogParts) {
    this.#parts = parts
    this.directory = parts.directory
    this.config = parts.config
    this.bounds = parts.bounds
    this.sealed = parts.segments.sealed()
  }

  /** Whether these segments are still the log's. */
  holds(segments: readonly Segment[]): boolean {
    return this.#parts.segments.holds(segments)
  }

  /** What the cleaner came upon, which may concern more than the cleaning. */
  noticed(cause: unknown): void {
    this.#parts.noticed(cause)
  }

  /** The last thing in the log of each producer that is remembered. */
  lastRecords(): Map<number, LastRecord> {
    const last = new Map<number, LastRecord>()
    for (const { producerId, producerEpoch, batches } of this.#parts.producers.entries()) {
      last.set(producerId, { producerEpoch, lastDataOffset: batches.at(-1)?.lastOffset })
    }
    return last
  }

  /** The aborted transactions that begin below `endOffset`, wherever their markers are. */
  async abortedTransactions(endOffset: number): Promise<AbortedTransactionEntry[]> {
    const found: AbortedTransactionEntry[] = []
    for (const segment of this.#parts.segments.from(this.sealed[0]!)) {
      const index = await segment.abortedTransactions()
      for (let number = 0; number < index.count; number++) {
        const transaction = index.at(number)
        if (transaction.firstOffset < endOffset) found.push(transaction)
      }
    }
    return found
  }

  /**
   * Puts the finished segment in the place of `old`; false when those are not the log's any more.
   */
  replace(old: readonly Segment[], cleaned: CleanedSegment): Promise<boolean> {
    const { disk, directory, config, cache, segments, housekeeping, durability } = this.#parts
    const { nextOffset } = old.at(-1)!
    const { baseOffset, sizeBytes } = cleaned
    const replacement = new Segment({
      disk,
      directory,
      baseOffset,
      sizeBytes,
      nextOffset,
      indexes: undefined,
      savedEntries: { offsets: 0, times: 0 },
      cache,
      indexIntervalBytes: config.indexIntervalBytes,
    })
    return housekeeping.replace(segments, old, replacement, async () => {
      await durability.beforeReplace(old.at(-1)!.baseOffset)
      await swapSegments(disk, directory, { baseOffset, nextOffset })
    })
  }
}
