// Mutates a request frame in ways that its format suggests: false lengths and counts, varints that
// overflow, repeated tags, missing or additional bytes. Takes and returns frames without their
// length prefix, and never changes its input.

import type { Random } from '../../protocol/runtime/random.ts'
import { oneIn, pick, trickyInt32, trickyInt64, trickyVarint, uvarint } from './draw.ts'
import { forgedBatch } from './forgedBatches.ts'
import { layoutOf, type Span } from './layout.ts'

/** Returns a mutated copy. `donor` is another frame, for splices. */
export function mutated(frame: Buffer, donor: Buffer, random: Random, nowMs: number): Buffer {
  let changed = frame
  for (let count = 1 + (oneIn(random, 3) ? random.below(4) : 0); count > 0; count--) {
    changed = oneIn(random, 3)
      ? bytesChanged(changed, donor, random)
      : fieldChanged(changed, random, nowMs)
  }
  return changed
}

function bytesChanged(frame: Buffer, donor: Buffer, random: Random): Buffer {
  const at = random.below(frame.length + 1)
  switch (random.below(7)) {
    case 0:
      return frame.subarray(0, at)
    case 1:
      return Buffer.concat([frame, random.bytes(1 + random.below(64))])
    case 2:
      return Buffer.concat([frame.subarray(0, at), donor.subarray(random.below(donor.length + 1))])
    case 3:
      return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + random.below(8))])
    case 4:
      return Buffer.concat([
        frame.subarray(0, at),
        random.bytes(1 + random.below(8)),
        frame.subarray(at),
      ])
    default:
      return bitsFlipped(frame, random)
  }
}

export function bitsFlipped(frame: Buffer, random: Random): Buffer {
  const changed = Buffer.from(frame)
  if (changed.length === 0) return changed
  for (let count = 1 + random.below(4); count > 0; count--) {
    changed[random.below(changed.length)]! ^= 1 << random.below(8)
  }
  return changed
}

function fieldChanged(frame: Buffer, random: Random, nowMs: number): Buffer {
  const layout = layoutOf(frame)
  if (layout.length === 0) return bitsFlipped(frame, random)
  const records = layout.findIndex(({ kind }) => kind === 'records')
  if (records !== -1 && !oneIn(random, 3)) {
    return withContent(frame, layout, records, forgedBatch(random, nowMs))
  }
  const index = random.below(layout.length)
  const span = layout[index]!
  if (oneIn(random, 10)) return spanRepeated(frame, span, random)
  if (isContent(span)) return withContent(frame, layout, index, newContent(span, frame, random))
  return spliced(frame, span, newValue(span, frame, random))
}

function newValue({ kind, name, at, bytes }: Span, frame: Buffer, random: Random): Buffer {
  const remaining = frame.length - at - bytes
  const length = () =>
    oneIn(random, 2)
      ? pick(random, [0, -1, -2, remaining, remaining + 1, Math.floor(remaining / 2)])
      : trickyInt32(random)
  switch (kind) {
    case 'length16':
      return int16(length())
    case 'length32':
      return int32(length())
    case 'compactLength':
      return trickyVarint(random, length() + 1)
    case 'tagCount':
      return oneIn(random, 2) ? tags(random) : trickyVarint(random, trickyInt32(random))
    case 'tag':
      return trickyVarint(random, trickyInt32(random))
    case 'int16':
      return int16(name.startsWith('api') ? random.below(80) : trickyInt32(random))
    case 'int32':
      return int32(trickyInt32(random))
    case 'int64':
    case 'bits64':
    case 'float64':
      return trickyInt64(random)
    default:
      return random.bytes(bytes)
  }
}

/** Tagged fields with their count: known and unknown tags, repeated, out of order, huge. */
function tags(random: Random): Buffer {
  const count = 1 + random.below(4)
  const parts = [uvarint(count)]
  for (let made = 0; made < count; made++) {
    const size = oneIn(random, 20) ? 100_000 : random.below(20)
    parts.push(uvarint(random.below(3)), uvarint(size), Buffer.alloc(size, random.below(256)))
  }
  return Buffer.concat(parts)
}

/** The kinds of fields with a length before them: strings, bytes and records. */
function isContent({ kind }: Span): boolean {
  return kind === 'text' || kind === 'bytes' || kind === 'records'
}

const oddTexts = [
  Buffer.alloc(0),
  Buffer.from('t'),
  Buffer.from('../../etc'),
  Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
  Buffer.alloc(32_767, 'x'),
  Buffer.alloc(32_768, 'x'),
  Buffer.from('(a+)+$|(?=x)'),
]

function newContent({ kind, at, bytes }: Span, frame: Buffer, random: Random): Buffer {
  if (kind === 'text' && !oneIn(random, 4)) return pick(random, oddTexts)
  if (oneIn(random, 2)) return random.bytes(random.below(100))
  return bitsFlipped(frame.subarray(at, at + bytes), random)
}

/** Replaces the contents with the length before them, so that later fields decode as before. */
function withContent(frame: Buffer, layout: Span[], index: number, content: Buffer): Buffer {
  const span = layout[index]!
  const changed = spliced(frame, span, content)
  const length = layout[index - 1]
  switch (length?.kind) {
    case 'length16':
      return spliced(changed, length, int16(content.length))
    case 'length32':
      return spliced(changed, length, int32(content.length))
    case 'compactLength':
      return spliced(changed, length, uvarint(content.length + 1))
    default:
      return changed
  }
}

/** Repeats the field behind itself, or removes it. */
function spanRepeated(frame: Buffer, { at, bytes }: Span, random: Random): Buffer {
  const end = at + bytes
  const rest = frame.subarray(oneIn(random, 2) ? at : end)
  return Buffer.concat([frame.subarray(0, oneIn(random, 2) ? end : at), rest])
}

function spliced(frame: Buffer, { at, bytes }: Span, replacement: Buffer): Buffer {
  return Buffer.concat([frame.subarray(0, at), replacement, frame.subarray(at + bytes)])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE((value << 16) >> 16)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}
