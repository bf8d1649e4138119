// How much room is left for the logs of one data directory. Records are refused while some of it is
// still free, because a disk that is completely full cannot even save what a restart needs, nor be
// compacted. The file system is asked from time to time, and as soon as what was written since the
// last answer may have used up what was free.
//
// When others have used up even that, the reserve (diskReserve.ts) is released for what the broker
// itself has to write, and no records are taken before there is room for it again.

import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import { LastingCondition } from '../../../protocol/telemetry/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import { diskFull, isDiskFailure, type LogError } from '../logError.ts'
import { DiskReserve } from './diskReserve.ts'

export interface DiskSpaceOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** For what the reserve is filled with. */
  readonly random: Random | undefined
  readonly clock: Clock
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  /** Until this many bytes are written the last answer still holds. */
  #unaskedBytes = 0
  #shortage: LogError | undefined
  readonly #reserve: DiskReserve
  readonly #isShort: LastingCondition
  readonly #isReleased: LastingCondition
  readonly #isUnknown: LastingCondition
  /** Set from when the reserve is released until there is room for it again. */
  #released: { readonly shortage: LogError; readonly done: Promise<void> } | undefined
  #asking: Promise<void> | undefined
  #freeBytes: number | undefined
  /** Receives what the disk has refused. */
  noticed: (cause: unknown) => void = () => {}

  constructor(options: DiskSpaceOptions) {
    this.#options = options
    this.#reserve = new DiskReserve(options)
    const level = 'error' as const
    const over = 'enough disk space is free again: produces are accepted'
    this.#isShort = new LastingCondition({ ...options, level, over })
    const restored = 'the reserve of the data directory is allocated again'
    this.#isReleased = new LastingCondition({ ...options, level, over: restored })
    const known = 'the free space of a data directory can be read again'
    this.#isUnknown = new LastingCondition({ ...options, over: known })
  }

  /** Why no records of clients may be written; undefined when they may. */
  get shortage(): LogError | undefined {
    return this.#shortage ?? this.#released?.shortage
  }

  /** Since when no records of clients may be written, in ms since the epoch. */
  get shortSinceMs(): number | undefined {
    return this.#isShort.sinceMs ?? this.#isReleased.sinceMs
  }

  /** What the file system said last; undefined when it has not been asked or did not answer. */
  get freeBytes(): number | undefined {
    return this.#freeBytes
  }

  /**
   * Before the directory is used: finds the reserve, and releases it when even a start may find no
   * room. Throws what the disk says when it has failed.
   */
  async open(): Promise<void> {
    const { disk, directory } = this.#options
    await this.#reserve.find()
    const freeBytes = await disk.freeBytes(directory).catch((error: unknown) => {
      if (isDiskFailure(error)) throw error
      return Number.POSITIVE_INFINITY
    })
    if (freeBytes < this.#reserve.sizeBytes) await this.makeRoom()
    await this.check()
  }

  /**
   * Releases the reserve, for a write that found no room and has to be done to get some, or to
   * start. Returns whether it is released now, so that another try may find room. Not for anything
   * less: what is released may be taken by others at once.
   */
  async makeRoom(): Promise<boolean> {
    if (this.#reserve.isHeld) {
      const { directory } = this.#options
      const shortage = diskFull(directory, 'its reserve was released')
      this.#released = { shortage, done: this.#reserve.release().catch(this.noticed) }
      this.#isReleased.met(
        { error: shortage },
        'the disk is full: released the reserve of the data directory',
      )
    }
    await this.#released?.done
    return this.#released !== undefined
  }

  /**
   * Makes the reserve, for the first time or again, as soon as it fits: before others take the
   * room.
   */
  async restoreReserve(): Promise<void> {
    const { disk, directory } = this.#options
    const reserve = this.#reserve
    if (reserve.sizeBytes === 0 || reserve.isHeld) return
    try {
      if ((await disk.freeBytes(directory)) <= reserve.sizeBytes) return
      await reserve.take()
    } catch (error) {
      // It is tried again; half a reserve would only take room.
      this.noticed(error)
      await reserve.release().catch(this.noticed)
      return
    }
    if (!this.#released) return
    this.#released = undefined
    this.#isReleased.over({ directory })
  }

  /** So much is written, or is going to be. */
  use(bytes: number): void {
    this.#unaskedBytes -= bytes
    if (this.#unaskedBytes < 0) void this.check()
  }

  /** Asks the file system; resolves when `shortage` says what it answered. */
  check(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const { disk, directory, reservedBytes } = this.#options
    try {
      this.#freeBytes = await disk.freeBytes(directory)
      this.#isUnknown.over({ directory })
      this.#note(this.#freeBytes - reservedBytes)
    } catch (error) {
      this.#freeBytes = undefined
      this.noticed(error)
      const message = 'failed to read the free space of a data directory'
      this.#isUnknown.met({ error, directory }, message)
    }
  }

  #note(roomBytes: number): void {
    const { directory, reservedBytes } = this.#options
    this.#unaskedBytes = roomBytes
    if (roomBytes > 0) {
      this.#shortage = undefined
      this.#isShort.over({ directory })
      return
    }
    const free = `${roomBytes + reservedBytes} bytes free, log.dir.reserved.bytes is ${reservedBytes}`
    this.#shortage = diskFull(directory, free)
    this.#isShort.met(
      { error: this.#shortage },
      'too little disk space is free: produces are refused',
    )
  }
}
