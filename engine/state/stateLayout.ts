// The keys of a state's database. By the first byte:
//
//   00 to 03  a value: key group (2 bytes), key; a group is contiguous
//   04 to 07  a part of a key: key group + 1024 (2 bytes), key, 00, part (8 bytes; see partOf);
//             stored apart, so that a scan of all values reads no parts
//   10, 11    a timer of event or processing time: time (8 bytes), key, 00, tag; no value.
//             Byte order is the order in which timers are due.
//   20        the version of the state, and the versions that can be undone
//   21        the undo record of a batch: batch id (8 bytes)
//
// Keys are UTF-8, extended so that every string has a unique encoding and no byte is 00: a lone
// surrogate takes three bytes (WTF-8), and U+0000 is C0 80 (as in Java's class files).

import { assert } from '../../protocol/runtime/assert.ts'
import { decodeKey, partNamed, partOf } from '../keys/key.ts'
import { keyGroupCount, keyGroupOf } from '../keys/keyGroup.ts'
import type { StateTimer, TimeDomain } from './keyedState.ts'
import type { KeyRange } from './stateDatabase.ts'

/** The group of a part is that of its key plus `keyGroupCount`. */
const partsPrefix = keyGroupCount >> 8
const eventPrefix = 0x10
const processingPrefix = 0x11
const undoPrefix = 0x21
const groupBytes = 2
const timeBytes = 8
/** Key terminator and part. */
const partTailBytes = 1 + timeBytes
/** Domain and time. */
const timerHeadBytes = 1 + timeBytes
/** Key terminator and tag. */
const timerTailBytes = 2

export const versionKey: Uint8Array = Buffer.from([0x20])

/** `key` is encoded (see encodeKey). */
export function valueKey(key: string): Buffer {
  return valueKeyIn(groupOf(key), key)
}

/** Like `valueKey`, for a key whose group is known. */
export function valueKeyIn(group: number, key: string): Buffer {
  const named = partNamed(key)
  if (named !== undefined) return partKeyIn(group, named)
  return withKey(key, groupBytes, 0, (bytes) => bytes.writeUInt16BE(group))
}

function partKeyIn(group: number, { key, part }: { key: string; part: number }): Buffer {
  assert(Number.isSafeInteger(part), `a part of a key must be an integer, not ${part}`)
  return withKey(key, groupBytes, partTailBytes, (bytes) => {
    bytes.writeUInt16BE(keyGroupCount + group)
    bytes[bytes.length - partTailBytes] = 0
    writeTime(bytes, part, bytes.length - timeBytes)
  })
}

/** A part has the group of its key. */
export function groupOf(key: string): number {
  return keyGroupOf(decodeKey(key))
}

/** Returns the key of a value's entry, or the name of a part's. */
export function keyOfValue(entryKey: Uint8Array): string {
  if (entryKey[0]! < partsPrefix) return textOf(entryKey, groupBytes, entryKey.length)
  const key = textOf(entryKey, groupBytes, entryKey.length - partTailBytes)
  return partOf(key, timeOf(entryKey, entryKey.length - timeBytes))
}

/** Without parts. */
export const allValues: KeyRange = { from: Buffer.from([0]), until: Buffer.from([partsPrefix]) }
export const allParts: KeyRange = { from: allValues.until, until: Buffer.from([eventPrefix]) }
export const allTimers: KeyRange = { from: Buffer.from([0x10]), until: Buffer.from([0x20]) }

/** Values after `key` in database order: by group, then by the bytes of the key. */
export function valuesAfter(key: string): KeyRange {
  return { from: Buffer.concat([valueKey(key), Buffer.from([0])]), until: allValues.until }
}

export function timerKey({ domain, timeMs, key, tag }: StateTimer): Buffer {
  assert(
    Number.isSafeInteger(timeMs),
    `a timer's time must be in integer milliseconds, not ${timeMs}`,
  )
  assert(
    Number.isInteger(tag) && tag >= 0 && tag <= 255,
    `the tag of a timer must be 0 to 255, not ${tag}`,
  )
  return withKey(key, timerHeadBytes, timerTailBytes, (bytes) => {
    bytes[0] = domainPrefix(domain)
    writeTime(bytes, timeMs, 1)
    bytes[bytes.length - 2] = 0
    bytes[bytes.length - 1] = tag
  })
}

