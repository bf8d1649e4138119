// The undo record of a batch: the previous value of each entry, value or timer, that the batch
// changed. A single record holds all of them, so that forgetting a batch deletes one entry.

import type { HeldValue } from './heldValue.ts'
import type { StateChange } from './stateDatabase.ts'
import { damaged } from './stateError.ts'

/** The value of an entry before a batch; null for an entry that did not exist. */
export type UndoEntry = readonly [key: Uint8Array, before: Uint8Array | null]

const headBytes = 8
const none = 0
/** Initial buffer size, enough for a small batch. */
const firstBytes = 1024

/** `before`: the previous value of each change. Each key is read once. */
export function encodeUndo(
  changes: readonly StateChange[],
  before: readonly (HeldValue | null)[],
): Buffer {
  let bytes: Buffer = Buffer.allocUnsafe(firstBytes)
  let end = 0
  for (const [at, { key }] of changes.entries()) {
    const value = before[at] ?? null
    const next = end + headBytes + key.length + (value?.length ?? 0)
    if (next > bytes.length) bytes = enlarged(bytes, end, next)
    bytes.writeUInt32BE(key.length, end)
    bytes.writeUInt32BE(value === null ? none : value.length + 1, end + 4)
    bytes.set(key, end + headBytes)
    if (typeof value === 'string') bytes.write(value, end + headBytes + key.length, 'latin1')
    else if (value !== null) bytes.set(value, end + headBytes + key.length)
    end = next
  }
  return bytes.subarray(0, end)
}

function enlarged(bytes: Buffer, used: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(2 * bytes.length, needed))
  larger.set(bytes.subarray(0, used))
  return larger
}

/**
 * Entries share the bytes of `record`; `where` names the state in messages. Throws STATE_DAMAGED.
 */
export function decodeUndo(where: string, record: Uint8Array): UndoEntry[] {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const entries: UndoEntry[] = []
  const take = (at: number, length: number) => {
    if (at + length > bytes.length) throw damaged(where, 'an undo record is truncated')
    return bytes.subarray(at, at + length)
  }
  for (let at = 0; at < bytes.length; ) {
    const head = take(at, headBytes)
    const keyBytes = head.readUInt32BE(0)
    const valueBytes = head.readUInt32BE(4)
    const key = take(at + headBytes, keyBytes)
    at += headBytes + keyBytes
    if (valueBytes === none) {
      entries.push([key, null])
      continue
    }
    entries.push([key, take(at, valueBytes - 1)])
    at += valueBytes - 1
  }
  return entries
}
