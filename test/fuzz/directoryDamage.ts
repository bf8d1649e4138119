// Damages files of a data directory as disks and people do, and worse: also with corrected
// checksums, because otherwise no code behind the checksums would be tested.

import { crc32c } from '../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { Files } from './dataDirectory.ts'
import { oneIn, pick, trickyInt32, trickyInt64 } from './draw.ts'
import { withRecords, wrongHeader } from './forgedBatches.ts'
import { bitsFlipped } from './frameMutator.ts'

export interface DamagedDirectory {
  readonly files: Files
  /** The paths of the damaged files. */
  readonly touched: readonly string[]
}

export function damagedDirectory(files: Files, random: Random): DamagedDirectory {
  const damaged = new Map(files)
  const touched: string[] = []
  for (let count = 1 + random.below(3); count > 0; count--) {
    const path = pick(random, [...damaged.keys()])
    const content = damaged.get(path)!
    const kind = random.below(12)
    if (kind === 0) damaged.delete(path)
    else if (kind === 1) damaged.set(path, pick(random, [...files.values()]))
    else damaged.set(path, damagedFile(path, content, random))
    touched.push(path)
    if (damaged.size === 0) break
  }
  return { files: damaged, touched }
}

function damagedFile(path: string, content: Buffer, random: Random): Buffer {
  if (path.endsWith('.log') && !oneIn(random, 3)) return withForgedBatch(content, random)
  const changed = withWrongBytes(Buffer.from(content), random)
  if (path.endsWith('.snapshot') && changed.length > 6) changed.writeUInt32BE(crc32c(changed, 6), 2)
  return path.includes('journal') ? journalWithCrc(changed) : changed
}

function withWrongBytes(content: Buffer, random: Random): Buffer {
  const at = random.below(content.length + 1)
  switch (random.below(6)) {
    case 0:
      return content.subarray(0, at)
    case 1:
      return Buffer.concat([content, random.bytes(1 + random.below(100))])
    case 2:
      return content.fill(0, at)
    case 3:
      return content.length < 8 ? content : overwritten(content, trickyInt64(random), random)
    case 4:
      return content.length < 8 ? content : overwritten(content, int32(random), random)
    default:
      return bitsFlipped(content, random)
  }
}

function overwritten(content: Buffer, bytes: Buffer, random: Random): Buffer {
  // Most of the important fields are at the beginning.
  const room = Math.min(content.length, oneIn(random, 2) ? 64 : content.length)
  bytes.copy(content, random.below(room - bytes.length + 1))
  return content
}

function int32(random: Random): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(trickyInt32(random))
  return bytes
}

/** Replaces one of a segment's batches by one with a false header or false records. */
function withForgedBatch(content: Buffer, random: Random): Buffer {
  const batches = soundBatches(content)
  if (batches.length === 0) return bitsFlipped(content, random)
  const { start, sizeInBytes, compression } = pick(random, batches)
  const batch = Buffer.from(content.subarray(start, start + sizeInBytes))
  const forged = oneIn(random, 2)
    ? wrongHeader(batch, random)
    : withRecords(batch, compression, bitsFlipped(batch.subarray(61), random))
  const before = content.subarray(0, start)
  return Buffer.concat([before, forged, content.subarray(start + sizeInBytes)])
}

/** Returns the batches of a segment, up to earlier damage. */
function soundBatches(content: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = []
  try {
    for (const batch of splitBatches(content)) batches.push(batch)
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
  }
  return batches
}

/**
 * Corrects the checksum of the first group's header: it is in byte 8 and covers bytes 12 and
 * following.
 */
function journalWithCrc(content: Buffer): Buffer {
  if (content.length < 34) return content
  const headBytes = content.readUInt32BE(28)
  if (headBytes < 12 || headBytes > content.length) return content
  content.writeUInt32BE(crc32c(content, 12, headBytes), 8)
  return content
}
