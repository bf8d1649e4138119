// Bounds the number of segment files that are open, so that thousands of partitions do not use up
// the file descriptors of the process. Asks the least recently used holder to close its file; the
// holder opens it again when it needs it. Never closes a file itself: only the holder knows whether
// the file is in use.

import { noRarePoints, type RarePoints } from '../../../protocol/runtime/rarePoints.ts'

export interface FileHolder {
  /** Closes the file unless it is in use; returns false if it is still open. Never rejects. */
  letGo(): Promise<boolean>
}

export class OpenFiles {
  readonly #maxFiles: number
  readonly #rarePoints: RarePoints
  /** Least recently used first. */
  readonly #holders = new Set<FileHolder>()
  /** Holders that were asked to close their files. */
  readonly #leaving = new Set<FileHolder>()

  constructor(maxFiles: number, rarePoints = noRarePoints) {
    this.#maxFiles = maxFiles
    this.#rarePoints = rarePoints
  }

  /** The holder has opened or used its file. */
  used(holder: FileHolder): void {
    // To let its file go, a holder writes and syncs it: no use that would close the next one's.
    if (this.#leaving.has(holder)) return
    this.#holders.delete(holder)
    this.#holders.add(holder)
    const isCrowded = this.#holders.size > this.#maxFiles
    if (!isCrowded && !this.#rarePoints.isForced('segment file closed')) return
    const [oldest] = this.#holders
    if (oldest && oldest !== holder) void this.#close(oldest)
  }

  /** The holder has closed its file. */
  closed(holder: FileHolder): void {
    this.#holders.delete(holder)
  }

  async #close(holder: FileHolder): Promise<void> {
    this.#holders.delete(holder)
    this.#leaving.add(holder)
    const isClosed = await holder.letGo()
    this.#leaving.delete(holder)
    if (!isClosed) this.#holders.add(holder)
  }
}
