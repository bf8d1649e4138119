// Reads an offset range of a topic as rows, whole batches at a time, and fetches ahead while it
// decodes. Between two answers of the broker nothing waits, and a record costs its row alone.

import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { ErrorCode, KafkaError } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, splitBatches, validateBatch } from '../../protocol/kafka/recordBatch.ts'
import { RecordCursor } from '../../protocol/kafka/recordCursor.ts'
import { EngineError } from '../engineError.ts'
import type { Sink } from '../rdd/lineage.ts'
import type { RowFormat } from '../rows/rowFormat.ts'
import { type OffsetRange, olderTimestamp, type Scan } from './scan.ts'

export interface ScanResult {
  /** Of the range's records, about: the smallest base timestamp. Undefined when there were none. */
  readonly oldestTimestampMs: number | undefined
}

export interface Scanner {
  scan(scan: Scan, sink: Sink<unknown>): Promise<ScanResult>
  close(): void
}

/**
 * Per partition and answer, as Kafka's consumers have it by default. Each answer takes its size several
 * times over on its way: in the broker, between the threads, and here, where one is decoded while the
 * next arrives. Larger ones make a job little faster and cost most when all threads are behind.
 */
const fetchBytes = 1024 * 1024
const maxBatchBytes = 128 * 1024 * 1024

export class TopicScanner implements Scanner {
  readonly #cluster: Cluster
  readonly #readers = new Map<string, PartitionReader>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /**
   * Pushes the rows of the range in the order of their offsets. Records without a value have none.
   * Fails with OFFSETS_LOST when the topic no longer has the range.
   */
  async scan({ range, format }: Scan, sink: Sink<unknown>): Promise<ScanResult> {
    let oldestTimestampMs: number | undefined
    let offset = range.from
    if (offset >= range.until) return { oldestTimestampMs }
    let fetching = this.#fetch(range, offset)
    while (offset < range.until) {
      const batches = [...splitBatches(await fetching)]
      const next = batches.at(-1)?.nextOffset ?? offset
      if (next < range.until) {
        fetching = this.#fetch(range, next)
        // Its failure is that of the next round; until then nobody may call it unhandled.
        fetching.catch(() => {})
      }
      for (const batch of batches) {
        validateBatch(batch, { maxBytes: maxBatchBytes })
        if (batch.isControl || batch.nextOffset <= range.from) continue
        if (batch.baseOffset >= range.until) break
        oldestTimestampMs = olderTimestamp(oldestTimestampMs, batch.baseTimestamp)
        pushRows(batch, range, format, sink)
      }
      offset = next
    }
    return { oldestTimestampMs }
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close()
    this.#readers.clear()
  }

  async #fetch({ topic, partition, from, until }: OffsetRange, offset: number): Promise<Buffer> {
    try {
      return (await this.#reader(topic, partition).fetch(offset)).batches
    } catch (error) {
      const isLost = error instanceof KafkaError && error.errorCode === ErrorCode.offsetOutOfRange
      if (!isLost) throw error
      throw new EngineError(
        'OFFSETS_LOST',
        `${topic}-${partition} no longer has offsets ${from} to ${until}: its retention is shorter ` +
          "than the job was away; remove the job's directory to start from what is there",
        error,
      )
    }
  }

  #reader(topic: string, partition: number): PartitionReader {
    const key = `${topic}-${partition}`
    let reader = this.#readers.get(key)
    if (!reader) {
      const options = { topic, partition, maxBytes: fetchBytes }
      reader = new PartitionReader(this.#cluster, options)
      this.#readers.set(key, reader)
    }
    return reader
  }
}

/** The hot loop of every job. */
function pushRows(
  batch: RecordBatch,
  { from, until }: OffsetRange,
  format: RowFormat<unknown>,
  sink: Sink<unknown>,
): void {
  const cursor = new RecordCursor(batch, maxBatchBytes)
  const bytes = cursor.bytes
  while (cursor.next()) {
    if (cursor.offset < from || cursor.valueStart < 0) continue
    if (cursor.offset >= until) return
    sink(format.row(bytes, cursor.valueStart, cursor.valueEnd))
  }
}
