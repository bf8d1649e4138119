// Validates the records of a client's batch, as Kafka's LogValidator does: every consumer can read
// a batch in the log, its header has the largest timestamp of its records, and it is in the
// compression of the topic. Checks of the header alone come first (appendChecks.ts).

import { Compression, decompress } from '../../../protocol/bytes/compression.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import type { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { recompressed } from '../../../protocol/kafka/records/recompression.ts'
import {
  type RecordBatch,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../../protocol/kafka/records/recordCursor.ts'
import { type RecordScan, scanRecords } from '../../../protocol/kafka/records/recordScan.ts'
import type { LogConfig } from '../logConfig.ts'
import { RecordErrors } from './recordErrors.ts'
import { type Refusal, refuse } from './refusal.ts'

export interface ValidBatch {
  readonly kind: 'valid'
  /** The same records in the topic's compression; undefined if the batch has it already. */
  readonly converted: Buffer | undefined
}

/** Further rules for readable records. */
interface RecordRules {
  readonly needsKeys: boolean
  readonly earliestMs: number
  readonly latestMs: number
}

/**
 * A batch may always expand to this many times its size; the rest is taken from the allowance of
 * its request. Log lines in zstd reach 20, and a request may be full of them.
 */
const freeExpansion = 32
/**
 * Limit on the streams of one request that fail to decompress. The cost of each is unknown, and may
 * be all that a batch is allowed.
 */
const mostFailures = 8
/** Timestamp of a record without one, to which no bounds apply. */
const noTimestamp = -1

const codecs = {
  uncompressed: Compression.none,
  gzip: Compression.gzip,
  snappy: Compression.snappy,
  lz4: Compression.lz4,
  zstd: Compression.zstd,
} as const

/**
 * Refuses the batch, or corrects its header in place by its records. The rest of the header must be
 * sound and the CRC right. `decompression` is shared by all batches of a request: a few kilobytes
 * can become a hundred megabytes, and a request can have thousands of such batches.
 */
export function validateRecords(
  batch: RecordBatch,
  config: LogConfig,
  nowMs: number,
  decompression: MemoryAllowance,
): Refusal | ValidBatch {
  let records: Buffer
  try {
    records = recordBytes(batch, decompression)
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    return refuse(ErrorCode.invalidRecord, error.message)
  }
  const rules = rulesOf(config, nowMs)
  const scan = scanRecords(records, 0, records.length, batch.recordCount)
  const newest =
    scan && complies(batch, scan, rules)
      ? batch.baseTimestamp + scan.largestTimestampDelta
      : examine(batch, records, rules)
  if (typeof newest !== 'number') return newest
  const maxTimestamp = Math.max(newest, noTimestamp)
  // Clients may omit it (Sarama up to 1.45 sends -1) or invent it; searches by time, retention and
  // every time index would rely on it.
  if (config.messageTimestampType === 'CreateTime' && batch.maxTimestamp !== maxTimestamp) {
    batch.setMaxTimestamp('create', maxTimestamp)
  }
  return { kind: 'valid', converted: converted(batch, records, config) }
}

/** The uncompressed bytes of the records. */
function recordBytes(batch: RecordBatch, decompression: MemoryAllowance): Buffer {
  const { bytes, compression, start } = batch
  const records = bytes.subarray(start + recordBatchOverheadBytes, start + batch.sizeInBytes)
  if (compression === Compression.none) return records
  const freeBytes = freeExpansion * records.length
  const most = Math.min(freeBytes + decompression.leftBytes, decompression.limitBytes)
  try {
    const decompressed = decompress(compression, records, most)
    charge(decompressed.length - freeBytes, decompression)
    return decompressed
  } catch (error) {
    charge(decompression.limitBytes / mostFailures, decompression)
    throw error
  }
}

function charge(bytes: number, decompression: MemoryAllowance): void {
  if (bytes > 0) decompression.take(Math.min(bytes, decompression.leftBytes), 'batches')
}

function rulesOf(config: LogConfig, nowMs: number): RecordRules {
  const isCreateTime = config.messageTimestampType === 'CreateTime'
  return {
    needsKeys: config.cleanupPolicy.compact,
    earliestMs: isCreateTime ? nowMs - config.messageTimestampBeforeMaxMs : -Infinity,
    latestMs: isCreateTime ? nowMs + config.messageTimestampAfterMaxMs : Infinity,
  }
}

/**
 * Whether all records certainly comply; if not, they may still: a record without a timestamp is
 * older than any bound.
 */
function complies(batch: RecordBatch, scan: RecordScan, rules: RecordRules): boolean {
  const oldest = batch.baseTimestamp + scan.smallestTimestampDelta
  const newest = batch.baseTimestamp + scan.largestTimestampDelta
  if (oldest < rules.earliestMs || newest > rules.latestMs) return false
  return Number.isSafeInteger(newest) && !(rules.needsKeys && scan.nullKeys > 0)
}

/**
 * Checks record after record; returns the largest timestamp, or a refusal that names the invalid
 * records.
 */
function examine(batch: RecordBatch, records: Buffer, rules: RecordRules): Refusal | number {
  const errors = new RecordErrors()
  let newest = noTimestamp
  let index = 0
  try {
    for (const cursor = new RecordCursor(batch, 0, records); cursor.next(); index++) {
      cursor.headers()
      examineRecord(cursor, index, batch, rules, errors)
      newest = Math.max(newest, cursor.timestamp)
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    if (index === batch.recordCount) return refuse(ErrorCode.invalidRecord, error.message)
    errors.add(index, error.message)
  }
  return errors.isEmpty ? newest : errors.refusal()
}

function examineRecord(
  { offset, keyStart, timestamp }: RecordCursor,
  index: number,
  { baseOffset }: RecordBatch,
  { needsKeys, earliestMs, latestMs }: RecordRules,
  errors: RecordErrors,
): void {
  if (offset !== baseOffset + index) {
    errors.add(index, `its offset delta is not ${index}`)
  } else if (keyStart < 0 && needsKeys) {
    errors.add(index, 'a compacted topic accepts no record without a key')
  } else if (!Number.isSafeInteger(timestamp)) {
    errors.add(index, `its timestamp is ${timestamp}`, ErrorCode.invalidTimestamp)
  } else if (timestamp !== noTimestamp && (timestamp < earliestMs || timestamp > latestMs)) {
    const message = `its timestamp is ${timestamp}, but must be ${earliestMs} to ${latestMs}`
    errors.add(index, message, ErrorCode.invalidTimestamp)
  }
}

function converted(batch: RecordBatch, records: Buffer, config: LogConfig): Buffer | undefined {
  const { compressionType, compressionLevels } = config
  if (compressionType === 'producer' || batch.compression === codecs[compressionType]) {
    return undefined
  }
  const hasLevel = compressionType === 'gzip' || compressionType === 'zstd'
  const level = hasLevel ? compressionLevels[compressionType] : undefined
  return recompressed(batch, records, codecs[compressionType], level)
}
