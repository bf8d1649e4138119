// Reads an offset range of a topic as rows, one record batch at a time, and fetches ahead while it
// decodes. Contract: rows are pushed synchronously and in offset order; only fetches are awaited.
// It must never skip offsets of the range silently: lost ones fail the scan with OFFSETS_LOST.

import { ClientError } from '../../protocol/client/clientError.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import {
  type FetchedPartition,
  PartitionReader,
} from '../../protocol/client/consumer/partitionReader.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import {
  type RecordBatch,
  splitBatches,
  validateBatch,
} from '../../protocol/kafka/records/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/records/recordCursor.ts'
import { EngineError, topicRecreated } from '../engineError.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import { ScannedRecord } from '../rows/sourceRecord.ts'
import { failedAtRecord, type RecordInHand } from '../userCode.ts'
import { logTruncated, offsetsRemoved } from './lostOffsets.ts'
import { recordInHand } from './recordInHand.ts'
import { pushOrReject } from './rejection.ts'
import {
  type OffsetRange,
  type OnRecordError,
  olderTimestamp,
  type Reject,
  type Scan,
} from './scan.ts'
import { enough, type Sink } from './sink.ts'

export interface ScanResult {
  /**
   * The smallest base timestamp of the batches read, about that of the oldest record; undefined
   * when there were none.
   */
  readonly oldestTimestampMs: number | undefined
  /** Records in the range, including those without a value. */
  readonly records: number
  /** Bytes of the record batches with records in the range, as fetched. */
  readonly bytes?: number
}

export interface ScanOptions {
  /** False for a sink that may stop after the first rows: nothing is fetched ahead. */
  readonly fetchAhead?: boolean
  /** Receives rejected records. Without it, the first record that fails fails the scan. */
  readonly reject?: Reject
}

export interface Scanner {
  scan(scan: Scan, sink: Sink<unknown>, options?: ScanOptions): Promise<ScanResult>
  close(): void
}

/**
 * Maximum bytes per partition and fetch; the default of Kafka's consumers. Each response occupies
 * several times its size on its way: in the broker, between the threads, and here, where one is
 * decoded while the next arrives. Larger fetches hardly make a job faster, and cost most when all
 * threads lag.
 */
const fetchBytes = 1024 * 1024
const maxBatchBytes = 128 * 1024 * 1024

/**
 * Time for which a log may end below the range, in ms: a new leader may learn of its newest records
 * a little later. After that, its broker has lost them.
 */
const lostAfterMs = 30_000

export class TopicScanner implements Scanner {
  readonly #cluster: Cluster
  readonly #lostAfterMs: number
  readonly #readers = new Map<string, PartitionReader>()

  constructor(cluster: Cluster, options: { readonly lostAfterMs?: number } = {}) {
    this.#cluster = cluster
    this.#lostAfterMs = options.lostAfterMs ?? lostAfterMs
  }

  /**
   * Pushes the rows of the range in offset order. Records without a value have no row, unless the
   * format makes one. Rejects with OFFSETS_LOST when the topic no longer has the range, and with
   * TOPIC_RECREATED when the topic is not the one that the range was planned for.
   */
  async scan(
    scan: Scan,
    sink: Sink<unknown>,
    { fetchAhead = true, reject }: ScanOptions = {},
  ): Promise<ScanResult> {
    const { range } = scan
    const push = reject === undefined ? { scan, sink } : { scan, sink, reject }
    let oldestTimestampMs: number | undefined
    let records = 0
    let bytes = 0
    let offset = range.from
    let ahead: Promise<FetchedPartition> | undefined
    let endedSinceMs: number | undefined
    while (offset < range.until) {
      const fetched = await (ahead ?? this.#fetch(range, offset))
      const { batches, nextOffset } = fetched
      ahead = undefined
      endedSinceMs = this.#requireMore(range, offset, fetched, endedSinceMs)
      if (fetchAhead && nextOffset < range.until) {
        ahead = this.#fetch(range, nextOffset)
        // A failure is reported in the next round; until then it must not count as unhandled.
        ahead.catch(() => {})
      }
      for (const batch of splitBatches(batches)) {
        requireSound(batch, range)
        if (batch.nextOffset <= range.from) continue
        if (batch.baseOffset >= range.until) break
        oldestTimestampMs = olderTimestamp(oldestTimestampMs, batch.baseTimestamp)
        records += pushRows(batch, push)
        bytes += batch.sizeInBytes
      }
      offset = nextOffset
    }
    return { oldestTimestampMs, records, bytes }
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close()
    this.#readers.clear()
  }

  /**
   * Returns since when the log has ended below the range, if it does. Throws OFFSETS_LOST after a
   * time.
   */
  #requireMore(
    range: OffsetRange,
    offset: number,
    { nextOffset, highWatermark, logStartOffset: earliest }: FetchedPartition,
    sinceMs: number | undefined,
  ): number | undefined {
    if (nextOffset > offset || highWatermark >= range.until) return undefined
    const nowMs = this.#cluster.runtime.clock.monotonicMs()
    if (nowMs - (sinceMs ?? nowMs) < this.#lostAfterMs) return sinceMs ?? nowMs
    throw logTruncated(range, range.until, { earliest, latest: highWatermark }, 'was to read')
  }

  async #fetch(range: OffsetRange, offset: number): Promise<FetchedPartition> {
    try {
      return await this.#reader(range).fetch(offset)
    } catch (error) {
      throw await this.#meaningOf(error, range, offset)
    }
  }

