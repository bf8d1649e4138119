// The format of the commit journal: groups of entries, each written with one sync. An entry has
// bytes that were appended to a segment, or voids earlier entries. Encodes groups, and decides
// which are sound after a crash; does no I/O.
//
// group = head payload
// head  = magic groupBytes crc runId sequence headBytes entryCount entry*
// entry = kind name baseOffset position endOffset chunkCount (length crc)*

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { totalBytes } from '../../../protocol/runtime/totalBytes.ts'

export type JournalEntry =
  | {
      readonly kind: 'append'
      /** Name of the partition's directory. */
      readonly name: string
      /** Base offset of the segment that the bytes were appended to. */
      readonly baseOffset: number
      /** Position in the segment file of the first byte. */
      readonly position: number
      /** The offset after the last record. */
      readonly endOffset: number
      readonly chunks: readonly Buffer[]
    }
  /**
   * The partition was truncated: later segments, and bytes from `position` on in this one, are
   * void.
   */
  | {
      readonly kind: 'cut'
      readonly name: string
      readonly baseOffset: number
      readonly position: number
    }
  /** The segments up to this one are durable, and may be replaced. */
  | { readonly kind: 'settled'; readonly name: string; readonly baseOffset: number }

/**
 * Identifies one group: sequence numbers ascend by 1 within a run, and a run begins at every start
 * of the broker.
 */
export interface GroupPlace {
  readonly runId: Buffer
  readonly sequence: number
}

/** An entry read from the journal; for appended bytes only their position. */
export type FoundEntry =
  | {
      readonly kind: 'append'
      readonly name: string
      readonly baseOffset: number
      readonly position: number
      readonly endOffset: number
      /** Position of the bytes from the start of the group. */
      readonly at: number
      readonly lengthBytes: number
    }
  | Exclude<JournalEntry, { kind: 'append' }>

export interface FoundGroup {
  readonly place: GroupPlace
  readonly entries: readonly FoundEntry[]
}

export const runIdBytes = 8
/** Bytes of a group that are needed to know the size of its head and of the group. */
export const groupPrefixBytes = 34

const magic = 0x4d524a31
const kinds = ['append', 'cut', 'settled'] as const
const crcAt = 8
const checkedFrom = 12
const headBytesAt = 28

/**
 * Returns the chunks of a group, the head first. The chunks of the entries are included by
 * reference.
 */
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

/** Reads the sizes of a group from its prefix; undefined if no group starts here. */
export function groupSizes(
  prefix: Buffer,
): { readonly groupBytes: number; readonly headBytes: number } | undefined {
  if (prefix.length < groupPrefixBytes || prefix.readUInt32BE(0) !== magic) return undefined
  const groupBytes = prefix.readUInt32BE(4)
  const headBytes = prefix.readUInt32BE(headBytesAt)
  if (headBytes < groupPrefixBytes || groupBytes < headBytes) return undefined
  return { groupBytes, headBytes }
}

/** Decodes a whole group; undefined if any byte is damaged. */
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

/** Undefined if the bytes of the entry, at `at`, are damaged. */
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
