// The background work of one log that keeps recovery short: saves indexes and producer state, and
// advances the recovery point. Tasks run one after another. Invariant: the recovery point is never
// ahead of what is synced.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import type { RemovedSegments } from '../segment/removedSegments.ts'
import type { Segment } from '../segment/segment.ts'
import { offsetsOfFiles, segmentFileName } from '../segment/segmentFiles.ts'

export interface HousekeepingOptions {
  readonly disk: Disk
  readonly directory: string
  readonly recoveryPoint: number
  /** Takes segments that were removed from the log. */
  readonly removed: RemovedSegments
  /** Called with the first failure, after which no task is started. */
  readonly failed: (cause: unknown) => void
}

export class LogHousekeeping {
  readonly #options: HousekeepingOptions
  #last: Promise<void> = Promise.resolve()
  #isOver = false
  /** All records below are durable, with their index entries and producer state. */
  recoveryPoint: number

  constructor(options: HousekeepingOptions) {
    this.#options = options
    this.recoveryPoint = options.recoveryPoint
  }

  /** Resolves when all tasks started so far have ended. */
  get idle(): Promise<void> {
    return this.#last
  }

  /** The segment gets no more batches: saves it and advances the recovery point to its end. */
  seal(segment: Segment, endOffset: number, snapshot: Buffer): Promise<void> {
    return this.#run(async () => {
      await segment.syncAppended()
      await segment.saveIndexes()
      segment.seal()
      await this.#saveSnapshot(endOffset, snapshot)
      this.recoveryPoint = Math.max(this.recoveryPoint, endOffset)
    })
  }

  /**
   * All records below `offset` have been written, the last of them to `segment` or to later ones;
   * `snapshot` is the producer state at `offset`.
   */
  checkpoint(
    segments: LogSegments,
    segment: Segment,
    offset: number,
    snapshot: Buffer,
  ): Promise<void> {
    return this.#run(async () => {
      for (const written of segments.from(segment)) {
        await written.syncAppended()
        await written.saveIndexes()
      }
      await this.#saveSnapshot(offset, snapshot)
      await this.#dropStraySnapshots(segments.baseOffsets(), offset)
      this.recoveryPoint = Math.max(this.recoveryPoint, offset)
    })
  }

  /** Syncs the segment and those after it. */
  sync(segments: LogSegments, segment: Segment): Promise<void> {
    return this.#run(async () => {
      for (const written of segments.from(segment)) await written.syncAppended()
    })
  }

  /** Removes the segments that hold no record at or above `offset`. */
  removeBelow(segments: LogSegments, offset: number, delayMs: number): Promise<void> {
    return this.#run(async () => {
      const { disk, directory, removed } = this.#options
      const taken = segments.takeBelow(offset)
      for (const { baseOffset } of taken) {
        await disk.remove(join(directory, segmentFileName(baseOffset, '.snapshot')))
      }
      await removed.add(taken, delayMs)
    })
  }

  /**
   * Replaces `old` by `replacement`; returns false if `old` is not in the log any more. After a
   * failure the log is offline: only recovery finds out which files it has.
   */
  async replace(
    segments: LogSegments,
    old: readonly Segment[],
    replacement: Segment,
    moveFiles: () => Promise<void>,
  ): Promise<boolean> {
    let isReplaced = false
    await this.#run(async () => {
      if (!segments.holds(old)) return
      await segments.replace(old, replacement, moveFiles)
      isReplaced = true
    })
    return isReplaced
  }

  /** Starts no more tasks; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#last
  }

  #run(task: () => Promise<void>): Promise<void> {
    this.#last = this.#last
      .then(() => (this.#isOver ? undefined : task()))
      .catch((error: unknown) => {
        this.#isOver = true
        this.#options.failed(error)
      })
    return this.#last
  }

  // Syncs the directory, too, and with it the names of the index files created before.
  #saveSnapshot(offset: number, snapshot: Buffer): Promise<void> {
    const { disk, directory } = this.#options
    return disk.writeFileAtomic(join(directory, segmentFileName(offset, '.snapshot')), snapshot)
  }

  /** Keeps the snapshots at the starts of segments, for truncation, and at the recovery point. */
  async #dropStraySnapshots(baseOffsets: readonly number[], latest: number): Promise<void> {
    const { disk, directory } = this.#options
    const bases = new Set(baseOffsets)
    for (const offset of offsetsOfFiles(await disk.list(directory), '.snapshot')) {
      if (offset >= latest || bases.has(offset)) continue
      await disk.remove(join(directory, segmentFileName(offset, '.snapshot')))
    }
  }
}
