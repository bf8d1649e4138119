// The cleaner's view of a log at one moment: the segments that may be cleaned, the transactions and
// producers that the cleaner has to know, and the replacement of segments. Nothing is replaced if
// the log was truncated, closed or deleted since.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Durability } from '../durability/durability.ts'
import type { LogConfig } from '../logConfig.ts'
import type { LogHousekeeping } from '../maintenance/logHousekeeping.ts'
import type { ProducerState } from '../producers/producerState.ts'
import type { IndexCache } from '../segment/indexes/indexCache.ts'
import type { AbortedTransactionEntry } from '../segment/indexes/transactionIndex.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import { Segment } from '../segment/segment.ts'
import { swapSegments } from '../segment/segmentSwap.ts'
import type { LastRecord } from './batchFilter.ts'
import type { CleanedSegment } from './cleanedSegment.ts'
import type { LogBounds } from './cleaningPlan.ts'

export interface CleanableLogDependencies {
  readonly disk: Disk
  readonly directory: string
  readonly config: LogConfig
  readonly bounds: LogBounds
  readonly segments: LogSegments
  readonly producers: ProducerState
  readonly housekeeping: LogHousekeeping
  readonly durability: Durability
  readonly cache: IndexCache
  /** Called with failures that are not those of the log's own writes. */
  readonly onFailure: (cause: unknown) => void
}

export class CleanableLog {
  readonly directory: string
  readonly config: LogConfig
  readonly bounds: LogBounds
  /** All segments but the active one. */
  readonly sealed: readonly Segment[]
  readonly #dependencies: CleanableLogDependencies

  constructor(dependencies: CleanableLogDependencies) {
    this.#dependencies = dependencies
    this.directory = dependencies.directory
    this.config = dependencies.config
    this.bounds = dependencies.bounds
    this.sealed = dependencies.segments.sealed()
  }

  /** Whether these segments are still part of the log. */
  holds(segments: readonly Segment[]): boolean {
    return this.#dependencies.segments.holds(segments)
  }

  /** Reports a failure during cleaning that may concern the whole log or disk. */
  report(cause: unknown): void {
    this.#dependencies.onFailure(cause)
  }

  /** The last batch or marker in the log of each remembered producer. */
  lastRecords(): Map<number, LastRecord> {
    const last = new Map<number, LastRecord>()
    for (const { producerId, producerEpoch, batches } of this.#dependencies.producers.entries()) {
      last.set(producerId, { producerEpoch, lastDataOffset: batches.at(-1)?.lastOffset })
    }
    return last
  }

  /** The aborted transactions that begin below `endOffset`, wherever their markers are. */
  async abortedTransactions(endOffset: number): Promise<AbortedTransactionEntry[]> {
    const found: AbortedTransactionEntry[] = []
    for (const segment of this.#dependencies.segments.from(this.sealed[0]!)) {
      const index = await segment.abortedTransactions()
      for (let number = 0; number < index.count; number++) {
        const transaction = index.at(number)
        if (transaction.firstOffset < endOffset) found.push(transaction)
      }
    }
    return found
  }

  /**
   * Replaces `old` by the finished segment; returns false if they are not part of the log any more.
   */
  replace(old: readonly Segment[], cleaned: CleanedSegment): Promise<boolean> {
    const { disk, directory, config, cache, segments, housekeeping, durability } =
      this.#dependencies
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
