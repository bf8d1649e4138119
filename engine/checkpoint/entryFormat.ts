// How entries lie in a checkpoint file: length and CRC-32C of the content (int32 each, big-endian),
// then the content. Reads them back and finds where the sound ones end. No I/O here.

import { crc32c } from '../../protocol/bytes/crc32c.ts'

/** Length and checksum. */
export const entryHeaderBytes = 8

export interface ReadEntries {
  readonly entries: readonly Buffer[]
  /** Where the sound entries end; what follows is a torn write, or nothing. */
  readonly soundBytes: number
  /**
   * A sound entry was found behind one that is not. A torn write cannot leave that, because an entry
   * is written only when those before it are durable: the file was damaged otherwise.
   */
  readonly isDamaged: boolean
}

export function encodeEntry(content: Uint8Array): Buffer {
  const entry = Buffer.allocUnsafeSlow(entryHeaderBytes + content.length)
  entry.writeUInt32BE(content.length, 0)
  entry.writeUInt32BE(crc32c(content), 4)
  entry.set(content, entryHeaderBytes)
  return entry
}

/** The entries of a whole file, as views of it. */
export function readEntries(file: Buffer): ReadEntries {
  const entries: Buffer[] = []
  let at = 0
  for (;;) {
    const entry = entryAt(file, at)
    if (entry === undefined) return { entries, soundBytes: at, isDamaged: hasEntryAfter(file, at) }
    entries.push(entry)
    at += entryHeaderBytes + entry.length
  }
}

function entryAt(file: Buffer, at: number): Buffer | undefined {
  if (at + entryHeaderBytes > file.length) return undefined
  const length = file.readUInt32BE(at)
  const start = at + entryHeaderBytes
  // No entry is empty: a file that grew before its content arrived is full of zeros.
  if (length === 0 || length > file.length - start) return undefined
  const isSound = crc32c(file, start, start + length) === file.readUInt32BE(at + 4)
  return isSound ? file.subarray(start, start + length) : undefined
}

function hasEntryAfter(file: Buffer, at: number): boolean {
  for (let next = at + 1; next + entryHeaderBytes < file.length; next++) {
    if (entryAt(file, next) !== undefined) return true
  }
  return false
}
