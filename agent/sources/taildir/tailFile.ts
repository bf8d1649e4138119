// One tailed file: reads whole lines from its position. The file is known by device and inode;
// its path is a label. Before each read the bytes just before the position are compared with what
// they were, because a file that was truncated and has grown again looks like one that only grew.
// Content that is equal in these bytes, and at least as long, cannot be told from the old.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile, DiskStat } from '../../../protocol/runtime/disk.ts'
import type { FileKey, FingerprintCheck, FormerPosition } from '../../channelProcessor.ts'
import {
  type FileIdentity,
  type Fingerprint,
  noFingerprint,
  type SafePosition,
} from '../../channels/sourcePosition.ts'
import { EventBatch, noHeaders, type SourceEnds } from '../../event.ts'
import { findLines } from './lines.ts'

const chunkBytes = 512 * 1024
/** Read at first, and while there is no more than this: thousands of files must not hold chunks. */
const firstReadBytes = 16 * 1024
const fingerprintBytes = 256
/** Below this share of a chunk, lines are copied out of it rather than holding all of it. */
const keepShare = 0.25

/** Copies may turn up late, when a file was truncated again. */
const maxOlderFormers = 3

/** The position of reading in the file. */
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

/** Content that was read before the file was truncated. */
export interface FormerContent {
  readonly position: FormerPosition
  /** Its first bytes, as far as they are known. */
  readonly head: Buffer
  readonly truncatedMs: number
}

export class TailFile {
  readonly device: number
  readonly inode: number
  /** The newest name under which the file was seen, and the one before. */
  path: string
  formerPath: string | undefined
  readonly group: string
  /** No path of the group leads to it: it is read to its end, then dropped. */
  isOrphan = false
  /** Set when the file has changed since it was last read to its end. */
  hasNews = true
  /** Every channel has accepted a put of this generation. */
  isKnown = false
  /** The position file has the head of this generation, by which the file is found under any name. */
  isHeadNoted = false
  /** Nothing of this generation may be put before the position file says how the former one ended. */
  mustBeNoted = false
  /** What the last scan saw, by which the next one tells that the file has changed. */
  seen: Pick<DiskStat, 'sizeBytes' | 'modifiedMs'>
  /** Monotonic time of the last read that found something. */
  lastReadMs: number
  /** Monotonic time before which it is not tried again; set when it cannot be opened or read. */
  retryMs = Number.NEGATIVE_INFINITY
  /** A warning that it cannot be read was already logged. */
  isUnreadable = false
  former: FormerContent | undefined
  /** Content before that, newest first. */
  olderFormers: readonly FormerContent[] = []
  /** The file and the content of which this one is a copy. */
  copyOf: { readonly file: FileKey; readonly former: FormerPosition } | undefined
  /** After a failed put: what channels have of the content behind the position, to be compared first. */
  checks: readonly FingerprintCheck[] = []
  /** The first bytes that a scan found in it, and when. */
  headNow: { readonly bytes: Buffer; readonly readMs: number } | undefined
  /** Where reading of this generation began. */
  #base: SafePosition
  #position: TailPosition
  /** The first bytes of this generation's content. */
  #head: Buffer = Buffer.alloc(0)
  #file: DiskFile | undefined
  #chunk: Buffer | undefined
  readonly #maxLineBytes: number
  #wantedBytes = firstReadBytes
  /** How many bytes the last read found behind the position without a line end. */
  #partialBytes = 0

  constructor(
    file: { device: number; inode: number; path: string; group: string },
    seen: Pick<DiskStat, 'sizeBytes' | 'modifiedMs'>,
    maxLineBytes: number,
    nowMs: number,
  ) {
    this.device = file.device
    this.inode = file.inode
    this.path = file.path
    this.group = file.group
    this.seen = seen
    this.#maxLineBytes = maxLineBytes
    this.lastReadMs = nowMs
    this.#position = { offset: 0, generation: 0, fingerprint: noFingerprint }
    this.#base = baseAt(this.#position)
  }

  get position(): TailPosition {
    return this.#position
  }

  get base(): SafePosition {
    return this.#base
  }

  get head(): Buffer {
    return this.#head
  }

