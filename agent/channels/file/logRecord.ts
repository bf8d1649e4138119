// The records of a file channel's log and their encoding. The format is Millrace's own; Flume's
// logs are not read. Integers are big-endian, counts are varints. A body is the part of a buffer
// that holds the events of a batch; the head has two varints per event: the gap before it, its
// length.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import type { ByteWriter } from '../../../protocol/bytes/writer.ts'
import { batchOf, EventBatch, type Headers, noHeaders } from '../../event.ts'
import type { PreparedTake } from '../channelState.ts'
import type { StoredPut } from '../eventStore.ts'
import type { Range } from '../rangeSet.ts'
import type { SourcePosition } from '../sourcePosition.ts'
import { beginFrame, endFrame } from './frame.ts'

/** Version 2: snapshots have contents. */
const formatVersion = 2

const Type = { snapshot: 1, put: 2, prepare: 3, take: 4, release: 5 } as const

/** The first record of each file: the state before it, so that earlier files can be deleted. */
export interface Snapshot {
  readonly nextEvent: number
  readonly nextPreparedId: number
  readonly positions: readonly SourcePosition[]
  readonly lastStamps: ReadonlyMap<string, Buffer>
  /** Undefined in version 1. */
  readonly contents: SnapshotContents | undefined
}

/** What the channel has; with it, earlier records of takes and releases can be deleted. */
export interface SnapshotContents {
  readonly held: readonly Range[]
  readonly prepared: readonly PreparedTake[]
}

export type LogRecord =
  | ({ readonly type: 'snapshot' } & Snapshot)
  | {
      readonly type: 'put'
      /**
       * Whether it is the last record of its transaction; without it, the records before do not
       * count.
       */
      readonly isLast: boolean
      readonly range: Range
      readonly position: SourcePosition | undefined
      readonly bodyCrc: number
      /** Position in the head of the events' headers and lengths. */
      readonly contentAt: number
    }
  | { readonly type: 'prepare'; readonly take: PreparedTake }
  | { readonly type: 'take'; readonly preparedId: number; readonly ranges: readonly Range[] }
  | { readonly type: 'release'; readonly preparedId: number }

/**
 * Returns the batch, copied if needed so that the written bytes contain little besides its events.
 */
function compacted(batch: EventBatch): EventBatch {
  const stretch = batch.count === 0 ? 0 : batch.end(batch.count - 1) - batch.start(0)
  const tolerated = batch.bodyBytes() + batch.count * 4 + 1024
  if (stretch >= 0 && stretch <= tolerated && isAscending(batch)) return batch
  const bodies = Array.from({ length: batch.count }, (_, index) => batch.body(index))
  const own = batch.eventHeaders?.slice(batch.first, batch.first + batch.count)
  return batchOf(bodies, batch.headers, own)
}

/**
 * Writes the head for one batch of a put; returns the body that must follow it. An empty batch,
 * which only has a position, gets the number of the next event.
 */
export function writePut(
  writer: ByteWriter,
  put: StoredPut,
  nextEvent: number,
  isLast: boolean,
): Buffer {
  const batch = compacted(put.batch)
  const start = batch.count === 0 ? 0 : batch.start(0)
  const body = batch.bytes.subarray(start, batch.count === 0 ? 0 : batch.end(batch.count - 1))
  const frame = beginFrame(writer)
  writer.uint8(Type.put)
  writer.uint8(isLast ? 1 : 0)
  writer.int64(put.range?.from ?? nextEvent)
  writer.uvarint(batch.count)
  writer.uint32(crc32c(body))
  writer.uint8(put.position === undefined ? 0 : 1)
  if (put.position !== undefined) writePosition(writer, put.position)
  writeHeaders(writer, batch.headers)
  writeEventHeaders(writer, batch)
  writeLengths(writer, batch, start)
  endFrame(writer, frame, body.length)
  return body
}

export function writePrepare(writer: ByteWriter, take: PreparedTake): void {
  const frame = beginFrame(writer)
  writer.uint8(Type.prepare)
  writePreparedTake(writer, take)
  endFrame(writer, frame, 0)
}

export function writeTake(writer: ByteWriter, ranges: readonly Range[], preparedId: number): void {
  const frame = beginFrame(writer)
  writer.uint8(Type.take)
  writer.int64(preparedId)
  writeRanges(writer, ranges)
  endFrame(writer, frame, 0)
}

