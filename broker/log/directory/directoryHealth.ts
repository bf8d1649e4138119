// Whether a data directory can be used. What its logs and its own files come upon is told here, and
// this decides whether it says something of the directory as a whole: a disk that answers with an
// error of its own, a file system that takes no writes any more, a directory that is not there.
// Damage in one file, a full disk and too few open files do not: those are a log's own
// (logHealth.ts).

import type { Disk } from '../../../protocol/runtime/disk.ts'
import {
  directoryFailed,
  isDiskFailure,
  isMissingFile,
  type LogError,
  originOf,
} from '../logError.ts'

/** What tells a directory from another one that takes its name. */
export interface DirectoryPlace {
  readonly path: string
  readonly device: number
  readonly inode: number
}

export class DirectoryHealth {
  readonly #disk: Disk
  readonly #place: DirectoryPlace
  readonly #failed: (failure: LogError) => void
  #failure: LogError | undefined

  /** `failed` is called once. */
  constructor(disk: Disk, place: DirectoryPlace, failed: (failure: LogError) => void) {
    this.#disk = disk
    this.#place = place
    this.#failed = failed
  }

  /** Why the directory cannot be used; undefined when it can. It stays so until the next start. */
  get failure(): LogError | undefined {
    return this.#failure
  }

  /**
   * Something was refused by the disk, at a file of the directory. All logs are handed this as it
   * is.
   */
  readonly noticed = (cause: unknown): void => {
    if (isDiskFailure(cause)) this.#fail(originOf(cause))
    else if (isMissingFile(cause)) void this.check()
  }

  /**
   * Looks whether the directory is still the one that was opened. What is written to files of one
   * that is gone is lost, though the disk takes it.
   */
  async check(): Promise<void> {
    const { path, device, inode } = this.#place
    try {
      const stat = await this.#disk.stat(path)
      if (stat?.device === device && stat.inode === inode) return
      this.#fail('the directory was removed, or replaced by another one')
    } catch (cause) {
      this.noticed(cause)
    }
  }

  /** Runs what is done to files of the directory. */
  async watch<Result>(operation: () => Promise<Result>): Promise<Result> {
    try {
      return await operation()
    } catch (cause) {
      this.noticed(cause)
      throw cause
    }
  }

  #fail(cause: unknown): void {
    if (this.#failure) return
    this.#failure = directoryFailed(this.#place.path, cause)
    this.#failed(this.#failure)
  }
}
