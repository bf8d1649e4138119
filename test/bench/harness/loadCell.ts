// The loads under which two brokers are compared: record size, partitions, clients, compression.
// Every combination is a cell, and every cell a row.

import { OrderLines } from '../../../engine/jobs/orderLines.ts'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

export type CompressionName = keyof typeof Compression

export interface LoadCell {
  readonly recordBytes: number
  readonly partitions: number
  readonly clients: number
  readonly compression: CompressionName
}

export interface LoadBatches {
  readonly batches: readonly Buffer[]
  readonly recordsPerBatch: number
  /** Bytes of the records' values in a batch, before compression. */
  readonly payloadBytes: number
}

/** The default size of a batch of Kafka's producer (batch.size). */
const batchBytes = 16_384
const recordOverheadBytes = 8

export const loadCells: readonly LoadCell[] = [100, 1000].flatMap((recordBytes) =>
  [1, 16].flatMap((partitions) =>
    [1, 4].flatMap((clients) =>
      (Object.keys(Compression) as CompressionName[]).map((compression) => {
        return { recordBytes, partitions, clients, compression }
      }),
    ),
  ),
)

export function cellName({ recordBytes, partitions, clients, compression }: LoadCell): string {
  return `${recordBytes} B, ${partitions} part., ${clients} cl., ${compression}`
}

/** `count` batches of log lines, each as long as batch.size allows once compressed. */
export function loadBatches(count: number, { recordBytes, compression }: LoadCell): LoadBatches {
  const lines = logLines(recordBytes)
  const build = (records: number) => {
    const builder = new RecordBatchBuilder({ compression: Compression[compression] })
    for (let number = 0; number < records; number++) {
      const line = lines.next().value
      builder.appendRange(Date.now(), line, 0, line.length)
    }
    return builder.build()
  }
  const plain = Math.max(1, Math.floor(batchBytes / (recordBytes + recordOverheadBytes)))
  const ratio = build(plain).length / (plain * (recordBytes + recordOverheadBytes))
  const recordsPerBatch =
    compression === 'none' ? plain : Math.max(1, Math.floor((0.95 * plain) / ratio))
  const batches = Array.from({ length: count }, () => build(recordsPerBatch))
  return { batches, recordsPerBatch, payloadBytes: recordsPerBatch * recordBytes }
}

/** Order lines joined and cut to the size. */
function* logLines(recordBytes: number): Generator<Buffer, never> {
  const orders = new OrderLines(seededRandom(1))
  const buffer = Buffer.alloc(64 * 1024 + 64 * 64)
  while (true) {
    const end = orders.fill(buffer, 0, 1024)
    for (let at = 0; at + recordBytes <= end; at += recordBytes) {
      yield Buffer.from(buffer.subarray(at, at + recordBytes))
    }
  }
}