export function writeRelease(writer: ByteWriter, preparedId: number): void {
  const frame = beginFrame(writer)
  writer.uint8(Type.release)
  writer.int64(preparedId)
  endFrame(writer, frame, 0)
}

export function writeSnapshot(
  writer: ByteWriter,
  { contents, ...snapshot }: Snapshot & { readonly contents: SnapshotContents },
): void {
  const frame = beginFrame(writer)
  writer.uint8(Type.snapshot)
  writer.uint8(formatVersion)
  writer.int64(snapshot.nextEvent)
  writer.int64(snapshot.nextPreparedId)
  writer.uvarint(snapshot.positions.length)
  for (const position of snapshot.positions) writePosition(writer, position)
  writer.uvarint(snapshot.lastStamps.size)
  for (const [sink, stamp] of snapshot.lastStamps) {
    writeText(writer, sink)
    writeBytes(writer, stamp)
  }
  const { held, prepared } = contents
  writeRanges(writer, held)
  writer.uvarint(prepared.length)
  for (const take of prepared) writePreparedTake(writer, take)
  endFrame(writer, frame, 0)
}

/** Reads a head. A MalformedError is a head of another version, because its checksum was valid. */
export function readRecord(head: Buffer): LogRecord {
  const reader = new ByteReader(head)
  const type = reader.uint8()
  switch (type) {
    case Type.snapshot:
      return readSnapshot(reader)
    case Type.put:
      return readPutHead(reader)
    case Type.prepare:
      return { type: 'prepare', take: readPreparedTake(reader) }
    case Type.take:
      return { type: 'take', preparedId: reader.int64(), ranges: readRanges(reader) }
    case Type.release:
      return { type: 'release', preparedId: reader.int64() }
    default:
      throw new MalformedError(`record type ${type}`)
  }
}

/**
 * Returns the batch of a put record. Its body starts in `bytes` at `bodyAt`; the batch owns
 * `bytes`.
 */
export function readBatch(
  head: Buffer,
  record: Extract<LogRecord, { type: 'put' }>,
  bytes: Buffer,
  bodyAt: number,
): EventBatch {
  const reader = new ByteReader(head)
  reader.position = record.contentAt
  const count = record.range.until - record.range.from
  const headers = readHeaders(reader)
  const eventHeaders = readEventHeaders(reader, count)
  // Checked before allocation: each event has at least two bytes in the head.
  reader.need(count * 2)
  const ranges = new Uint32Array(count * 2)
  let at = bodyAt
  for (let index = 0; index < count; index++) {
    at += reader.uvarint()
    ranges[index * 2] = at
    at += reader.uvarint()
    ranges[index * 2 + 1] = at
  }
  if (at > bytes.length) throw new MalformedError('events reach beyond the body')
  return new EventBatch(bytes, ranges, count, headers, eventHeaders)
}

function readPutHead(reader: ByteReader): LogRecord {
  const isLast = reader.uint8() === 1
  const from = reader.int64()
  const count = reader.uvarint()
  const bodyCrc = reader.uint32()
  const position = reader.uint8() === 1 ? readPosition(reader) : undefined
  const range = { from, until: from + count }
  return { type: 'put', isLast, range, position, bodyCrc, contentAt: reader.position }
}

function readSnapshot(reader: ByteReader): LogRecord {
  const version = reader.uint8()
  if (version < 1 || version > formatVersion) throw new MalformedError(`format version ${version}`)
  const nextEvent = reader.int64()
  const nextPreparedId = reader.int64()
  const positions: SourcePosition[] = []
  for (let left = reader.uvarint(); left > 0; left--) positions.push(readPosition(reader))
  const lastStamps = new Map<string, Buffer>()
  for (let left = reader.uvarint(); left > 0; left--) {
    lastStamps.set(readText(reader), readBytes(reader))
  }
  const contents = version === 1 ? undefined : readContents(reader)
  return { type: 'snapshot', nextEvent, nextPreparedId, positions, lastStamps, contents }
}

function readContents(reader: ByteReader): SnapshotContents {
  const held = readRanges(reader)
  const prepared: PreparedTake[] = []
  for (let left = reader.uvarint(); left > 0; left--) prepared.push(readPreparedTake(reader))
  return { held, prepared }
}

