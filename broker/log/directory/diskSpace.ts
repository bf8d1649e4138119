// How much room is left for the logs of one data directory. Records are refused while some of it is
// still there, because a disk that is completely full cannot even save what a restart needs, nor be
// compacted. The file system is asked from time to time, and as soon as what was written since the
// last answer may have used up what was free.

import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import { diskFull, type LogError } from '../logError.ts'

export interface DiskSpaceOptions {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Told why the free space cannot be told. */
  readonly noticed: (cause: unknown) => void
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  /** Until this many bytes are written the last answer still holds. */
  #unaskedBytes = 0
  #shortage: LogError | undefined
  #asking: Promise<void> | undefined

  constructor(options: DiskSpaceOptions) {
    this.#options = options
  }

  /** Why no records of clients may be written; undefined when they may. */
  get shortage(): LogError | undefined {
    return this.#shortage
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
    const { disk, directory, reservedBytes, logger, noticed } = this.#options
    try {
      this.#note((await disk.freeBytes(directory)) - reservedBytes)
    } catch (error) {
      noticed(error)
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
