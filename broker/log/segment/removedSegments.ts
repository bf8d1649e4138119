// Segments that were removed from a log: their files are renamed immediately, so that a restart
// does not open them, and deleted after file.delete.delay.ms, so that reads in progress can finish.
// Files left by a crash are deleted when the log is opened. Never touches a segment that is still
// in the log.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { LogFigures } from '../logFigures.ts'
import type { Segment } from './segment.ts'

export interface RemovedSegmentsOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly directory: string
  readonly figures?: LogFigures | undefined
}

interface Batch {
  readonly segments: readonly Segment[]
  readonly timer: Timer
}

export class RemovedSegments {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #directory: string
  readonly #figures: LogFigures | undefined
  /** Created lazily: with thousands of logs, most have nothing to remove. */
  #waiting: Set<Batch> | undefined
  #removing: Promise<void> | undefined

  constructor({ disk, clock, logger, directory, figures }: RemovedSegmentsOptions) {
    this.#figures = figures
    this.#disk = disk
    this.#clock = clock
    this.#logger = logger
    this.#directory = directory
  }

  /** Renames the files of the segments, durably, and deletes them after the delay. */
  async add(segments: readonly Segment[], delayMs: number): Promise<void> {
    if (segments.length === 0) return
    for (const segment of segments) await segment.markDeleted()
    await this.#disk.syncDirectory(this.#directory)
    if (this.#figures) {
      this.#figures.deletedSegments += segments.length
      for (const { sizeBytes } of segments) this.#figures.deletedBytes += sizeBytes
    }
    const timer = this.#clock.setTimer(delayMs, () => this.#remove(batch))
    const batch: Batch = { segments, timer }
    this.#waiting ??= new Set()
    this.#waiting.add(batch)
  }

  /** Deletes all pending segments without delay. */
  async close(): Promise<void> {
    for (const batch of this.#waiting ?? []) this.#remove(batch)
    await this.#removing
  }

  #remove(batch: Batch): void {
    batch.timer.cancel()
    this.#waiting?.delete(batch)
    const before = this.#removing
    this.#removing = this.#removeFiles(batch.segments, before)
  }

  async #removeFiles(segments: readonly Segment[], before?: Promise<void>): Promise<void> {
    await before
    for (const segment of segments) {
      try {
        await segment.retire()
        await segment.remove()
      } catch (error) {
        // The log does not use them: the next start retries.
        this.#logger.warn(
          { error, path: segment.path },
          'failed to remove the files of a deleted segment; the next start retries',
        )
      }
    }
  }
}
