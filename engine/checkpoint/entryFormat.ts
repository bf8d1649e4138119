// The format of entries in a checkpoint file: length and CRC-32C of the content (int32 each,
// big-endian), then the content. Finds the end of the valid entries. No I/O.

import { crc32c } from '../../protocol/bytes/crc32c.ts'

/** Length and checksum. */
export const entryHeaderBytes = 8

export interface ReadEntries {
  readonly entries: readonly Buffer[]
  /** End of the valid entries, in bytes; a torn write or nothing follows. */
  readonly soundBytes: number
  /**
   * A valid entry follows an invalid one. A torn write cannot cause that, because an entry is
   * written only once those before it are durable: the file is damaged.
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

/** Returns the entries of a whole file, as views of it. */
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
  // Entries are never empty: a file that was extended before its content arrived is filled with
  // zeros.
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
