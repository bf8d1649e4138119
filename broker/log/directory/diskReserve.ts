// A file in a data directory that does nothing but take room, and is removed on a full disk for
// what cannot wait: deleting topics and records, and starting, write a little before they free
// anything. What clients append never gets at that room (diskSpace.ts).

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'

const fileName = '__reserve'
/**
 * Room for what the metadata log writes when it is opened, and for what a start has to write into
 * segments that only the commit journal has: about what clients append in small batches in a
 * second.
 */
const mostReserveBytes = 16 * 1024 * 1024
/** Of log.dir.reserved.bytes. */
const reserveShare = 1 / 4
const chunkBytes = 1024 * 1024

export interface DiskReserveOptions {
  readonly disk: Disk
  /** The data directory. */
  readonly directory: string
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  readonly random: Random | undefined
}

export class DiskReserve {
  /** 0: there is none. */
  readonly sizeBytes: number
  readonly #options: DiskReserveOptions
  #isHeld = false

  constructor(options: DiskReserveOptions) {
    this.#options = options
    this.sizeBytes = Math.min(mostReserveBytes, Math.floor(options.reservedBytes * reserveShare))
  }

  /** Whether the file takes its room now. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Looks whether the last holder of the directory has left one. */
  async find(): Promise<void> {
    const stat = await this.#options.disk.stat(this.#path)
    this.#isHeld = stat !== undefined && this.sizeBytes > 0 && stat.sizeBytes >= this.sizeBytes
  }

  async release(): Promise<void> {
    this.#isHeld = false
    await this.#options.disk.remove(this.#path)
  }

  /** Makes the file; there must be room for it. */
  async take(): Promise<void> {
    const { disk, random } = this.#options
    const file = await disk.open(this.#path, 'write')
    // Zeros take no room where the file system compresses. It compresses records far smaller than a
    // chunk, so the same random chunk again and again is as good as new ones, which hold up the
    // event loop for long.
    const chunk = random?.bytes(chunkBytes) ?? Buffer.alloc(chunkBytes)
    try {
      for (let position = 0; position < this.sizeBytes; position += chunkBytes) {
        const length = Math.min(chunkBytes, this.sizeBytes - position)
        await file.write([chunk.subarray(0, length)], position)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    this.#isHeld = true
  }

  get #path(): string {
    return join(this.#options.directory, fileName)
  }
}

/**
 * For a directory that is not open yet, and cannot be opened for want of room; false when there is
 * no reserve.
 */
export async function releaseReserve(disk: Disk, directory: string): Promise<boolean> {
  const path = join(directory, fileName)
  if ((await disk.stat(path)) === undefined) return false
  await disk.remove(path)
  return true
}
