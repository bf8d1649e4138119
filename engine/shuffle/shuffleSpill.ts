// Map outputs on disk, for which memory has no space. One file per shuffle, in which each bucket is
// a separate frame, so that a reduce task reads its own buckets alone. The files are temporary:
// they are not synced, and those of an earlier driver are removed at the start.

import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { crc32c } from '../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk/disk.ts'
import { EngineError } from '../engineError.ts'
import type { Bucket } from '../rdd/lineage.ts'

interface Frame {
  readonly position: number
  readonly sizeBytes: number
  readonly checksum: number
}

/** The location of one map output's buckets. */
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
  /** Used by the spill alone. */
  readonly directory: string
  /** Limit for all files together. */
  readonly maxBytes: number
}

export class ShuffleSpill {
  readonly #options: ShuffleSpillOptions
  /** Files by shuffle id. */
  readonly #files = new Map<string, SpillFile>()
  /**
   * Makes file names unique: the old file of a shuffle may still be in removal when a new one is
   * created.
   */
  #created = 0
  #bytes = 0
  #hasDirectory = false

  constructor(options: ShuffleSpillOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Removes the files of an earlier driver. */
  async clear(): Promise<void> {
    await this.#options.disk.remove(this.#options.directory)
    this.#hasDirectory = false
    this.#files.clear()
    this.#bytes = 0
  }

  /**
   * Writes an output. Not reentrant. Throws RESULT_TOO_LARGE when the limit is exceeded, and the
   * disk's error when a write fails; the written part of the output is then unused.
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
      // Buckets are serialized one at a time: together, they would need as much memory as the spill
      // frees.
      for (const bucket of buckets) {
        const bytes = serialize([bucket.keys, bucket.values])
        if (this.#bytes + bytes.length > maxBytes) throw tooLarge(maxBytes)
        const position = spillFile.sizeBytes
        // Counted before the write: a write that fails may still have used the space.
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

  /**
   * Returns a bucket, or undefined when its file is damaged, missing or unreadable; the caller
   * recomputes it.
   */
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

  /** Removes the outputs of a shuffle. Best effort: the next start removes remaining files. */
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
      // Shuffle ids consist of letters, digits, dashes and colons.
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
    `the shuffles of a batch exceed ${maxBytes} bytes on disk; reduce by key before grouping or ` +
      'joining, or reduce the records per batch (maxRecordsPerPartition)',
  )
}
