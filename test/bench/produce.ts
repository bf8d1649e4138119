// Producing to a broker in another process over TCP, against a bare TCP server that writes what it
// gets to a file, syncs as often, and says how much it has. With --against: ours and that broker in turns,
// under many loads.

import { join } from 'node:path'
import type { Address } from '../../protocol/runtime/network.ts'
import { produceAgainst } from './harness/againstBroker.ts'
import { sendBatches } from './harness/bareClient.ts'
import { type Server, startBareServer, startBrokerProcess } from './harness/childProcess.ts'
import { BenchTopic, batchBytes, inFlight } from './harness/client.ts'
import { compare } from './harness/measure.ts'
import { orderBatches } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, throughputRows } from './harness/row.ts'

export const description = 'produce to a broker over TCP, acknowledged by all in-sync replicas'

export async function run(options: BenchOptions): Promise<Row[]> {
  if (options.against) return await produceAgainst(options, options.against)
  const rows: Row[] = []
  for (const flush of ['group', 'os'] as const) {
    const broker = await startBrokerProcess(join(options.directory, `broker-${flush}`), flush)
    try {
      const address = { host: '127.0.0.1', port: broker.port }
      rows.push(...(await measure(options, address, flush, `produce, flush=${flush}`)))
    } finally {
      await broker.stop()
    }
  }
  return rows
}

async function measure(
  { seconds, directory }: BenchOptions,
  address: Address,
  flush: 'group' | 'os',
  name: string,
): Promise<Row[]> {
  const orders = orderBatches(2 * inFlight, batchBytes)
  const bare: Server = await startBareServer('write', join(directory, 'bare'), flush)
  try {
    const topic = await BenchTopic.create(address)
    try {
      const baseline = sendBatches(bare.port, orders, inFlight)
      const result = await compare(seconds, topic.produce(orders), baseline)
      return throughputRows(name, result.ours, result.baseline)
    } finally {
      await topic.remove()
    }
  } finally {
    await bare.stop()
  }
}
