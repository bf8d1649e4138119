// Reads the timestamp of the next record that a consumer will read, from the log: the time index is
// too coarse.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { RecordBatch } from '../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/records/recordCursor.ts'
import type { PartitionLog } from '../log/partitionLog.ts'

/**
 * Largest batch that is decompressed for its records' timestamps; a larger one answers with its
 * maximum timestamp.
 */
const maxDecompressedBytes = 16 * 1024 * 1024

/**
 * Returns the timestamp, in ms since the epoch, of the first record at or above `offset`, which may
 * be a transaction marker; undefined if there is no record, negative if the record has no
 * timestamp.
 */
export async function nextTimestamp(
  log: PartitionLog,
  offset: number,
): Promise<number | undefined> {
  const from = Math.max(offset, log.logStartOffset)
  const { errorCode, bytes } = await log.read(from, 1)
  if (errorCode !== ErrorCode.none || bytes.length === 0) return undefined
  const batch = new RecordBatch(bytes)
  if (batch.baseOffset >= from && batch.deleteHorizonMs === undefined) return firstTimestamp(batch)
  try {
    const cursor = new RecordCursor(batch, maxDecompressedBytes)
    while (cursor.next()) if (cursor.offset >= from) return cursor.timestamp
  } catch {
    // The timestamp was set by the producer, or the batch is too large to decompress.
    return batch.maxTimestamp
  }
  // Compaction has removed the last records of the batch.
  return batch.lastOffset >= from ? await nextTimestamp(log, batch.nextOffset) : undefined
}

function firstTimestamp(batch: RecordBatch): number {
  return batch.timestampType === 'logAppend' ? batch.maxTimestamp : batch.baseTimestamp
}
