// The time from `node millrace.ts broker` to the first stored record, in an empty directory and in
// one with data. Baseline: Node starting a bare TCP server.

import { join } from 'node:path'
import { startBareServer, startBrokerProcess } from './harness/childProcess.ts'
import { BenchTopic } from './harness/client.ts'
import { durationMs, median } from './harness/measure.ts'
import { type OrderBatches, orderBatches, orderBatchesOf } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'start a broker until it has stored a first record'

const runs = 5
/** Size of the data in the directory. */
const dataBytes = 256 * 1024 * 1024

export async function run({ directory }: BenchOptions): Promise<Row[]> {
  const one = orderBatchesOf(1, 1)
  const full = join(directory, 'full')
  await fill(full)
  const times = { bare: [] as number[], empty: [] as number[], full: [] as number[] }
  for (let count = 0; count < runs; count++) {
    times.bare.push(await bareMs(join(directory, 'bare')))
    times.empty.push(await brokerMs(join(directory, `empty-${count}`), one))
    times.full.push(await brokerMs(full, one))
  }
  const bare = median(times.bare)
  return [
    row('start, no data', median(times.empty), 'ms', bare),
    row(`start, ${dataBytes / 1024 ** 2} MiB of data`, median(times.full), 'ms', bare),
  ]
}

async function brokerMs(directory: string, orders: OrderBatches): Promise<number> {
  let stop = () => Promise.resolve()
  try {
    return await durationMs(async () => {
      const broker = await startBrokerProcess(directory)
      stop = broker.stop
      const topic = await BenchTopic.create({ host: '127.0.0.1', port: broker.port })
      await topic.produce(orders)((bytes) => bytes > 0)
      await topic.cluster.close()
    })
  } finally {
    await stop()
  }
}

async function bareMs(path: string): Promise<number> {
  let stop = () => Promise.resolve()
  try {
    return await durationMs(async () => {
      stop = (await startBareServer('write', path, 'os')).stop
    })
  } finally {
    await stop()
  }
}

async function fill(directory: string): Promise<void> {
  const broker = await startBrokerProcess(directory, 'os')
  try {
    const topic = await BenchTopic.create({ host: '127.0.0.1', port: broker.port })
    const orders = orderBatches(10, 512 * 1024)
    await topic.produce(orders)((bytes) => bytes >= dataBytes)
    await topic.cluster.close()
  } finally {
    await broker.stop()
  }
}
