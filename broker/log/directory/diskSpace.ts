// How much room is left for the logs of one data directory. Records are refused while some of it is
// still free, because a disk that is completely full cannot even save what a restart needs, nor be
// compacted. The file system is asked from time to time, and as soon as what was written since the
// last answer may have used up what was free.
//
// When others have used up even that, the reserve (diskReserve.ts) is released for what the broker itself has
// to write, and no records are taken before there is room for it again.

import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
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
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  /** Until this many bytes are written the last answer still holds. */
  #unaskedBytes = 0
  #shortage: LogError | undefined
  readonly #reserve: DiskReserve
  /** Set from when the reserve is released until there is room for it again. */
  #released: { readonly shortage: LogError; readonly done: Promise<void> } | undefined
  #asking: Promise<void> | undefined
  /** Receives what the disk has refused. */
  noticed: (cause: unknown) => void = () => {}

  constructor(options: DiskSpaceOptions) {
    this.#options = options
    this.#reserve = new DiskReserve(options)
  }

  /** Why no records of clients may be written; undefined when they may. */
  get shortage(): LogError | undefined {
    return this.#shortage ?? this.#released?.shortage
  }

  /**
   * Before the directory is used: finds the reserve, and releases it when even a start may find no room. Throws
   * what the disk says when it has failed.
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
   * Releases the reserve, for a write that found no room and has to be done to get some, or to start. Returns
   * whether it is released now, so that another try may find room. Not for anything less: what is released may
   * be taken by others at once.
   */
  async makeRoom(): Promise<boolean> {
    if (this.#reserve.isHeld) {
      const { directory, logger } = this.#options
      const shortage = diskFull(directory, 'its reserve was released')
      this.#released = { shortage, done: this.#reserve.release().catch(this.noticed) }
      logger.error({ error: shortage }, 'the disk is full: its reserve is released')
    }
    await this.#released?.done
    return this.#released !== undefined
  }

  /** Makes the reserve, for the first time or again, as soon as it fits: before others take the room. */
  async restoreReserve(): Promise<void> {
    const { disk, directory, logger } = this.#options
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
    logger.info({ directory }, 'there is room for the reserve again')
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
    const { disk, directory, reservedBytes, logger } = this.#options
    try {
      this.#note((await disk.freeBytes(directory)) - reservedBytes)
    } catch (error) {
      this.noticed(error)
      logger.warn({ error, directory }, 'the free space of a data directory cannot be told')
    }
  }

  #note(roomBytes: number): void {
    const { directory, reservedBytes, logger } = this.#options
    this.#unaskedBytes = roomBytes
    const wasShort = this.#shortage !== undefined
    if (roomBytes > 0) {
      this.#shortage = undefined
      if (wasShort) logger.info({ directory }, 'there is room again: records are taken')
      return
    }
    const free = `${roomBytes + reservedBytes} bytes free, log.dir.reserved.bytes is ${reservedBytes}`
    this.#shortage = diskFull(directory, free)
    if (!wasShort) logger.error({ error: this.#shortage }, 'no records are taken')
  }
}