  /** Translates a failed fetch, when the range can no longer be read. */
  async #meaningOf(error: unknown, range: OffsetRange, offset: number): Promise<unknown> {
    if (error instanceof ClientError && error.code === 'TOPIC_RECREATED') {
      return topicRecreated(error.message, error)
    }
    if (!(error instanceof KafkaError) || error.errorCode !== ErrorCode.offsetOutOfRange)
      return error
    const reader = this.#reader(range)
    const log = { earliest: await reader.earliest(), latest: await reader.latest() }
    return offset < log.earliest
      ? offsetsRemoved(range, offset, range.until, log)
      : logTruncated(range, offset, log)
  }

  #reader(range: OffsetRange): PartitionReader {
    const { topic, partition, topicId, isolation = 'uncommitted' } = range
    const key = `${topic}/${partition}/${topicId}/${isolation}`
    let reader = this.#readers.get(key)
    if (!reader) {
      const options = { topic, partition, topicId, isolation, maxBytes: fetchBytes }
      reader = new PartitionReader(this.#cluster, options)
      this.#readers.set(key, reader)
    }
    return reader
  }
}

function requireSound(batch: RecordBatch, { topic, partition }: OffsetRange): void {
  try {
    validateBatch(batch, { maxBytes: maxBatchBytes })
  } catch (error) {
    throw failedAtRecord(error, { topic, partition, offset: batch.baseOffset, value: undefined })
  }
}

interface Push {
  readonly scan: Scan
  readonly sink: Sink<unknown>
  readonly reject?: Reject
}

/** Returns the number of records of the batch that are in the range. */
function pushRows(batch: RecordBatch, { scan, sink, reject }: Push): number {
  const { range, format, onError = 'fail' } = scan
  const { topic, partition } = range
  const cursor = new RecordCursor(batch, maxBatchBytes)
  const record = new ScannedRecord(topic, partition, cursor)
  const isWhole = batch.baseOffset >= range.from && batch.nextOffset <= range.until
  try {
    if (onError !== 'fail' && reject !== undefined) {
      return pushWhatWorks(cursor, record, scan, onError, sink, reject)
    }
    if (!isWhole) return pushPart(cursor, record, range, format, sink)
    pushAll(cursor, record, format, sink)
    return batch.recordCount
  } catch (error) {
    if (error === enough || error instanceof EngineError) throw error
    throw failedAtRecord(error, placeOf(cursor, batch, record))
  }
}

/** The hot loop of every job. */
function pushAll(
  cursor: RecordCursor,
  record: ScannedRecord,
  format: RowFormat<unknown>,
  sink: Sink<unknown>,
): void {
  const bytes = cursor.bytes
  while (cursor.next()) {
    if (cursor.valueStart >= 0) {
      sink(format.row(bytes, cursor.valueStart, cursor.valueEnd, record))
    } else if (format.tombstone) {
      sink(format.tombstone(record))
    }
  }
}

function pushPart(
  cursor: RecordCursor,
  record: ScannedRecord,
  { from, until }: OffsetRange,
  format: RowFormat<unknown>,
  sink: Sink<unknown>,
): number {
  const bytes = cursor.bytes
  let records = 0
  while (cursor.next()) {
    if (cursor.offset >= until) break
    if (cursor.offset < from) continue
    records++
    if (cursor.valueStart >= 0) {
      sink(format.row(bytes, cursor.valueStart, cursor.valueEnd, record))
    } else if (format.tombstone) {
      sink(format.tombstone(record))
    }
  }
  return records
}

/**
 * Leaves out records that fail. A batch that cannot be read fails the scan: the number of lost
 * records would be unknown.
 */
function pushWhatWorks(
  cursor: RecordCursor,
  record: ScannedRecord,
  { range, format }: Scan,
  onError: Exclude<OnRecordError, 'fail'>,
  sink: Sink<unknown>,
  reject: Reject,
): number {
  const { from, until } = range
  const bytes = cursor.bytes
  let records = 0
  recordInHand.take(record, onError)
  try {
    while (cursor.next()) {
      if (cursor.offset >= until) break
      if (cursor.offset < from) continue
      records++
      pushOrReject(bytes, cursor.valueStart, cursor.valueEnd, record, format, sink, reject)
    }
  } finally {
    recordInHand.release()
  }
  return records
}

/** The record at which the sink failed or, for a batch that cannot be read, its first offset. */
function placeOf(cursor: RecordCursor, batch: RecordBatch, record: ScannedRecord): RecordInHand {
  const { topic, partition } = record
  // `recordEnd` is set last: if it is not past the start, decoding the record failed.
  if (cursor.recordEnd <= cursor.recordStart) {
    return { topic, partition, offset: batch.baseOffset, value: undefined }
  }
  return { topic, partition, offset: cursor.offset, value: record.value() ?? undefined }
}