  /** The head as a position file says it. */
  get headFingerprint(): Fingerprint {
    return fingerprintBefore(this.#head, this.#head.length)
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

  /** The last read found no more than a part of a line. */
  get isReadToEnd(): boolean {
    return !this.hasNews
  }

  /** Opens it for `read` and `matches`. False when the path now leads to another file, or nowhere. */
  async open(disk: Disk): Promise<boolean> {
    if (this.#file !== undefined) return true
    const file = await openIfThere(disk, this.path)
    if (file === undefined) return false
    try {
      const { device, inode } = await file.stat()
      if (device === this.device && inode === this.inode) {
        this.#file = file
        return true
      }
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return false
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#chunk = undefined
    await file?.close()
  }

  /** Whether the file holds what all the checks say. */
  async matches(checks: readonly FingerprintCheck[]): Promise<boolean> {
    const { sizeBytes } = await this.#file!.stat()
    for (const { end, fingerprint } of checks) {
      if (sizeBytes < end) return false
      if (fingerprint.lengthBytes === 0) continue
      const bytes = Buffer.alloc(fingerprint.lengthBytes)
      const filled = await this.#file!.read(bytes, end - fingerprint.lengthBytes)
      if (filled < bytes.length || crc32c(bytes) !== fingerprint.crc) return false
    }
    return true
  }

  /** Takes the first bytes for known before anything was read, so that they can be noted. */
  async takeHead(): Promise<void> {
    this.#head = await this.#readHead()
  }

  /** Reads the first bytes that the file has now; `head` are those of the content that was read. */
  async lookAtHead(nowMs: number): Promise<void> {
    this.headNow = { bytes: await this.#readHead(), readMs: nowMs }
  }

  /**
   * Begins reading at a position of this content, with what the file has before it. `safeEnd`: up to
   * where nothing is lost, if that is less.
   */
  async beginAt(offset: number, generation: number, safeEnd = offset): Promise<void> {
    await this.takeHead()
    const fingerprint = await this.fingerprintAt(offset)
    this.#position = { offset, generation, fingerprint }
    this.#base = baseAt(
      safeEnd === offset
        ? this.#position
        : { offset: safeEnd, generation, fingerprint: await this.fingerprintAt(safeEnd) },
    )
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
    if (filled === known) return this.#nothing()
    const lines = findLines(chunk, known, filled)
    const isFull = filled === size
    if (isFull && this.#wantedBytes < chunkBytes) this.#wantedBytes = chunkBytes
    else if (lines.count === 0 && isFull && this.#wantedBytes < this.#maxLineBytes) {
      this.#wantedBytes = Math.min(this.#wantedBytes * 2, this.#maxLineBytes)
    } else if (lines.count === 0 && !isFull && !partial) return this.#nothing()
    else {
      // A line longer than allowed is split; a partial one is taken when the caller says so.
      if (lines.count === 0) {
        return this.#accept(chunk, filled, known, filled, Uint32Array.of(known, filled))
      }
      return this.#accept(chunk, filled, known, lines.end, lines.ranges)
    }
    return this.read(partial)
  }

  /** The fingerprint at an offset of the content, as the file has it now. */
  async fingerprintAt(offset: number): Promise<Fingerprint> {
    const before = Buffer.alloc(Math.min(fingerprintBytes, offset))
    const filled = await this.#file!.read(before, offset - before.length)
    return fingerprintBefore(before.subarray(0, filled), filled)
  }

  /** Goes back (or forth) to a position that was read before, or that a channel has. */
  moveTo(position: TailPosition): void {
    if (position.generation !== this.#position.generation) this.#base = baseAt(position)
    this.#position = position
    this.hasNews = true
  }

  /**
   * The file was truncated: reads from its start, as another generation. `last`: the furthest that a
   * channel has of the old content, `channelEnds`: how far each.
   */
  restart(last: FingerprintCheck, channelEnds: readonly number[], nowMs: number): void {
    const { generation: before } = this.#position
    const former = { ...last, generation: before, baseEnd: this.#base.end, channelEnds }
    if (this.former !== undefined) {
      this.olderFormers = [this.former, ...this.olderFormers].slice(0, maxOlderFormers)
    }
    this.former = { position: former, head: this.#head, truncatedMs: nowMs }
    const generation = before + 1
    this.#position = { offset: 0, generation, fingerprint: noFingerprint }
    this.#base = baseAt(this.#position)
    this.#head = Buffer.alloc(0)
    this.#wantedBytes = firstReadBytes
    this.#partialBytes = 0
    this.isKnown = false
    this.isHeadNoted = false
  }

  async #readHead(): Promise<Buffer> {
    const head = Buffer.alloc(fingerprintBytes)
    return head.subarray(0, await this.#file!.read(head, 0))
  }

  #nothing(): 'nothing' {
    // Until the next scan sees a change; a chunk is not kept for that long.
    this.#wantedBytes = firstReadBytes
    if (this.#chunk !== undefined && this.#chunk.length > firstReadBytes * 2)
      this.#chunk = undefined
    return 'nothing'
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
    this.#keepHead(chunk.subarray(known, end), start)
    this.#position = {
      offset,
      generation: this.#position.generation,
      fingerprint: fingerprintBefore(chunk, end),
    }
    this.#partialBytes = filled - end
    if (this.#wantedBytes > chunkBytes) this.#wantedBytes = chunkBytes
    const count = ranges.length / 2
    const ends = { origin: start - known, end: offset }
    if (end - known < chunk.length * keepShare) {
      const copy = Buffer.from(chunk.subarray(0, end))
      return { batch: tailBatch(copy, ranges, count, ends), start, end: offset }
    }
    // The batch keeps this memory; the next read gets its own.
    this.#chunk = undefined
    return { batch: tailBatch(chunk, ranges, count, ends), start, end: offset }
  }

  #keepHead(bytes: Buffer, start: number): void {
    // Content may have been replaced, without a trace, before anything of it was read.
    if (start === 0) this.#head = Buffer.alloc(0)
    if (start !== this.#head.length || start >= fingerprintBytes) return
    this.#head = Buffer.concat([this.#head, bytes.subarray(0, fingerprintBytes - start)])
  }
}

/** Of the bytes before `end` in `bytes`, which starts anywhere in the file. */
export function fingerprintBefore(bytes: Buffer, end: number): Fingerprint {
  const lengthBytes = Math.min(fingerprintBytes, end)
  return { lengthBytes, crc: crc32c(bytes, end - lengthBytes, end) }
}

function baseAt({ offset, generation, fingerprint }: TailPosition): SafePosition {
  return { end: offset, generation, fingerprint, fingerprintEnd: offset }
}

function tailBatch(
  bytes: Buffer,
  ranges: Uint32Array,
  count: number,
  ends: SourceEnds,
): EventBatch {
  return new EventBatch(bytes, ranges, count, noHeaders, undefined, 0, ends)
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
