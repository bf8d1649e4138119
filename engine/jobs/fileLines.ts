// A file as a line source for LineFeed. A missing last newline is added, because a tail would
// otherwise wait for it.

import type { Disk, DiskFile } from '../../protocol/runtime/disk/disk.ts'
import type { LineSource, Lines } from './lineFeed.ts'

const newline = 0x0a
const chunkBytes = 1024 * 1024

export class FileLines implements LineSource {
  readonly #file: DiskFile
  #position = 0
  /** Read from the file, and not returned yet. */
  #pending = Buffer.alloc(0)
  #ended = false

  private constructor(file: DiskFile) {
    this.#file = file
  }

  /** Rejects when the file does not exist. */
  static async open(disk: Disk, path: string): Promise<FileLines> {
    return new FileLines(await disk.open(path, 'read'))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /** Returns the complete lines of the first read; `next` returns them again. */
  async beginning(): Promise<string> {
    if (this.#position === 0 && !this.#ended) await this.#readMore()
    return this.#pending.toString('latin1', 0, this.#pending.lastIndexOf(newline) + 1)
  }

  async next(most: number): Promise<Lines | undefined> {
    while (!this.#ended && this.#pending.indexOf(newline) === -1) await this.#readMore()
    if (this.#pending.length === 0) return undefined
    return this.#takeLines(most)
  }

  async #readMore(): Promise<void> {
    const chunk = Buffer.allocUnsafeSlow(chunkBytes)
    const length = await this.#file.read(chunk, this.#position)
    this.#position += length
    this.#pending = Buffer.concat([this.#pending, chunk.subarray(0, length)])
    if (length === chunkBytes) return
    this.#ended = true
    if (this.#pending.length > 0 && this.#pending.at(-1) !== newline) {
      this.#pending = Buffer.concat([this.#pending, Buffer.from([newline])])
    }
  }

  #takeLines(most: number): Lines {
    let end = 0
    let count = 0
    while (count < most) {
      const at = this.#pending.indexOf(newline, end)
      if (at === -1) break
      end = at + 1
      count++
    }
    const bytes = this.#pending.subarray(0, end)
    this.#pending = this.#pending.subarray(end)
    return { bytes, count }
  }
}
