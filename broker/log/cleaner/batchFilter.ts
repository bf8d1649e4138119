// Decides what compaction keeps of each batch, by the rules of Kafka's Cleaner and
// MemoryRecords.filterTo. A batch that is kept whole is returned unchanged. Does no I/O. Must never
// drop the last record of a key, nor the last batch of a segment.

import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../../protocol/kafka/records/recordCursor.ts'
import { emptiedBatch, type KeptRecord, rewrittenBatch } from './batchRewrite.ts'
import type { CleanedTransactions } from './cleanedTransactions.ts'
import type { OffsetMap } from './offsetMap.ts'

/** The last batch or marker in the log of a remembered producer. */
export interface LastRecord {
  /** Last offset of its last batch of records; undefined if only a marker of its epoch is known. */
  readonly lastDataOffset: number | undefined
  readonly producerEpoch: number
}

export interface BatchFilterOptions {
  readonly offsets: OffsetMap
  readonly transactions: CleanedTransactions
  readonly lastRecords: ReadonlyMap<number, LastRecord>
  readonly nowMs: number
  readonly deleteRetentionMs: number
}

/** Limit on the decompressed size of a batch. */
export const maxDecompressedBytes = 256 * 1024 * 1024

export class BatchFilter {
  readonly #options: BatchFilterOptions

  constructor(options: BatchFilterOptions) {
    this.#options = options
  }

  /** The bytes to keep; undefined if none are. `isLast`: the batch is the last of its segment. */
  filter(batch: RecordBatch, isLast: boolean): Buffer | undefined {
    const discardable = this.#options.transactions.isDiscardable(batch)
    const kept = this.#isDropped(batch, discardable)
      ? undefined
      : this.#filterRecords(batch, discardable)
    if (kept) return kept
    return isLast || this.#isLastOfProducer(batch) ? emptiedBatch(batch) : undefined
  }

  /** A marker without a transaction is dropped after its delete horizon, as a tombstone is. */
  #isDropped(batch: RecordBatch, discardable: boolean): boolean {
    if (!batch.isControl || !discardable) return discardable
    const { deleteHorizonMs } = batch
    return deleteHorizonMs !== undefined && deleteHorizonMs <= this.#options.nowMs
  }

  /**
   * Without its last batch, a producer would be unknown after a restart, and its retries would be
   * appended twice.
   */
  #isLastOfProducer(batch: RecordBatch): boolean {
    if (batch.producerId < 0) return false
    const last = this.#options.lastRecords.get(batch.producerId)
    if (last === undefined) return false
    if (last.lastDataOffset !== undefined) return batch.lastOffset === last.lastDataOffset
    return batch.isControl && batch.producerEpoch === last.producerEpoch
  }

  /** Undefined if no record is kept. */
  #filterRecords(batch: RecordBatch, isUselessMarker: boolean): Buffer | undefined {
    const cursor = new RecordCursor(batch, maxDecompressedBytes)
    const kept: KeptRecord[] = []
    let hasTombstone = false
    while (cursor.next()) {
      if (!batch.isControl && !this.#stays(batch, cursor)) continue
      if (cursor.valueStart < 0) hasTombstone = true
      const { offset, timestamp, recordStart: start, recordEnd: end, fieldsStart } = cursor
      kept.push({ offset, timestamp, start, end, fieldsStart })
    }
    if (kept.length === 0) return undefined
    const needsHorizon = hasTombstone || isUselessMarker
    const newHorizonMs =
      needsHorizon && batch.deleteHorizonMs === undefined
        ? this.#options.nowMs + this.#options.deleteRetentionMs
        : undefined
    if (kept.length === batch.recordCount && newHorizonMs === undefined) return wholeBytes(batch)
    return rewrittenBatch(batch, cursor.bytes, kept, newHorizonMs)
  }

  #stays({ deleteHorizonMs }: RecordBatch, cursor: RecordCursor): boolean {
    const { offsets, nowMs } = this.#options
    if (cursor.offset > offsets.latestOffset) return true
    if (cursor.keyStart < 0) return false
    const key = cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd)
    if (cursor.offset < offsets.get(key)) return false
    return cursor.valueStart >= 0 || deleteHorizonMs === undefined || nowMs < deleteHorizonMs
  }
}

function wholeBytes(batch: RecordBatch): Buffer {
  return batch.bytes.subarray(batch.start, batch.start + batch.sizeInBytes)
}
