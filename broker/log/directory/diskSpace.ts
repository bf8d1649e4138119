// The free space for the logs of one data directory. Produces are refused while some space is still
// free, because on a full disk neither the files for a restart can be saved, nor logs compacted.
// The free space is read periodically, and as soon as the bytes written since may have used it up.
//
// If other programs use up the rest, the reserve (diskReserve.ts) is released for writes of the
// broker itself, and produces are refused until there is space for it again.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { diskFull, isDiskFailure, type LogError } from '../logError.ts'
import { DiskReserve } from './diskReserve.ts'

export interface DiskSpaceOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Fills the reserve. */
  readonly random: Random | undefined
  readonly clock: Clock
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  /** Bytes that may be written before the free space is read again. */
  #unaskedBytes = 0
  #shortage: LogError | undefined
  readonly #reserve: DiskReserve
  readonly #isShort: LastingCondition
  readonly #isReleased: LastingCondition
  readonly #isUnknown: LastingCondition
  /** Set from the release of the reserve until there is space for it again. */
  #released: { readonly shortage: LogError; readonly done: Promise<void> } | undefined
  #asking: Promise<void> | undefined
  #freeBytes: number | undefined
  /** Called with failures of the disk. */
  onFailure: (cause: unknown) => void = () => {}

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

  /** Why produces are refused; undefined if they are accepted. */
  get shortage(): LogError | undefined {
    return this.#shortage ?? this.#released?.shortage
  }

  /** Since when produces are refused, in ms since the epoch. */
  get shortSinceMs(): number | undefined {
    return this.#isShort.sinceMs ?? this.#isReleased.sinceMs
  }

  /** The last free space read; undefined before the first read, or if it failed. */
  get freeBytes(): number | undefined {
    return this.#freeBytes
  }

  /**
   * Called before the directory is used: finds the reserve, and releases it if the space may not
   * suffice for a start. Throws if the disk has failed.
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
   * Releases the reserve for a write that frees space, or that a start needs, after that write
   * found no space. Returns whether it is released now, so that the write can be retried. Not for
   * other writes: other programs may use the released space immediately.
   */
  async makeRoom(): Promise<boolean> {
    if (this.#reserve.isHeld) {
      const { directory } = this.#options
      const shortage = diskFull(directory, 'its reserve was released')
      this.#released = { shortage, done: this.#reserve.release().catch(this.onFailure) }
      this.#isReleased.met(
        { error: shortage },
        'the disk is full: released the reserve of the data directory',
      )
    }
    await this.#released?.done
    return this.#released !== undefined
  }

  /**
   * Creates the reserve, the first time or again, as soon as it fits, before other programs use the
   * space.
   */
  async restoreReserve(): Promise<void> {
    const { disk, directory } = this.#options
    const reserve = this.#reserve
    if (reserve.sizeBytes === 0 || reserve.isHeld) return
    try {
      if ((await disk.freeBytes(directory)) <= reserve.sizeBytes) return
      await reserve.take()
    } catch (error) {
      // Retried later; half a reserve would only take space.
      this.onFailure(error)
      await reserve.release().catch(this.onFailure)
      return
    }
    if (!this.#released) return
    this.#released = undefined
    this.#isReleased.over({ directory })
  }

  /** `bytes` were written, or will be. */
  use(bytes: number): void {
    this.#unaskedBytes -= bytes
    if (this.#unaskedBytes < 0) void this.check()
  }

  /** Reads the free space; resolves when `shortage` is up to date. */
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
      this.onFailure(error)
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
