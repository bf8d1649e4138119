// One tailed file: reads whole lines from where it stands. The file is known by device and inode;
// its path is a label. Before each read the bytes just before the position are compared with what
// they were, because a file that was truncated and has grown again looks like one that only grew.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk.ts'
import {
  type FileIdentity,
  type Fingerprint,
  noFingerprint,
} from '../../channels/sourcePosition.ts'
import { EventBatch } from '../../event.ts'
import { findLines } from './lines.ts'

const chunkBytes = 512 * 1024
const fingerprintBytes = 256
/** Below this share of a chunk, lines are copied out of it rather than holding all of it. */
const keepShare = 0.25

/** Where in the file reading stands. */
export interface TailPosition {
  readonly offset: number
  readonly generation: number
  readonly fingerprint: Fingerprint
}

/** Lines, and where in the file the first one starts and the last one ends. */
export interface TailChunk {
  readonly batch: EventBatch
  readonly start: number
  readonly end: number
}

/** `truncated`: what is before the position is not what was read; `restart` begins at 0. */
export type TailRead = TailChunk | 'nothing' | 'truncated'

export class TailFile {
  readonly device: number
  readonly inode: number
  /** The newest name under which the file was seen. */
  path: string
  readonly group: string
  /** No path of the group leads to it any more: read to its end, then forgotten. */
  isOrphan = false
  /** Closed because nothing came; opened again when a scan finds it changed. */
  isDormant = false
  /** Monotonic time of the last read that found something. */
  lastReadMs: number
  #position: TailPosition
  #file: DiskFile | undefined
  #chunk: Buffer | undefined
  readonly #maxLineBytes: number
  /** Set when a line is longer than a chunk. */
  #wantedBytes = chunkBytes
  /** How many bytes the last read found behind the position without a line end. */
  #partialBytes = 0

  constructor(
    file: { device: number; inode: number; path: string; group: string },
    position: TailPosition,
    maxLineBytes: number,
    nowMs: number,
  ) {
    this.device = file.device
    this.inode = file.inode
    this.path = file.path
    this.group = file.group
    this.#position = position
    this.#maxLineBytes = maxLineBytes
    this.lastReadMs = nowMs
  }

  get position(): TailPosition {
    return this.#position
  }

  get identity(): FileIdentity {
    const { device, inode } = this
    return { device, inode, generation: this.#position.generation }
  }

  get isOpen(): boolean {
    return this.#file !== undefined
  }

  /** Bytes behind the position that have no line end yet, as of the last read. */
  get partialBytes(): number {
    return this.#partialBytes
  }

  /** False when the path now leads to another file, or nowhere. */
  async open(disk: Disk): Promise<boolean> {
    if (this.#file !== undefined) return true
    const file = await openIfThere(disk, this.path)
    if (file === undefined) return false
    const { device, inode } = await file.stat()
    if (device !== this.device || inode !== this.inode) {
      await file.close()
      return false
    }
    this.#file = file
    return true
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#chunk = undefined
    await file?.close()
  }

  /**
   * The lines behind the position, which moves behind them: at most a chunk of them. With
   * `partial`, a last line without line end counts as whole.
   */
  async read(partial = false): Promise<TailRead> {
    const { offset, fingerprint } = this.#position
    const known = fingerprint.lengthBytes
    const size = known + this.#wantedBytes
    const chunk = this.#chunk?.length === size ? this.#chunk : Buffer.allocUnsafeSlow(size)
    this.#chunk = chunk
    const filled = await this.#file!.read(chunk, offset - known)
    if (filled < known || crc32c(chunk, 0, known) !== fingerprint.crc) {
      if (known > 0) return 'truncated'
    }
    // Nothing tells a file shorter than its position from one at its end when there is no
    // fingerprint (a position from Flume's own file), but its size.
    if (known === 0 && filled === 0 && (await this.#file!.stat()).sizeBytes < offset) {
      return 'truncated'
    }
    this.#partialBytes = filled - known
    if (filled === known) return 'nothing'
    const lines = findLines(chunk, known, filled)
    if (lines.count > 0) return this.#accept(chunk, filled, known, lines.end, lines.ranges)
    if (filled === size && this.#wantedBytes < this.#maxLineBytes) {
      this.#wantedBytes = Math.min(this.#wantedBytes * 2, this.#maxLineBytes)
      return this.read(partial)
    }
    // A line longer than allowed is split; a partial one is taken when the caller says so.
    if (filled < size && !partial) return 'nothing'
    return this.#accept(chunk, filled, known, filled, Uint32Array.of(known, filled))
  }

  /** Goes back (or forth) to a position that was read before, or noted by an earlier run. */
  moveTo(position: TailPosition): void {
    this.#position = position
  }

  /** The file was truncated: reads from its start, as another generation. */
  restart(): void {
    const generation = this.#position.generation + 1
    this.#position = { offset: 0, generation, fingerprint: noFingerprint }
    this.#wantedBytes = chunkBytes
  }

  #accept(
    chunk: Buffer,
    filled: number,
    known: number,
    end: number,
    ranges: Uint32Array,
  ): TailChunk {
    const start = this.#position.offset
    const offset = start + (end - known)
    this.#position = {
      offset,
      generation: this.#position.generation,
      fingerprint: fingerprintBefore(chunk, end),
    }
    this.#partialBytes = filled - end
    this.#wantedBytes = chunkBytes
    const count = ranges.length / 2
    if (end - known < chunk.length * keepShare) {
      const copy = Buffer.from(chunk.subarray(0, end))
      return { batch: new EventBatch(copy, ranges, count), start, end: offset }
    }
    // The batch keeps this memory; the next read gets its own.
    this.#chunk = undefined
    return { batch: new EventBatch(chunk, ranges, count), start, end: offset }
  }
}

/** Of the bytes before `end` in `bytes`, which starts anywhere in the file. */
export function fingerprintBefore(bytes: Buffer, end: number): Fingerprint {
  const lengthBytes = Math.min(fingerprintBytes, end)
  return { lengthBytes, crc: crc32c(bytes, end - lengthBytes, end) }
}

async function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read')
  } catch (error) {
    // Renamed or removed since it was listed: the next scan finds it where it is now.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