export function timerOf(entryKey: Uint8Array): StateTimer {
  return {
    domain: entryKey[0] === eventPrefix ? 'event' : 'processing',
    timeMs: timeOf(entryKey, 1),
    key: textOf(entryKey, timerHeadBytes, entryKey.length - timerTailBytes),
    tag: entryKey[entryKey.length - 1]!,
  }
}

/** The timers of a domain, starting at a time or at a database key. */
export function timersFrom(domain: TimeDomain, from: number | Uint8Array): KeyRange {
  const until = Buffer.from([domainPrefix(domain) + 1])
  return { from: typeof from === 'number' ? timePrefix(domain, from) : from, until }
}

function timePrefix(domain: TimeDomain, timeMs: number): Buffer {
  const bytes = Buffer.alloc(timerHeadBytes)
  bytes[0] = domainPrefix(domain)
  writeTime(bytes, Math.max(timeMs, Number.MIN_SAFE_INTEGER), 1)
  return bytes
}

export function undoKey(version: number): Buffer {
  const bytes = Buffer.alloc(1 + timeBytes)
  bytes[0] = undoPrefix
  bytes.writeBigUInt64BE(BigInt(version), 1)
  return bytes
}

function domainPrefix(domain: TimeDomain): number {
  return domain === 'event' ? eventPrefix : processingPrefix
}

/** Writes a time with its sign bit inverted, so that times before 1970 sort first. */
function writeTime(bytes: Buffer, timeMs: number, at: number): void {
  const high = Math.floor(timeMs / 2 ** 32)
  bytes.writeUInt32BE((high ^ 0x8000_0000) >>> 0, at)
  bytes.writeUInt32BE(timeMs - high * 2 ** 32, at + 4)
}

function timeOf(entryKey: Uint8Array, at: number): number {
  const view = new DataView(entryKey.buffer, entryKey.byteOffset, entryKey.byteLength)
  return (view.getUint32(at) ^ 0x8000_0000) * 2 ** 32 + view.getUint32(at + 4)
}

/** Returns bytes with `key` in the middle; `fill` writes the head and the tail. */
function withKey(key: string, head: number, tail: number, fill: (bytes: Buffer) => void): Buffer {
  let bytes: Buffer
  if (key.isWellFormed() && !key.includes('\0')) {
    bytes = Buffer.allocUnsafe(head + Buffer.byteLength(key) + tail)
    bytes.write(key, head)
  } else {
    const text = extendedUtf8(key)
    bytes = Buffer.alloc(head + text.length + tail)
    text.copy(bytes, head)
  }
  fill(bytes)
  return bytes
}

function textOf(bytes: Uint8Array, from: number, until: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, until - from)
  const decoded = text.toString('utf8')
  // Node's decoder returns U+FFFD for bytes that are not UTF-8.
  return decoded.includes('\ufffd') ? fromExtendedUtf8(text) : decoded
}

function extendedUtf8(text: string): Buffer {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at++) {
    const point = text.codePointAt(at)!
    if (point > 0xffff) {
      at++
      bytes.push(0xf0 | (point >> 18), tailByte(point >> 12), tailByte(point >> 6), tailByte(point))
    } else if (point > 0x7ff) {
      bytes.push(0xe0 | (point >> 12), tailByte(point >> 6), tailByte(point))
    } else if (point > 0x7f || point === 0) bytes.push(0xc0 | (point >> 6), tailByte(point))
    else bytes.push(point)
  }
  return Buffer.from(bytes)
}

function tailByte(bits: number): number {
  return 0x80 | (bits & 0x3f)
}

function fromExtendedUtf8(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++]!
    const tails = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    let point = tails === 0 ? first : first & (0x3f >> tails)
    for (let tail = 0; tail < tails; tail++) point = (point << 6) | (bytes[at++]! & 0x3f)
    text += String.fromCodePoint(point)
  }
  return text
}
