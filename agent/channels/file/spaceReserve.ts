// A file that reserves disk space: when the disk is full it is removed, and its space is enough to record
// which events leave the channel. It is created again when there is space for it, before any put.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

export class SpaceReserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #directory: string
  readonly #sizeBytes: number
  #isThere = false
  #wasFull = false

  constructor(disk: Disk, directory: string, sizeBytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#path = join(directory, 'reserve')
    this.#sizeBytes = sizeBytes
  }

  get isThere(): boolean {
    return this.#isThere
  }

  /**
   * Makes the file unless it is there. A full disk is no failure: `isThere` says it. Once the disk was
   * full, the file waits for more space than it needs: takes need some meanwhile.
   */
  async keep(freeBytes: number): Promise<void> {
    if (this.#isThere || (this.#wasFull && freeBytes < this.#sizeBytes * 2)) return
    if ((await this.#disk.stat(this.#path))?.sizeBytes !== this.#sizeBytes) {
      try {
        await this.#make()
      } catch (error) {
        await this.#disk.remove(this.#path)
        if (!isOutOfSpace(error)) throw error
        this.#wasFull = true
        return
      }
    }
    this.#isThere = true
    this.#wasFull = false
  }

  /** Gives the space back to the file system. */
  async release(): Promise<void> {
    this.#isThere = false
    this.#wasFull = true
    await this.#disk.remove(this.#path)
    await this.#disk.syncDirectory(this.#directory)
  }

  async #make(): Promise<void> {
    const file = await this.#disk.open(this.#path, 'write')
    try {
      await file.write([this.#filling()], 0)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Bytes that a compressing file system cannot make small. */
  #filling(): Buffer {
    const random = seededRandom(1)
    const words = new Uint32Array(Math.ceil(this.#sizeBytes / 4))
    for (let at = 0; at < words.length; at++) words[at] = random.uint32()
    return Buffer.from(words.buffer, 0, this.#sizeBytes)
  }
}

/** Whether a failure says that the file system, or the quota on it, is used up. */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return true
  return isOutOfSpace(error.cause)
}
