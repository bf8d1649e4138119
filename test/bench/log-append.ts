// Appending to a partition log. Baseline: a loop that writes the same bytes to a file and syncs as
// often.

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FlushPolicy } from '../../broker/log/logConfig.ts'
import { append, openLog } from './harness/logs.ts'
import { compare, type Work } from './harness/measure.ts'
import { type OrderBatches, orderBatches } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, throughputRows } from './harness/row.ts'

export const description = 'append record batches to a partition log'

const batchBytes = 256 * 1024
/** Appends in flight, as from as many producers; the loop writes as many at once. */
const concurrency = 16

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const orders = orderBatches(concurrency, batchBytes)
  const rows: Row[] = []
  for (const flush of ['group', 'os'] as const) {
    const ours = appendLoop(join(directory, `log-${flush}`), orders, flush)
    const baseline = writeLoop(join(directory, `file-${flush}`), orders, flush)
    const result = await compare(seconds, ours, baseline)
    rows.push(...throughputRows(`append, flush=${flush}`, result.ours, result.baseline))
  }
  return rows
}

function appendLoop(directory: string, orders: OrderBatches, flush: FlushPolicy): Work {
  return async (isOver) => {
    const log = await openLog(directory, flush)
    let bytes = 0
    await Promise.all(
      orders.batches.map(async (batch) => {
        while (!isOver(bytes)) {
          await append(log, batch)
          bytes += batch.length
        }
      }),
    )
    await log.close()
    await rm(directory, { recursive: true })
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}

function writeLoop(path: string, orders: OrderBatches, flush: FlushPolicy): Work {
  return async (isOver) => {
    const file = await open(path, 'w')
    let bytes = 0
    while (!isOver(bytes)) {
      bytes += (await file.writev([...orders.batches], bytes)).bytesWritten
      if (flush === 'group') await file.datasync()
    }
    // The baseline syncs here, because a log is synced when it is closed.
    await file.datasync()
    await file.close()
    await rm(path)
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}
