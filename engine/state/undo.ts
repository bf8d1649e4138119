// What undoes a batch: for each entry that the batch changed, values and timers alike, the value that was
// there before. One record holds all of them, so that forgetting it deletes one entry.

import type { HeldValue } from './heldValue.ts'
import type { StateChange } from './stateDatabase.ts'
import { StateError } from './stateError.ts'

/** The value of an entry before a batch; null for an entry that did not exist. */
export type UndoEntry = readonly [key: Uint8Array, before: Uint8Array | null]

const headBytes = 8
const none = 0

/** `before` has the value before the batch of each changed entry. */
export function encodeUndo(
  changes: readonly StateChange[],
  before: readonly (HeldValue | null)[],
): Buffer {
  let length = 0
  for (const [at, { key }] of changes.entries()) {
    length += headBytes + key.length + (before[at]?.length ?? 0)
  }
  const bytes = Buffer.allocUnsafe(length)
  let end = 0
  for (const [at, { key }] of changes.entries()) {
    const value = before[at] ?? null
    bytes.writeUInt32BE(key.length, end)
    bytes.writeUInt32BE(value === null ? none : value.length + 1, end + 4)
    bytes.set(key, end + headBytes)
    end += headBytes + key.length
    if (value === null) continue
    if (typeof value === 'string') bytes.write(value, end, 'latin1')
    else bytes.set(value, end)
    end += value.length
  }
  return bytes
}

/** The entries share the bytes of `record`. Throws STATE_DAMAGED. */
export function decodeUndo(record: Uint8Array): UndoEntry[] {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const entries: UndoEntry[] = []
  const take = (at: number, length: number) => {
    if (at + length > bytes.length) throw new StateError('STATE_DAMAGED', 'an undo is cut off')
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
