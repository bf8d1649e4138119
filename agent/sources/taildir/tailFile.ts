// One tailed file: reads complete lines from its position. The file is identified by device and
// inode; its path is only a label. Each read first compares the bytes just before the position with
// their fingerprint, because a file that was truncated and grew again looks like one that only
// grew. New content that is equal in these bytes, and at least as long, cannot be distinguished
// from the old.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile, DiskStat } from '../../../protocol/runtime/disk/disk.ts'
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
/** Bytes of a first read, and while a file has no more: thousands of files must not hold chunks. */
const firstReadBytes = 16 * 1024
const fingerprintBytes = 256
/**
 * Below this share of a chunk, lines are copied, so that they do not keep the whole chunk alive.
 */
const keepShare = 0.25

/**
 * Number of earlier contents that are kept: a copy may appear after the file was truncated again.
 */
const maxOlderFormers = 3

/** A read position in the file. */
export interface TailPosition {
  readonly offset: number
  readonly generation: number
  readonly fingerprint: Fingerprint
}

/** Lines, with the offsets in the file of their start and end. */
export interface TailChunk {
  readonly batch: EventBatch
  readonly start: number
  readonly end: number
}

/** `truncated`: the bytes before the position have changed; `restart` continues at 0. */
export type TailRead = TailChunk | 'nothing' | 'truncated'

/** Content that was read before the file was truncated. */
export interface FormerContent {
  readonly position: FormerPosition
  /** First bytes of the content, as far as they are known. */
  readonly head: Buffer
  readonly truncatedMs: number
}

export class TailFile {
  readonly device: number
  readonly inode: number
  /** The current name of the file as of the last scan, and the name before. */
  path: string
  formerPath: string | undefined
  readonly group: string
  /** Set if no path of the group leads to the file: it is read to its end, then dropped. */
  isOrphan = false
  /** Set if the file has changed since it was last read to its end. */
  hasNews = true
  /** Set once every channel has accepted a put of this generation. */
  isKnown = false
  /**
   * Set once the position file has this generation's head, by which the file is found under any
   * name.
   */
  isHeadNoted = false
  /**
   * Set until the position file has the end of the former generation: before, nothing may be put.
   */
  mustBeNoted = false
  /** Size and time as of the last scan, by which the next scan detects a change. */
  seen: Pick<DiskStat, 'sizeBytes' | 'modifiedMs'>
  /** Monotonic time of the last read that found something. */
  lastReadMs: number
  /** Monotonic time before which a file that failed to open or be read is not retried. */
  retryMs = Number.NEGATIVE_INFINITY
  /** Set once a warning was logged that the file cannot be read. */
  isUnreadable = false
  former: FormerContent | undefined
  /** Contents before `former`, newest first. */
  olderFormers: readonly FormerContent[] = []
  /** The file and its former content of which this file is a copy. */
  copyOf: { readonly file: FileKey; readonly former: FormerPosition } | undefined
  /**
   * Fingerprints to compare before the next read: after a start or a failed put, channels may be
   * ahead.
   */
  checks: readonly FingerprintCheck[] = []
  /** First bytes of the file as of a scan, and its time. */
  headNow: { readonly bytes: Buffer; readonly readMs: number } | undefined
  /** Position where reading of this generation began. */
  #base: SafePosition
  #position: TailPosition
  /** First bytes of this generation's content. */
  #head: Buffer = Buffer.alloc(0)
  #file: DiskFile | undefined
  #chunk: Buffer | undefined
  readonly #maxLineBytes: number
  #wantedBytes = firstReadBytes
  /** Bytes after the position without a line end, as of the last read. */
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

  /** The head as recorded in the position file. */
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

  /** Bytes after the position that have no line end yet, as of the last read. */
  get partialBytes(): number {
    return this.#partialBytes
  }

  /** Whether the last read found at most a part of a line. */
  get isReadToEnd(): boolean {
    return !this.hasNews
  }

