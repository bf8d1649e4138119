// The open files of a taildir source, of which there is a bounded number: descriptors are shared with
// the channels, the sinks and everything else of the process. Beyond the bound the file that was read
// longest ago is closed; it is opened again, by the name it has then, when it has changed.

import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { TailFile } from './tailFile.ts'

/** Of what the process may open; a few sources, a channel's log files and connections need the rest. */
const share = 4
const fewest = 4
const most = 4096

export class OpenFiles {
  readonly #disk: Disk
  /** The file that was used longest ago first. */
  readonly #open = new Set<TailFile>()
  readonly #inUse = new Set<TailFile>()
  #limit = most

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** How many files may be open, and so be read at the same time. */
  get limit(): number {
    return this.#limit
  }

  async start(): Promise<void> {
    const allowed = await this.#disk.maxOpenFiles()
    this.#limit = Math.min(most, Math.max(fewest, Math.floor(allowed / share)))
  }

  /**
   * Calls `work` with the file open. Returns undefined, without calling it, when the file's path leads
   * elsewhere by now.
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
      // Others have taken more of the descriptors than expected: get by with fewer.
      this.#limit = Math.max(fewest, Math.floor(this.#open.size * 0.75))
      while (this.#open.size >= this.#limit && (await this.#closeOne())) {}
      return await file.open(this.#disk)
    }
  }

  /** False when every open file is in use. A file without a name is kept while another can be closed. */
  async #closeOne(): Promise<boolean> {
    const idle = [...this.#open].filter((file) => !this.#inUse.has(file))
    const victim = idle.find((file) => !file.isOrphan) ?? idle.find((file) => file.isReadToEnd)
    if (victim === undefined) return false
    await this.close(victim)
    return true
  }
}
