// Record batches of order lines, as an agent would encode them, for the benchmarks of log and
// broker. The lines are generated, see engine/jobs/orderLines.ts.

import { OrderLines } from '../../../engine/jobs/orderLines.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

export interface OrderBatches {
  /** Each of about the requested size, with different lines. */
  readonly batches: readonly Buffer[]
  readonly recordsPerBatch: number
  /** Mean size of a record as stored in a log. */
  readonly bytesPerRecord: number
}

const lineBytes = 37
/** Bytes that a record adds to its line. */
const overheadBytes = 8

/** Batches of about `batchBytes`, all with the same number of records; no producer id. */
export function orderBatches(count: number, batchBytes: number): OrderBatches {
  const recordsPerBatch = Math.max(1, Math.floor(batchBytes / (lineBytes + overheadBytes)))
  return orderBatchesOf(count, recordsPerBatch)
}

export function orderBatchesOf(count: number, recordsPerBatch: number): OrderBatches {
  const orders = new OrderLines(seededRandom(1))
  const builder = new RecordBatchBuilder()
  const lines = Buffer.alloc(recordsPerBatch * 64)
  const batches = Array.from({ length: count }, () => {
    const end = orders.fill(lines, 0, recordsPerBatch)
    return encode(builder, lines.subarray(0, end))
  })
  const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
  return { batches, recordsPerBatch, bytesPerRecord: bytes / (count * recordsPerBatch) }
}

function encode(builder: RecordBatchBuilder, lines: Buffer): Buffer {
  const nowMs = Date.now()
  let start = 0
  for (let end = lines.indexOf(0x0a); end !== -1; end = lines.indexOf(0x0a, start)) {
    builder.appendRange(nowMs, lines, start, end)
    start = end + 1
  }
  return builder.build()
}
