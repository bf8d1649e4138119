// The timestamp of the record that a consumer has to read next: read from the log, for the time index knows only
// about where a time begins.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { RecordBatch } from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/recordCursor.ts'
import type { PartitionLog } from '../log/partitionLog.ts'

/** Of a batch whose records have to be looked at; for one that holds more its largest timestamp has to do. */
const maxDecompressedBytes = 16 * 1024 * 1024

/**
 * Milliseconds since the epoch of the first record at or above `offset`, which may be that of a transaction's
 * marker; undefined when there is none, and negative when the record has no timestamp.
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
    // What its producer has put into it, or packed too well to be looked into.
    return batch.maxTimestamp
  }
  // Compaction has removed the last records of the batch.
  return batch.lastOffset >= from ? await nextTimestamp(log, batch.nextOffset) : undefined
}

function firstTimestamp(batch: RecordBatch): number {
  return batch.timestampType === 'logAppend' ? batch.maxTimestamp : batch.baseTimestamp
}