function isAscending(batch: EventBatch): boolean {
  for (let index = 1; index < batch.count; index++) {
    if (batch.start(index) < batch.end(index - 1)) return false
  }
  return true
}

function writeLengths(writer: ByteWriter, batch: EventBatch, start: number): void {
  const { ranges, first, count } = batch
  // Two varints per event, at most five bytes each, reserved at once.
  const bytes = writer.reserve(count * 10)
  let out = writer.length
  let at = start
  for (let index = first * 2, end = index + count * 2; index < end; index++) {
    let value = ranges[index]! - at
    at = ranges[index]!
    while (value >= 0x80) {
      bytes[out++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[out++] = value
  }
  writer.length = out
}

function writePosition(writer: ByteWriter, position: SourcePosition): void {
  writeText(writer, position.source)
  writeText(writer, position.path)
  writer.float64(position.device)
  writer.float64(position.inode)
  writer.uvarint(position.generation)
  writer.int64(position.start)
  writer.int64(position.end)
  writer.uvarint(position.fingerprint.lengthBytes)
  writer.uint32(position.fingerprint.crc)
}

function readPosition(reader: ByteReader): SourcePosition {
  return {
    source: readText(reader),
    path: readText(reader),
    device: reader.float64(),
    inode: reader.float64(),
    generation: reader.uvarint(),
    start: reader.int64(),
    end: reader.int64(),
    fingerprint: { lengthBytes: reader.uvarint(), crc: reader.uint32() },
  }
}

function writeHeaders(writer: ByteWriter, headers: Headers): void {
  const entries = Object.entries(headers)
  writer.uvarint(entries.length)
  for (const [name, value] of entries) {
    writeText(writer, name)
    writeText(writer, value)
  }
}

function readHeaders(reader: ByteReader): Headers {
  const count = reader.uvarint()
  if (count === 0) return noHeaders
  const entries: [name: string, value: string][] = []
  for (let left = count; left > 0; left--) entries.push([readText(reader), readText(reader)])
  // Not by assignment, which would lose a header named __proto__.
  return Object.fromEntries(entries)
}

/** Writes 0, or 1 and the headers of each event, which may be empty. */
function writeEventHeaders(writer: ByteWriter, batch: EventBatch): void {
  const { eventHeaders, first, count } = batch
  writer.uint8(eventHeaders === undefined ? 0 : 1)
  if (eventHeaders === undefined) return
  for (let index = 0; index < count; index++) {
    writeHeaders(writer, eventHeaders[first + index] ?? noHeaders)
  }
}

function readEventHeaders(reader: ByteReader, count: number): Headers[] | undefined {
  if (reader.uint8() === 0) return undefined
  reader.need(count)
  return Array.from({ length: count }, () => readHeaders(reader))
}

function writePreparedTake(writer: ByteWriter, take: PreparedTake): void {
  writer.int64(take.id)
  writeText(writer, take.sink)
  writeRanges(writer, take.ranges)
  writeBytes(writer, take.stamp)
}

function readPreparedTake(reader: ByteReader): PreparedTake {
  const id = reader.int64()
  const sink = readText(reader)
  const ranges = readRanges(reader)
  return { id, sink, ranges, stamp: readBytes(reader) }
}

function writeRanges(writer: ByteWriter, ranges: readonly Range[]): void {
  writer.uvarint(ranges.length)
  for (const { from, until } of ranges) {
    writer.int64(from)
    writer.uvarint(until - from)
  }
}

function readRanges(reader: ByteReader): Range[] {
  const count = reader.uvarint()
  reader.need(count * 9)
  return Array.from({ length: count }, () => {
    const from = reader.int64()
    return { from, until: from + reader.uvarint() }
  })
}

function writeText(writer: ByteWriter, text: string): void {
  writer.uvarint(Buffer.byteLength(text))
  writer.utf8(text)
}

function readText(reader: ByteReader): string {
  return reader.utf8(reader.uvarint())
}

function writeBytes(writer: ByteWriter, bytes: Buffer): void {
  writer.uvarint(bytes.length)
  writer.raw(bytes)
}

/** Reads bytes as a copy, because the head is not kept. */
function readBytes(reader: ByteReader): Buffer {
  return Buffer.from(reader.view(reader.uvarint()))
}
