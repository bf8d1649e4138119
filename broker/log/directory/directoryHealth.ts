// Whether a data directory can be used. Receives the failures of its logs and its own files, and
// decides whether they concern the whole directory: I/O errors of the disk, a read-only file
// system, a directory that was removed. Damage in one file, a full disk and too few open files do
// not; logHealth.ts handles those.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import {
  directoryFailed,
  isDiskFailure,
  isMissingFile,
  type LogError,
  originOf,
} from '../logError.ts'

/** Distinguishes a directory from another one at the same path. */
export interface DirectoryPlace {
  readonly path: string
  readonly device: number
  readonly inode: number
}

export class DirectoryHealth {
  readonly #disk: Disk
  readonly #place: DirectoryPlace
  readonly #onFailure: (failure: LogError) => void
  #failure: LogError | undefined

  /** `onFailure` is called once. */
  constructor(disk: Disk, place: DirectoryPlace, onFailure: (failure: LogError) => void) {
    this.#disk = disk
    this.#place = place
    this.#onFailure = onFailure
  }

  /** Why the directory cannot be used, until the next start; undefined if it can. */
  get failure(): LogError | undefined {
    return this.#failure
  }

  /** Reports a failed disk operation on a file of the directory. Passed to logs as a function. */
  readonly report = (cause: unknown): void => {
    if (isDiskFailure(cause)) this.#fail(originOf(cause))
    else if (isMissingFile(cause)) void this.check()
  }

  /**
   * Checks that the path still has the directory that was opened. Writes to the files of a removed
   * directory succeed, but are lost.
   */
  async check(): Promise<void> {
    const { path, device, inode } = this.#place
    try {
      const stat = await this.#disk.stat(path)
      if (stat?.device === device && stat.inode === inode) return
      this.#fail('the directory was removed, or replaced by another one')
    } catch (cause) {
      this.report(cause)
    }
  }

  /** Runs an operation on files of the directory, and reports its failure. */
  async watch<Result>(operation: () => Promise<Result>): Promise<Result> {
    try {
      return await operation()
    } catch (cause) {
      this.report(cause)
      throw cause
    }
  }

  #fail(cause: unknown): void {
    if (this.#failure) return
    this.#failure = directoryFailed(this.#place.path, cause)
    this.#onFailure(this.#failure)
  }
}
