// The open files of a taildir source. Their number is bounded, because the process needs
// descriptors for channels, sinks and everything else. At the bound, the least recently read file
// is closed; it is opened again, under its current name, when it has changed.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { TailFile } from './tailFile.ts'

/**
 * The bound is this part of the process's limit; other sources, log files and connections use the
 * rest.
 */
const share = 4
const fewest = 4
const most = 4096

export class OpenFiles {
  readonly #disk: Disk
  /** Open files, least recently used first. */
  readonly #open = new Set<TailFile>()
  readonly #inUse = new Set<TailFile>()
  #limit = most

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Maximum number of files that are open, and so read, at the same time. */
  get limit(): number {
    return this.#limit
  }

  async start(): Promise<void> {
    const allowed = await this.#disk.maxOpenFiles()
    this.#limit = Math.min(most, Math.max(fewest, Math.floor(allowed / share)))
  }

  /**
   * Calls `work` with the file open. Returns undefined, without calling it, if the path no longer
   * leads to the file.
   */
  async use<T>(file: TailFile, work: () => Promise<T>): Promise<T | undefined> {
    this.#inUse.add(file)
    try {
      if (!(await this.#opened(file))) return undefined
      this.#open.delete(file)
      this.#open.add(file)
      return await work()
    } finally {
      this.#inUse.delete(file)
    }
  }

  async close(file: TailFile): Promise<void> {
    this.#open.delete(file)
    await file.close()
  }

  async closeAll(): Promise<void> {
    for (const file of [...this.#open]) await this.close(file)
  }

  async #opened(file: TailFile): Promise<boolean> {
    if (file.isOpen) return true
    while (this.#open.size >= this.#limit && (await this.#closeOne())) {}
    try {
      return await file.open(this.#disk)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error
      // Other code uses more descriptors than expected: lower the limit.
      this.#limit = Math.max(fewest, Math.floor(this.#open.size * 0.75))
      while (this.#open.size >= this.#limit && (await this.#closeOne())) {}
      return await file.open(this.#disk)
    }
  }

  /**
   * Closes the least recently used file; false if all are in use. A file without a name, which
   * cannot be opened again, is closed last, and only when it is read to its end.
   */
  async #closeOne(): Promise<boolean> {
    const idle = [...this.#open].filter((file) => !this.#inUse.has(file))
    const victim = idle.find((file) => !file.isOrphan) ?? idle.find((file) => file.isReadToEnd)
    if (victim === undefined) return false
    await this.close(victim)
    return true
  }
}
