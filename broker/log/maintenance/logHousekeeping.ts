// What a log does beside its appends so that a restart has little to do: saves indexes and producer
// state, and moves the recovery point. One task after another, never two at once. The recovery point
// must never be ahead of what is synced.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { LogSegments } from '../segment/logSegments.ts'
import type { RemovedSegments } from '../segment/removedSegments.ts'
import type { Segment } from '../segment/segment.ts'
import { offsetsOfFiles, segmentFileName } from '../segment/segmentFiles.ts'

export interface HousekeepingOptions {
  readonly disk: Disk
  readonly directory: string
  readonly recoveryPoint: number
  /** Where segments go that were taken out. */
  readonly removed: RemovedSegments
  /** Told of the first failure, after which no further task is begun. */
  readonly failed: (cause: unknown) => void
}

export class LogHousekeeping {
  readonly #options: HousekeepingOptions
  #last: Promise<void> = Promise.resolve()
  #isOver = false
  /** Everything below is on the disk for certain, with indexes and producer state. */
  recoveryPoint: number

  constructor(options: HousekeepingOptions) {
    this.#options = options
    this.recoveryPoint = options.recoveryPoint
  }

  /** Resolves when every task begun so far has ended. */
  get idle(): Promise<void> {
    return this.#last
  }

  /** A segment has got its last batch. */
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
   * Everything below `offset` has been written, the last of it into `segment` or the ones after it;
   * `snapshot` is the producer state there.
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

  /** Syncs the segment and the ones after it. */
  sync(segments: LogSegments, segment: Segment): Promise<void> {
    return this.#run(async () => {
      for (const written of segments.from(segment)) await written.syncAppended()
    })
  }

  /** Takes out the segments that hold nothing at or above `offset`. */
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
   * Puts `replacement` in the place of `old`; false when those are not in the log any more. A failure
   * on the way is the log's: which files it then has is only found out at the next start.
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

  /** Begins nothing more; resolves when what was begun has ended. */
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

  // Its directory is synced with it, and so are the names of the index files made before.
  #saveSnapshot(offset: number, snapshot: Buffer): Promise<void> {
    const { disk, directory } = this.#options
    return disk.writeFileAtomic(join(directory, segmentFileName(offset, '.snapshot')), snapshot)
  }

  /** Snapshots are kept where segments begin, for truncation, and at the recovery point. */
  async #dropStraySnapshots(baseOffsets: readonly number[], latest: number): Promise<void> {
    const { disk, directory } = this.#options
    const bases = new Set(baseOffsets)
    for (const offset of offsetsOfFiles(await disk.list(directory), '.snapshot')) {
      if (offset >= latest || bases.has(offset)) continue
      await disk.remove(join(directory, segmentFileName(offset, '.snapshot')))
    }
  }
}
