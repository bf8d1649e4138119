// The capacity of one broker: thousands of partitions, a thousand connections, one log of 20 GB.
// Figures of the large are shown beside those of the small, from the same run.

import { connectionRows } from './harness/manyConnections.ts'
import { partitionRows } from './harness/manyPartitions.ts'
import type { BenchOptions, Row } from './harness/row.ts'
import { largeLogRows } from './harness/veryLargeLog.ts'

export const description = '10,000 partitions, 1,000 connections, a log of 20 GB (--gigabytes)'

const parts = {
  partitions: partitionRows,
  connections: connectionRows,
  'large log': largeLogRows,
} as const

export async function run(options: BenchOptions): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, part] of Object.entries(parts)) {
    if (name.includes(options.only ?? '')) rows.push(...(await part(options)))
  }
  return rows
}
