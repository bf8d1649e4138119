// The format of the commit journal: groups of entries, each group written with one sync. An entry
// is bytes that were appended to a segment, or a mark that makes earlier entries void. Encodes, and
// decides what can be believed after a crash; touches no disk.
//
//   group = head payload
//   head  = magic groupBytes crc runId sequence headBytes entryCount entry*
//   entry = kind name baseOffset position endOffset chunkCount (length crc)*

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'

export type JournalEntry =
  | {
      readonly kind: 'append'
      /** The partition's directory. */
      readonly name: string
      /** Of the segment that the bytes were appended to. */
      readonly baseOffset: number
      /** Of the first byte in the segment's file. */
      readonly position: number
      /** The offset after the last record. */
      readonly endOffset: number
      readonly chunks: readonly Buffer[]
    }
  /**
   * The partition was cut: later segments, and what lies from `position` on in this one, is void.
   */
  | {
      readonly kind: 'cut'
      readonly name: string
      readonly baseOffset: number
      readonly position: number
    }
  /** The segments up to this one are durable as they are, and may be written anew. */
  | { readonly kind: 'settled'; readonly name: string; readonly baseOffset: number }

/** One group of a run: groups count on by one, and a run begins with every start of the broker. */
export interface GroupPlace {
  readonly runId: Buffer
  readonly sequence: number
}

/** An entry as it is found again: of appended bytes only where they are. */
export type FoundEntry =
  | {
      readonly kind: 'append'
      readonly name: string
      readonly baseOffset: number
      readonly position: number
      readonly endOffset: number
      /** Where the bytes are, from the start of the group. */
      readonly at: number
      readonly lengthBytes: number
    }
  | Exclude<JournalEntry, { kind: 'append' }>

export interface FoundGroup {
  readonly place: GroupPlace
  readonly entries: readonly FoundEntry[]
}

export const runIdBytes = 8
/** Enough of a group to know how long its head and the whole of it are. */
export const groupPrefixBytes = 34

const magic = 0x4d524a31
const kinds = ['append', 'cut', 'settled'] as const
const crcAt = 8
const checkedFrom = 12
const headBytesAt = 28

/** The chunks of a group, the head first. The chunks of the entries are in it by reference. */
export function encodeGroup(place: GroupPlace, entries: readonly JournalEntry[]): Buffer[] {
  const writer = new ByteWriter(256)
  const payload: Buffer[] = []
  writer.uint32(magic)
  writer.uint32(0)
  writer.uint32(0)
  writer.raw(place.runId)
  writer.int64(place.sequence)
  writer.uint32(0)
  writer.uint16(entries.length)
  for (const entry of entries) {
    writeEntry(writer, entry)
    if (entry.kind === 'append') payload.push(...entry.chunks)
  }
  const head = writer.take()
  const payloadBytes = totalBytes(payload)
  head.writeUInt32BE(head.length + payloadBytes, 4)
  head.writeUInt32BE(head.length, headBytesAt)
  head.writeUInt32BE(crc32c(head, checkedFrom), crcAt)
  return [head, ...payload]
}

/** The sizes that a group says of itself; undefined when this is no beginning of a group. */
export function groupSizes(
  prefix: Buffer,
): { readonly groupBytes: number; readonly headBytes: number } | undefined {
  if (prefix.length < groupPrefixBytes || prefix.readUInt32BE(0) !== magic) return undefined
  const groupBytes = prefix.readUInt32BE(4)
  const headBytes = prefix.readUInt32BE(headBytesAt)
  if (headBytes < groupPrefixBytes || groupBytes < headBytes) return undefined
  return { groupBytes, headBytes }
}

/** A whole group; undefined when a byte of it is not as it was written. */
export function decodeGroup(group: Buffer): FoundGroup | undefined {
  const sizes = groupSizes(group)
  if (sizes === undefined || sizes.groupBytes !== group.length) return undefined
  const head = group.subarray(0, sizes.headBytes)
  if (head.readUInt32BE(crcAt) !== crc32c(head, checkedFrom)) return undefined
  try {
    return readGroup(new ByteReader(head), group, sizes.headBytes)
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

function readGroup(reader: ByteReader, group: Buffer, payloadAt: number): FoundGroup | undefined {
  reader.skip(checkedFrom)
  const runId = Buffer.from(reader.view(runIdBytes))
  const sequence = reader.int64()
  reader.skip(4)
  const entries: FoundEntry[] = []
  let at = payloadAt
  for (let left = reader.uint16(); left > 0; left--) {
    const entry = readEntry(reader, group, at)
    if (entry === undefined) return undefined
    if (entry.kind === 'append') at += entry.lengthBytes
    entries.push(entry)
  }
  return at === group.length ? { place: { runId, sequence }, entries } : undefined
}

function writeEntry(writer: ByteWriter, entry: JournalEntry): void {
  const name = Buffer.from(entry.name)
  writer.uint8(kinds.indexOf(entry.kind))
  writer.uint16(name.length)
  writer.raw(name)
  writer.int64(entry.baseOffset)
  if (entry.kind === 'settled') return
  writer.int64(entry.position)
  if (entry.kind === 'cut') return
  writer.int64(entry.endOffset)
  writer.uint32(entry.chunks.length)
  for (const chunk of entry.chunks) {
    writer.uint32(chunk.length)
    writer.uint32(crc32c(chunk))
  }
}

/** Undefined when the bytes at `at`, which are the entry's, are not as they were written. */
function readEntry(reader: ByteReader, group: Buffer, at: number): FoundEntry | undefined {
  const kind = kinds[reader.uint8()]
  const name = Buffer.from(reader.view(reader.uint16())).toString('utf8')
  const baseOffset = reader.int64()
  if (kind === 'settled') return { kind, name, baseOffset }
  const position = reader.int64()
  if (kind === 'cut') return { kind, name, baseOffset, position }
  if (kind === undefined) return undefined
  const endOffset = reader.int64()
  let end = at
  for (let left = reader.uint32(); left > 0; left--) {
    const start = end
    end += reader.uint32()
    if (end > group.length || crc32c(group, start, end) !== reader.uint32()) return undefined
  }
  return { kind, name, baseOffset, position, endOffset, at, lengthBytes: end - at }
}
