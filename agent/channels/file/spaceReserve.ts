// A file that reserves disk space. When the disk is full, the file is removed: its space is enough
// to record which events leave the channel. It is created again, before any put, once there is
// space.

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

/** Space for the take records of several hundred batches, however small the log files are. */
const minReserveBytes = 64 * 1024

/** Space for the take records of several thousand batches. */
const maxReserveBytes = 1024 * 1024

/** Bytes of the reserve of a channel with log files of at most `maxFileBytes`. */
export function reserveBytesOf(maxFileBytes: number): number {
  return Math.max(minReserveBytes, Math.min(maxReserveBytes, Math.ceil(maxFileBytes / 64)))
}

export class SpaceReserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #directory: string
  readonly sizeBytes: number
  #exists = false
  #wasFull = false

  /** `maxFileBytes`: limit on a file of the channel's log. */
  constructor(disk: Disk, directory: string, maxFileBytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#path = join(directory, 'reserve')
    this.sizeBytes = reserveBytesOf(maxFileBytes)
  }

  get exists(): boolean {
    return this.#exists
  }

  /**
   * Creates the file if it does not exist. A full disk is not an error: `exists` stays false.
   * After a full disk, twice the file's size must be free: takes need some of the space meanwhile.
   */
  async keep(freeBytes: number): Promise<void> {
    if (this.#exists || (this.#wasFull && freeBytes < this.sizeBytes * 2)) return
    if ((await this.#disk.stat(this.#path))?.sizeBytes !== this.sizeBytes) {
      try {
        await this.#make()
      } catch (error) {
        await this.#disk.remove(this.#path)
        if (!isOutOfSpace(error)) throw error
        this.#wasFull = true
        return
      }
    }
    this.#exists = true
    this.#wasFull = false
  }

  /** Removes the file, which frees its space. */
  async release(): Promise<void> {
    this.#exists = false
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

  /** Random bytes, which a file system cannot compress. */
  #filling(): Buffer {
    const random = seededRandom(1)
    const words = new Uint32Array(Math.ceil(this.sizeBytes / 4))
    for (let at = 0; at < words.length; at++) words[at] = random.uint32()
    return Buffer.from(words.buffer, 0, this.sizeBytes)
  }
}

/** Whether an error, or its cause, is a full file system or an exceeded quota. */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return true
  return isOutOfSpace(error.cause)
}
