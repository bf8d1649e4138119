// Map outputs on disk, for which there is no room in memory. A file for each shuffle; each bucket is a frame
// of its own in it, so that a reduce task reads its own buckets alone. Nothing here survives the driver: what
// an earlier one has left is removed at the start, and nothing is synced.

import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { crc32c } from '../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk.ts'
import { EngineError } from '../engineError.ts'
import type { Bucket } from '../rdd/lineage.ts'

interface Frame {
  readonly position: number
  readonly sizeBytes: number
  readonly checksum: number
}

/** Where the buckets of one map output are. */
export interface SpilledOutput {
  readonly path: string
  readonly frames: readonly Frame[]
}

interface SpillFile {
  readonly path: string
  sizeBytes: number
}

export interface ShuffleSpillOptions {
  readonly disk: Disk
  /** Belongs to the spill alone. */
  readonly directory: string
  /** Of all files together. */
  readonly maxBytes: number
}

export class ShuffleSpill {
  readonly #options: ShuffleSpillOptions
  /** By shuffle. */
  readonly #files = new Map<string, SpillFile>()
  /** A file that is still being removed must not be the one that takes its place. */
  #created = 0
  #bytes = 0
  #hasDirectory = false

  constructor(options: ShuffleSpillOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Removes what an earlier driver has left. */
  async clear(): Promise<void> {
    await this.#options.disk.remove(this.#options.directory)
    this.#hasDirectory = false
    this.#files.clear()
    this.#bytes = 0
  }

  /**
   * Writes an output. One at a time. Throws RESULT_TOO_LARGE when that passes the bound, and the error of the
   * disk when it fails; what was written of the output is then unused.
   */
  async write(shuffleId: string, buckets: readonly Bucket[]): Promise<SpilledOutput> {
    const { disk, directory, maxBytes } = this.#options
    if (!this.#hasDirectory) await disk.makeDirectory(directory)
    this.#hasDirectory = true
    const spillFile = this.#file(shuffleId)
    const { path } = spillFile
    const file = await disk.open(path, 'write')
    try {
      const frames: Frame[] = []
      // One bucket after another: together, their bytes take as much memory as what is to be freed.
      for (const bucket of buckets) {
        const bytes = serialize([bucket.keys, bucket.values])
        if (this.#bytes + bytes.length > maxBytes) throw tooLarge(maxBytes)
        const position = spillFile.sizeBytes
        // Room is taken first: a write that fails may have filled it.
        spillFile.sizeBytes += bytes.length
        if (this.#files.get(shuffleId) === spillFile) this.#bytes += bytes.length
        await file.write([bytes], position)
        frames.push({ position, sizeBytes: bytes.length, checksum: crc32c(bytes) })
      }
      return { path, frames }
    } finally {
      await file.close()
    }
  }

  /** A bucket; undefined when the file is damaged, or lost, or cannot be read: then it is computed again. */
  async read(
    { path, frames }: SpilledOutput,
    reducePartition: number,
  ): Promise<Bucket | undefined> {
    const frame = frames[reducePartition]!
    let file: DiskFile | undefined
    try {
      file = await this.#options.disk.open(path, 'read')
      const bytes = Buffer.allocUnsafeSlow(frame.sizeBytes)
      const isWhole = (await file.read(bytes, frame.position)) === bytes.length
      if (!isWhole || crc32c(bytes) !== frame.checksum) return undefined
      const [keys, values] = deserialize(bytes) as [Bucket['keys'], Bucket['values']]
      return { keys, values }
    } catch {
      return undefined
    } finally {
      await file?.close().catch(() => {})
    }
  }

  /** Removes the outputs of a shuffle. A file that cannot be removed is left for the next start. */
  async forget(shuffleId: string): Promise<void> {
    const file = this.#files.get(shuffleId)
    if (file === undefined) return
    this.#files.delete(shuffleId)
    this.#bytes -= file.sizeBytes
    await this.#options.disk.remove(file.path).catch(() => {})
  }

  #file(shuffleId: string): SpillFile {
    let file = this.#files.get(shuffleId)
    if (file === undefined) {
      // Ids of shuffles are made of letters, digits, dashes and colons.
      const name = `${shuffleId.replaceAll(':', '_')}-${++this.#created}`
      file = { path: join(this.#options.directory, name), sizeBytes: 0 }
      this.#files.set(shuffleId, file)
    }
    return file
  }
}

function tooLarge(maxBytes: number): EngineError {
  return new EngineError(
    'RESULT_TOO_LARGE',
    `the shuffles of a batch take more than ${maxBytes} bytes on disk: reduce by key before values are grouped or ` +
      'joined, or let a batch read fewer records',
  )
}