  /** Opens the file; returns false if the path now leads to another file or does not exist. */
  async open(disk: Disk): Promise<boolean> {
    if (this.#file !== undefined) return true
    const file = await openIfExists(disk, this.path)
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

  /** Whether the file matches all fingerprints. */
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

  /** Reads the head before any line was read, so that it can be recorded. */
  async takeHead(): Promise<void> {
    this.#head = await this.#readHead()
  }

  /** Reads the current first bytes into `headNow`; `head` is of the content that was read. */
  async lookAtHead(nowMs: number): Promise<void> {
    this.headNow = { bytes: await this.#readHead(), readMs: nowMs }
  }

  /**
   * Begins reading at an offset of the current content. `safeEnd`: the position up to which nothing
   * would be lost, if it is lower.
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
   * Reads at most a chunk of lines after the position, and moves the position behind them. With
   * `partial`, a last line without line end counts as complete.
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
    // Without a fingerprint (a position from Flume's file), only the size tells a truncated file
    // from one that is read to its end.
    if (known === 0 && filled === 0 && (await this.#file!.stat()).sizeBytes < offset) {
      return 'truncated'
    }
    // Nothing was put yet, but the position file may have the head of the content that was there.
    if (offset === 0 && !beginsWith(chunk.subarray(0, filled), this.#head)) return 'truncated'
    this.#partialBytes = filled - known
    if (filled === known) return this.#nothing()
    const lines = findLines(chunk, known, filled)
    const isFull = filled === size
    if (isFull && this.#wantedBytes < chunkBytes) this.#wantedBytes = chunkBytes
    else if (lines.count === 0 && isFull && this.#wantedBytes < this.#maxLineBytes) {
      this.#wantedBytes = Math.min(this.#wantedBytes * 2, this.#maxLineBytes)
    } else if (lines.count === 0 && !isFull && !partial) return this.#nothing()
    else {
      // A line that is too long is split; a partial line is complete if the caller says so.
      if (lines.count === 0) {
        return this.#accept(chunk, filled, known, filled, Uint32Array.of(known, filled))
      }
      return this.#accept(chunk, filled, known, lines.end, lines.ranges)
    }
    return this.read(partial)
  }

  /** Returns the fingerprint at an offset of the current content. */
  async fingerprintAt(offset: number): Promise<Fingerprint> {
    const before = Buffer.alloc(Math.min(fingerprintBytes, offset))
    const filled = await this.#file!.read(before, offset - before.length)
    return fingerprintBefore(before.subarray(0, filled), filled)
  }

  /** Moves to a position that was read before or that a channel has. */
  moveTo(position: TailPosition): void {
    if (position.generation !== this.#position.generation) this.#base = baseAt(position)
    this.#position = position
    this.hasNews = true
  }

  /**
   * The file was truncated: continues at its start, with the next generation. `last`: the furthest
   * position of a channel in the old content; `channelEnds`: the position of each channel.
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
    // A large chunk is not kept until the file grows again.
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
    // The batch owns this memory now; the next read allocates its own.
    this.#chunk = undefined
    return { batch: tailBatch(chunk, ranges, count, ends), start, end: offset }
  }

  #keepHead(bytes: Buffer, start: number): void {
    if (start === 0) this.#head = Buffer.alloc(0)
    if (start !== this.#head.length || start >= fingerprintBytes) return
    this.#head = Buffer.concat([this.#head, bytes.subarray(0, fingerprintBytes - start)])
  }
}

/** Returns the fingerprint of the bytes before `end` in `bytes`, which is any part of a file. */
export function fingerprintBefore(bytes: Buffer, end: number): Fingerprint {
  const lengthBytes = Math.min(fingerprintBytes, end)
  return { lengthBytes, crc: crc32c(bytes, end - lengthBytes, end) }
}

function beginsWith(bytes: Buffer, head: Buffer): boolean {
  return bytes.length >= head.length && bytes.subarray(0, head.length).equals(head)
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

async function openIfExists(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read')
  } catch (error) {
    // Renamed or removed since it was listed: the next scan finds its current name.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
