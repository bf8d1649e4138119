// Reading a partition log from start to end. Baseline: a loop that reads the file.

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartitionLog } from '../../broker/log/partitionLog.ts'
import { splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { fillLog, openLog } from './harness/logs.ts'
import { compare, type Work } from './harness/measure.ts'
import { type OrderBatches, orderBatches } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, throughputRows } from './harness/row.ts'

export const description = 'read a partition log from start to end'

const batchBytes = 256 * 1024
const logRecords = 8_000_000
const readBytes = 1024 * 1024

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const orders = orderBatches(16, batchBytes)
  const path = join(directory, 'log')
  const log = await openLog(path, 'os')
  try {
    await fillLog(log, orders, logRecords)
    const file = join(path, '00000000000000000000.log')
    const result = await compare(seconds, readLog(log, orders), readFile(file, orders))
    return throughputRows('read from start to end', result.ours, result.baseline)
  } finally {
    await log.close()
  }
}

function readLog(log: PartitionLog, orders: OrderBatches): Work {
  return async (isOver) => {
    let bytes = 0
    let offset = 0
    while (!isOver(bytes)) {
      const read = await log.read(offset, readBytes)
      for (const batch of splitBatches(read.bytes)) offset = batch.nextOffset
      if (read.bytes.length === 0) offset = 0
      bytes += read.bytes.length
    }
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}

/** Reads into a new buffer each time, because the bytes returned by a log belong to the caller. */
function readFile(path: string, orders: OrderBatches): Work {
  return async (isOver) => {
    const file = await open(path, 'r')
    let bytes = 0
    let position = 0
    while (!isOver(bytes)) {
      const into = Buffer.allocUnsafeSlow(readBytes)
      const { bytesRead } = await file.read(into, 0, readBytes, position)
      position = bytesRead === 0 ? 0 : position + bytesRead
      bytes += bytesRead
    }
    await file.close()
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}
