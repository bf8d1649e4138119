// The bytes of an entry of the coordination log: a version, the entry's fields, then its requests.
// Texts and data have a varint length before them; durations, times and versions of nodes are
// doubles, so that any number that a caller gave arrives and is judged by the fold, the same way in
// every process. Decoding never allocates more than the bytes at hand can account for.
//
// A later release that changes the layout raises `formatVersion`: an older release refuses its
// entries as a whole, and must never guess at them.

import { MalformedError } from '../../bytes/malformed.ts'
import { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import { assert } from '../../runtime/assert.ts'
import { CoordinationError } from '../coordinationError.ts'
import type { Operation } from './operation.ts'
import { type Entry, maxRequests, type Request } from './proposal.ts'

const formatVersion = 1

const requestTag = {
  openSession: 1,
  closeSession: 2,
  transaction: 3,
  sessionTransaction: 4,
} as const

const operationTags = ['create', 'set', 'delete', 'check'] as const
const operationMask = 3
/** Of `create`. */
const ephemeralFlag = 4
const sequentialFlag = 8
/** Of the other operations. */
const versionFlag = 4

/** Tag and path length: no operation has fewer bytes. */
const leastOperationBytes = 2
/** Most bytes of an operation beside its path and data: tag, two lengths, version. */
const operationOverhead = 1 + 2 * 5 + 8
/** Most bytes of another request beside its texts, and of an entry beside its requests. */
const requestOverhead = 32
const entryOverhead = 64

export function encodeEntry(entry: Entry): Buffer {
  assert(entry.requests.length <= maxRequests, `an entry has at most ${maxRequests} requests`)
  assert(isDuration(entry.stepMs) && Number.isFinite(entry.wallMs), 'times of an entry are finite')
  const writer = new ByteWriter(capacityFor(entry))
  writer.uint8(formatVersion)
  writeText(writer, entry.member)
  writer.varlong(entry.number)
  writer.float64(entry.stepMs)
  writer.float64(entry.wallMs)
  writer.uvarint(entry.requests.length)
  for (const request of entry.requests) writeRequest(writer, request)
  return writer.written()
}

/**
 * Returns the entry; the data of its operations are views of `bytes`. Throws a MalformedError, or a
 * CoordinationError COORDINATION_UNSUPPORTED for the format of a later release.
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes)
  readFormatVersion(reader, formatVersion, 'an entry of the coordination log')
  const member = readText(reader)
  const number = reader.varlong()
  const stepMs = reader.float64()
  const wallMs = reader.float64()
  if (!isDuration(stepMs)) throw new MalformedError(`step of an entry: ${stepMs} ms`)
  if (!Number.isFinite(wallMs)) throw new MalformedError(`time of an entry: ${wallMs} ms`)
  const count = readCount(reader, 1)
  if (count > maxRequests) throw new MalformedError(`${count} requests in one entry`)
  const requests: Request[] = []
  for (let index = 0; index < count; index++) requests.push(readRequest(reader))
  if (reader.remaining > 0) throw new MalformedError(`${reader.remaining} bytes after an entry`)
  return { member, number, stepMs, wallMs, requests }
}

/**
 * Reads the first byte of a format. Throws COORDINATION_UNSUPPORTED for a version after `version`,
 * MalformedError for none at all.
 */
export function readFormatVersion(reader: ByteReader, version: number, what: string): void {
  const found = reader.uint8()
  if (found === 0) throw new MalformedError(`${what} has no format version`)
  if (found <= version) return
  throw new CoordinationError(
    'COORDINATION_UNSUPPORTED',
    `${what} has format ${found}, of a later release; this one reads up to ${version}: upgrade it`,
  )
}

/**
 * Reads a count of things of at least `leastBytes` each, so that it is bounded by the bytes left.
 */
export function readCount(reader: ByteReader, leastBytes: number): number {
  const count = reader.uvarint()
  reader.need(count * leastBytes)
  return count
}

export function writeText(writer: ByteWriter, text: string): void {
  const byteLength = Buffer.byteLength(text)
  writer.uvarint(byteLength)
  writer.reserve(byteLength).write(text, writer.length, 'utf8')
  writer.length += byteLength
}

export function readText(reader: ByteReader): string {
  return reader.utf8(reader.uvarint())
}

function isDuration(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0
}

function capacityFor(entry: Entry): number {
  let bytes = entryOverhead + Buffer.byteLength(entry.member)
  for (const request of entry.requests) bytes += maxRequestBytes(request)
  return bytes
}

/** Returns an upper bound of the bytes that the request adds to an entry. */
function maxRequestBytes(request: Request): number {
  if (request.type === 'openSession') {
    return requestOverhead + Buffer.byteLength(request.session) + Buffer.byteLength(request.name)
  }
  if (request.type === 'closeSession') {
    return requestOverhead + Buffer.byteLength(request.session)
  }
  let bytes = requestOverhead + Buffer.byteLength(request.session ?? '')
  for (const operation of request.operations) {
    bytes += operationOverhead + Buffer.byteLength(operation.path)
    if ('data' in operation) bytes += operation.data.length
  }
  return bytes
}

function writeRequest(writer: ByteWriter, request: Request): void {
  if (request.type === 'openSession') {
    writer.uint8(requestTag.openSession)
    writeText(writer, request.session)
    writer.float64(request.timeoutMs)
    writeText(writer, request.name)
  } else if (request.type === 'closeSession') {
    writer.uint8(requestTag.closeSession)
    writeText(writer, request.session)
  } else {
    writeTransaction(writer, request.session, request.operations)
  }
}

function writeTransaction(
  writer: ByteWriter,
  session: string | undefined,
  operations: readonly Operation[],
): void {
  if (session === undefined) {
    writer.uint8(requestTag.transaction)
  } else {
    writer.uint8(requestTag.sessionTransaction)
    writeText(writer, session)
  }
  writer.uvarint(operations.length)
  for (const operation of operations) writeOperation(writer, operation)
}

function writeOperation(writer: ByteWriter, operation: Operation): void {
  const type = operationTags.indexOf(operation.type)
  if (operation.type === 'create') {
    const flags =
      (operation.isEphemeral ? ephemeralFlag : 0) | (operation.isSequential ? sequentialFlag : 0)
    writer.uint8(type | flags)
    writeText(writer, operation.path)
  } else {
    writer.uint8(type | (operation.version === undefined ? 0 : versionFlag))
    writeText(writer, operation.path)
    if (operation.version !== undefined) writer.float64(operation.version)
  }
  if ('data' in operation) {
    writer.uvarint(operation.data.length)
    writer.raw(operation.data)
  }
}

function readRequest(reader: ByteReader): Request {
  const tag = reader.uint8()
  switch (tag) {
    case requestTag.openSession: {
      const session = readText(reader)
      const timeoutMs = reader.float64()
      return { type: 'openSession', session, timeoutMs, name: readText(reader) }
    }
    case requestTag.closeSession:
      return { type: 'closeSession', session: readText(reader) }
    case requestTag.transaction:
      return { type: 'transaction', session: undefined, operations: readOperations(reader) }
    case requestTag.sessionTransaction: {
      const session = readText(reader)
      return { type: 'transaction', session, operations: readOperations(reader) }
    }
    default:
      throw new MalformedError(`request ${tag} of an entry`)
  }
}

function readOperations(reader: ByteReader): Operation[] {
  const count = readCount(reader, leastOperationBytes)
  const operations: Operation[] = []
  for (let index = 0; index < count; index++) operations.push(readOperation(reader))
  return operations
}

function readOperation(reader: ByteReader): Operation {
  const tag = reader.uint8()
  const type = operationTags[tag & operationMask]!
  const path = readText(reader)
  if (type === 'create') {
    needFlags(tag, ephemeralFlag | sequentialFlag)
    const isEphemeral = (tag & ephemeralFlag) !== 0
    const isSequential = (tag & sequentialFlag) !== 0
    return { type, path, data: readData(reader), isEphemeral, isSequential }
  }
  needFlags(tag, versionFlag)
  const expected = (tag & versionFlag) === 0 ? {} : { version: reader.float64() }
  if (type === 'set') return { type, path, data: readData(reader), ...expected }
  return { type, path, ...expected }
}

function readData(reader: ByteReader): Uint8Array {
  return reader.view(reader.uvarint())
}

function needFlags(tag: number, known: number): void {
  if ((tag & ~(operationMask | known)) !== 0) throw new MalformedError(`operation ${tag}`)
}
