// A file in a data directory that only occupies space. On a full disk it is removed for writes that
// cannot wait: a deletion of topics or records, and a start, write a little before they free space.
// Appends of clients never use that space (diskSpace.ts).

import { join } from 'node:path'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'

const fileName = '__reserve'
/**
 * Enough for the writes of the metadata log when it is opened, and for those of a start into
 * segments that only the commit journal has: about what clients append in small batches in a
 * second.
 */
const mostReserveBytes = 16 * 1024 * 1024
/** Part of log.dir.reserved.bytes. */
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
  /** 0 if there is no reserve. */
  readonly sizeBytes: number
  readonly #options: DiskReserveOptions
  #isHeld = false

  constructor(options: DiskReserveOptions) {
    this.#options = options
    this.sizeBytes = Math.min(mostReserveBytes, Math.floor(options.reservedBytes * reserveShare))
  }

  /** Whether the file exists. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Finds the file of an earlier run. */
  async find(): Promise<void> {
    const stat = await this.#options.disk.stat(this.#path)
    this.#isHeld = stat !== undefined && this.sizeBytes > 0 && stat.sizeBytes >= this.sizeBytes
  }

  async release(): Promise<void> {
    this.#isHeld = false
    await this.#options.disk.remove(this.#path)
  }

  /** Creates the file; there must be space for it. */
  async take(): Promise<void> {
    const { disk, random } = this.#options
    const file = await disk.open(this.#path, 'write')
    // Zeros take no space on a file system that compresses. Such a file system compresses units far
    // smaller than a chunk, so one random chunk is repeated; generating new ones would block the
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
 * Releases the reserve of a directory that cannot be opened for lack of space; returns false
 * without a reserve.
 */
export async function releaseReserve(disk: Disk, directory: string): Promise<boolean> {
  const path = join(directory, fileName)
  if ((await disk.stat(path)) === undefined) return false
  await disk.remove(path)
  return true
}
