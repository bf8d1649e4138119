// Splits an append into batches and checks them, independent of the content of the log: headers are
// sound; records of clients are valid and in the topic's compression. No way into the log leads
// around it.

import { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import type { LogConfig } from '../logConfig.ts'
import type { Incoming } from '../segment/rollPolicy.ts'
import { checkHeader } from './appendChecks.ts'
import type { AppendOptions, AppendOrigin } from './appendResult.ts'
import { validateRecords } from './recordValidation.ts'
import { type Refusal, refuse } from './refusal.ts'

export interface AdmittedBatches {
  /** The bytes to write: those given, or a copy in which batches were converted. */
  readonly bytes: Buffer
  /** Views of `bytes`. */
  readonly batches: readonly RecordBatch[]
  readonly incoming: Incoming
}

/** Limit on what one append may decompress if its request sets none: socket.request.max.bytes. */
const decompressionBytes = 100 * 1024 * 1024

/** `nextOffset` is the lowest offset that the batches may have. */
export function admitBatches(
  bytes: Buffer,
  options: AppendOptions,
  nextOffset: number,
  config: LogConfig,
  nowMs: number,
): Refusal | AdmittedBatches {
  const { origin } = options
  let admitted = checkBatches(bytes, origin, nextOffset, config)
  if ('kind' in admitted) return admitted
  if (origin === 'client') {
    const valid = validBytes(admitted, options, config, nowMs)
    if ('kind' in valid) return valid
    // A converted batch has another size, which may be too large.
    if (valid !== bytes) admitted = checkBatches(valid, origin, nextOffset, config)
    if ('kind' in admitted) return admitted
  }
  const {
    batches,
    bytes: { length: sizeBytes },
  } = admitted
  if (sizeBytes > config.segmentBytes) {
    return refuse(ErrorCode.recordListTooLarge, `${sizeBytes} bytes do not fit in a segment`)
  }
  let lastOffset = nextOffset - 1
  let maxTimestampMs = -1
  for (const batch of batches) {
    lastOffset =
      origin === 'replication' ? batch.lastOffset : lastOffset + 1 + batch.lastOffsetDelta
    maxTimestampMs = Math.max(maxTimestampMs, batch.maxTimestamp)
  }
  return { ...admitted, incoming: { sizeBytes, lastOffset, maxTimestampMs } }
}

type CheckedBatches = Omit<AdmittedBatches, 'incoming'>

/** Checks headers only: sizes, magic, CRC, counts, and the offsets of a leader's batches. */
function checkBatches(
  bytes: Buffer,
  origin: AppendOrigin,
  firstOffset: number,
  config: LogConfig,
): Refusal | CheckedBatches {
  const batches: RecordBatch[] = []
  let nextOffset = firstOffset
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < recordBatchOverheadBytes) {
      return refuse(ErrorCode.corruptMessage, 'the record batch is truncated')
    }
    const batch = new RecordBatch(bytes, at)
    const refusal = checkHeader(batch, origin, nextOffset, config)
    if (refusal) return refusal
    nextOffset = batch.nextOffset
    batches.push(batch)
    at += batch.sizeInBytes
  }
  if (batches.length === 0) return refuse(ErrorCode.invalidRecord, 'no record batch')
  if (origin !== 'replication' && batches.length > 1 && batches.some((each) => each.isControl)) {
    return refuse(ErrorCode.invalidRecord, 'a control batch is appended alone')
  }
  return { bytes, batches }
}

/** Returns the bytes with headers corrected in place, or a copy in which batches were converted. */
function validBytes(
  { bytes, batches }: CheckedBatches,
  { decompression = new MemoryAllowance(decompressionBytes) }: AppendOptions,
  config: LogConfig,
  nowMs: number,
): Refusal | Buffer {
  const parts: Buffer[] = []
  let isConverted = false
  for (const batch of batches) {
    const verdict = validateRecords(batch, config, nowMs, decompression)
    if (verdict.kind === 'refused') return verdict
    if (verdict.converted) isConverted = true
    const { start, sizeInBytes } = batch
    parts.push(verdict.converted ?? bytes.subarray(start, start + sizeInBytes))
  }
  return isConverted ? Buffer.concat(parts) : bytes
}
