// The files of one log while the log is open: writes groups of appends to the active segment,
// starts the next segment, and tells the watermarks what is stable. Recovery finds out what the
// files contain: at the start, after a truncation, and after a full disk. Invariants: at most one
// segment is being sealed, so that a slow disk slows the appends down; nothing is shown as stable
// before the flush policy has made it durable.

import { basename, join } from 'node:path'
import type { LogTail } from './append/logTail.ts'
import { type Durability, durabilityOf } from './durability/durability.ts'
import { defaultLogConfig, type LogConfig } from './logConfig.ts'
import { LogHousekeeping } from './maintenance/logHousekeeping.ts'
import type { PartitionLogOptions } from './partitionLogOptions.ts'
import type { Watermarks } from './read/watermarks.ts'
import type { RecoveredLog } from './recovery/logRecovery.ts'
import { IndexCache } from './segment/indexes/indexCache.ts'
import type { AbortedTransactionEntry } from './segment/indexes/transactionIndex.ts'
import { LogSegments } from './segment/logSegments.ts'
import { RemovedSegments } from './segment/removedSegments.ts'
import type { Roll } from './segment/rollPolicy.ts'
import { type LogPlace, Segment } from './segment/segment.ts'
import { leaderEpochFileName } from './segment/segmentFiles.ts'

/** What the log decides about its files. */
export interface LogOfFiles {
  readonly watermarks: Watermarks
  tail(): LogTail
  /** A write has failed. */
  writeFailed(cause: unknown): void
}

export class LogFiles {
  readonly durability: Durability
  /** Replaced when the files were recovered again. */
  segments!: LogSegments
  housekeeping: LogHousekeeping
  config: LogConfig
  readonly #options: PartitionLogOptions
  readonly #log: LogOfFiles
  readonly #cache: IndexCache
  readonly #removed: RemovedSegments

  constructor(options: PartitionLogOptions, log: LogOfFiles) {
    this.#options = options
    this.#log = log
    this.config = options.config ?? defaultLogConfig
    this.#cache = options.indexCache ?? new IndexCache()
    this.#removed = new RemovedSegments(options)
    this.housekeeping = this.#newHousekeeping(options.recoveryPoint ?? 0)
    this.durability = durabilityOf(
      this.config.flush,
      basename(options.directory),
      options,
      (cause) => log.writeFailed(cause),
    )
  }

  /** Where segments of the log are opened and created. */
  get place(): LogPlace {
    const { disk, directory } = this.#options
    return { disk, directory, config: this.config, cache: this.#cache }
  }

  /** Continues with the files that recovery has found. */
  adopt({ segments, nextOffset, producers }: RecoveredLog, logStartOffset: number): void {
    const { disk, directory } = this.#options
    this.segments = new LogSegments(disk, directory, segments)
    const { transactions } = producers
    this.#log.watermarks.begin({ logStartOffset, endOffset: nextOffset, transactions })
    this.#noteStable()
  }

  /** Appends a group to the active segment; resolves when it is stable by the flush policy. */
  async write(
    chunks: readonly Buffer[],
    aborted: readonly AbortedTransactionEntry[],
  ): Promise<void> {
    const { active } = this.segments
    // Damage at the end of the segment must be found before the journal has bytes that follow it.
    if (active.isAsleep) await active.indexes()
    const start = active.sizeBytes
    await this.durability.append(active, chunks)
    active.noteChecked(start, this.#options.clock.monotonicMs())
    active.noteAborted(aborted)
    if (active.indexesFull(this.config.segmentIndexBytes)) {
      this.#log.tail().indexesFull(active.baseOffset)
    }
    this.#noteStable()
  }

  /** Starts the next segment; the one before is sealed in the background. */
  async startSegment({ baseOffset, snapshot }: Roll): Promise<void> {
    await this.housekeeping.idle
    const sealed = this.segments.active
    this.segments.add(await Segment.create(this.place, baseOffset))
    this.#noteStable()
    void this.housekeeping.seal(sealed, baseOffset, snapshot)
  }

  /** Writes the leader epoch checkpoint. */
  async saveLeaderEpochs(content: Buffer): Promise<void> {
    const { disk, directory } = this.#options
    await disk.writeFileAtomic(join(directory, leaderEpochFileName), content)
  }

  /**
   * Removes what a failed write has left behind the stable end. Nothing may be writing. The files
   * must be recovered and adopted again.
   */
  async cutToStable(): Promise<void> {
    const { stablePosition } = this.#log.watermarks
    await this.housekeeping.stop()
    await this.segments.writeStaged()
    const { active } = this.segments
    await this.durability.beforeCut(active.baseOffset, stablePosition)
    await active.cutTo(stablePosition)
    this.housekeeping = this.#newHousekeeping(this.housekeeping.recoveryPoint)
  }

  async close(): Promise<void> {
    await this.housekeeping.stop()
    await this.#removed.close()
    await this.segments.close()
  }

  #noteStable(): void {
    const { active } = this.segments
    this.#log.watermarks.noteStable(active.nextOffset, active.sizeBytes)
  }

  #newHousekeeping(recoveryPoint: number): LogHousekeeping {
    const { disk, directory } = this.#options
    const failed = (cause: unknown) => this.#log.writeFailed(cause)
    return new LogHousekeeping({ disk, directory, recoveryPoint, removed: this.#removed, failed })
  }
}
