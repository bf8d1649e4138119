// The file of one state in a savepoint: entries in frames, each with a checksum (see
// checkpoint/entryFormat.ts). Read one frame at a time, because a state may be larger than memory.
//
// An entry is: kind (1 byte: 0 value, 1 event time timer, 2 processing time timer); key in UTF-16,
// because a key may be any string (4 bytes of length, then the bytes); then a value (4 bytes of
// length, then the bytes), or a time (8 bytes, float) and a tag (1 byte). Everything except UTF-16
// is big-endian.

import { crc32c } from '../../protocol/bytes/crc32c.ts'
import type { Disk, DiskFile } from '../../protocol/runtime/disk/disk.ts'
import { encodeEntry, entryHeaderBytes } from '../checkpoint/entryFormat.ts'
import type { StateChunks, StateEntry } from '../state/stateEntry.ts'

export interface StateFileSize {
  readonly bytes: number
  readonly entries: number
}

/** Minimum size at which a frame is written; an entry is never split. */
const frameBytes = 256 * 1024
const lengthBytes = 4
const timerBytes = 9

/** Writes a new file, durable when it resolves. */
export async function writeStateFile(
  disk: Disk,
  path: string,
  chunks: StateChunks,
): Promise<StateFileSize> {
  const file = await disk.open(path, 'write')
  let bytes = 0
  let entries = 0
  let pending: Buffer[] = []
  let pendingBytes = 0
  const flush = async () => {
    if (pendingBytes === 0) return
    const frame = encodeEntry(Buffer.concat(pending))
    await file.write([frame], bytes)
    bytes += frame.length
    pending = []
    pendingBytes = 0
  }
  try {
    for await (const chunk of chunks) {
      for (const entry of chunk) {
        const encoded = encodeStateEntry(entry)
        pending.push(encoded)
        pendingBytes += encoded.length
        entries++
        if (pendingBytes >= frameBytes) await flush()
      }
    }
    await flush()
    await file.sync()
  } finally {
    await file.close()
  }
  return { bytes, entries }
}

/** Throws an Error with the flaw, at the frame that has it; at the end when entries are missing. */
export async function* readStateFile(
  disk: Disk,
  path: string,
  size: StateFileSize,
): AsyncGenerator<readonly StateEntry[], void> {
  const file = await disk.open(path, 'read')
  try {
    const { sizeBytes } = await file.stat()
    if (sizeBytes !== size.bytes)
      throw new Error(`it has ${sizeBytes} bytes, expected ${size.bytes}`)
    let entries = 0
    for (let at = 0; at < size.bytes; ) {
      const content = await readFrame(file, at, size.bytes)
      const chunk = decodeStateEntries(content)
      entries += chunk.length
      at += entryHeaderBytes + content.length
      yield chunk
    }
    if (entries !== size.entries)
      throw new Error(`it has ${entries} entries, expected ${size.entries}`)
  } finally {
    await file.close()
  }
}

async function readFrame(file: DiskFile, at: number, end: number): Promise<Buffer> {
  const header = await readBytes(file, at, Math.min(entryHeaderBytes, end - at))
  const length = header.length < entryHeaderBytes ? end : header.readUInt32BE(0)
  if (at + entryHeaderBytes + length > end) throw new Error(`the frame at byte ${at} is truncated`)
  const content = await readBytes(file, at + entryHeaderBytes, length)
  if (crc32c(content) === header.readUInt32BE(4)) return content
  throw new Error(`the checksum of the frame at byte ${at} does not match`)
}

async function readBytes(file: DiskFile, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const read = await file.read(bytes, at)
  return bytes.subarray(0, read)
}

function encodeStateEntry(entry: StateEntry): Buffer {
  if (entry.kind === 'value') {
    const value = Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.byteLength)
    return withKey(0, entry.key, lengthBytes + value.length, (bytes, at) => {
      bytes.writeUInt32BE(value.length, at)
      value.copy(bytes, at + lengthBytes)
    })
  }
  const { domain, timeMs, key, tag } = entry.timer
  return withKey(domain === 'event' ? 1 : 2, key, timerBytes, (bytes, at) => {
    bytes.writeDoubleBE(timeMs, at)
    bytes.writeUInt8(tag, at + 8)
  })
}

function withKey(
  kind: number,
  key: string,
  restBytes: number,
  fill: (bytes: Buffer, at: number) => void,
): Buffer {
  const keyBytes = 2 * key.length
  const at = 1 + lengthBytes + keyBytes
  const bytes = Buffer.alloc(at + restBytes)
  bytes.writeUInt8(kind, 0)
  bytes.writeUInt32BE(keyBytes, 1)
  bytes.write(key, 1 + lengthBytes, 'utf16le')
  fill(bytes, at)
  return bytes
}

/** The values are views of `content`. */
function decodeStateEntries(content: Buffer): StateEntry[] {
  const entries: StateEntry[] = []
  for (let at = 0; at < content.length; ) {
    const kind = content.readUInt8(at)
    const keyEnd = at + 1 + lengthBytes + content.readUInt32BE(at + 1)
    const key = content.toString('utf16le', at + 1 + lengthBytes, keyEnd)
    if (kind === 0) {
      const from = keyEnd + lengthBytes
      const end = from + content.readUInt32BE(keyEnd)
      if (end > content.length) throw new Error('a value is truncated')
      entries.push({ kind: 'value', key, value: content.subarray(from, end) })
      at = end
    } else {
      const domain = kind === 1 ? 'event' : 'processing'
      const timeMs = content.readDoubleBE(keyEnd)
      const tag = content.readUInt8(keyEnd + 8)
      entries.push({ kind: 'timer', timer: { domain, timeMs, key, tag } })
      at = keyEnd + timerBytes
    }
  }
  return entries
}
