// Which segments have their file open, so that thousands of partitions do not take all the files
// that the process may have. The one not used for the longest time lets go first, and opens its
// file again when it needs it. It never closes a file itself: only its holder knows whether that
// may be now.

export interface FileHolder {
  /** Closes the file unless it is in use; false when it is still open. Never rejects. */
  letGo(): Promise<boolean>
}

export class OpenFiles {
  readonly #maxFiles: number
  /** Least recently used first. */
  readonly #holders = new Set<FileHolder>()

  constructor(maxFiles: number) {
    this.#maxFiles = maxFiles
  }

  /** The holder has opened its file, or uses it. */
  used(holder: FileHolder): void {
    this.#holders.delete(holder)
    this.#holders.add(holder)
    if (this.#holders.size <= this.#maxFiles) return
    const [oldest] = this.#holders
    if (oldest && oldest !== holder) void this.#close(oldest)
  }

  /** The holder has closed its file. */
  closed(holder: FileHolder): void {
    this.#holders.delete(holder)
  }

  async #close(holder: FileHolder): Promise<void> {
    this.#holders.delete(holder)
    if (!(await holder.letGo())) this.#holders.add(holder)
  }
}
