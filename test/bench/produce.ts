// Producing to a broker in another process over TCP. Baseline: a bare TCP server that writes what
// it receives to a file, syncs as often, and answers how much it has. With large batches, and with
// batches of 16 KiB as Kafka's producer sends them, in each codec, because the broker validates
// every batch. With --against: Millrace and that broker in turns, under many loads.

import { join } from 'node:path'
import { Compression } from '../../protocol/bytes/compression.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { produceAgainst } from './harness/againstBroker.ts'
import { sendBatches } from './harness/bareClient.ts'
import { type Server, startBareServer, startBrokerProcess } from './harness/childProcess.ts'
import { BenchTopic, batchBytes, inFlight } from './harness/client.ts'
import { type CompressionName, loadBatches } from './harness/loadCell.ts'
import { compare, type Work } from './harness/measure.ts'
import { usageOf } from './harness/measuredProcess.ts'
import { type OrderBatches, orderBatches } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, row, type Throughput, throughputRows } from './harness/row.ts'

export const description = 'produce to a broker over TCP, acknowledged by all in-sync replicas'

const recordBytes = 100
const batchVariants = 32

export async function run(options: BenchOptions): Promise<Row[]> {
  if (options.against) return await produceAgainst(options, options.against)
  const rows: Row[] = []
  for (const flush of ['group', 'os'] as const) {
    const broker = await startBrokerProcess(join(options.directory, `broker-${flush}`), flush)
    try {
      const orders = orderBatches(2 * inFlight, batchBytes)
      const { ours, baseline } = await measure(options, broker, flush, orders)
      rows.push(...throughputRows(`produce, flush=${flush}`, ours, baseline))
      if (flush === 'os') rows.push(...(await measureCodecs(options, broker)))
    } finally {
      await broker.stop()
    }
  }
  return rows
}

async function measureCodecs(options: BenchOptions, broker: Server): Promise<Row[]> {
  const rows: Row[] = []
  for (const compression of Object.keys(Compression) as CompressionName[]) {
    const orders = smallBatches(compression)
    const { ours, baseline, processorSeconds } = await measure(options, broker, 'os', orders)
    const name = `produce, 16 KiB, ${compression}`
    rows.push(throughputRows(name, ours, baseline)[0]!)
    if (processorSeconds !== undefined) {
      const batches = ours.bytes / orders.batches[0]!.length
      rows.push(row(`${name}: processor`, (processorSeconds * 1e6) / batches, 'µs/batch'))
    }
  }
  return rows
}

function smallBatches(compression: CompressionName): OrderBatches {
  const cell = { recordBytes, partitions: 1, clients: 1, compression }
  const { batches, recordsPerBatch } = loadBatches(batchVariants, cell)
  return { batches, recordsPerBatch, bytesPerRecord: batches[0]!.length / recordsPerBatch }
}

interface Measured {
  readonly ours: Throughput
  readonly baseline: Throughput
  /**
   * Processor time of the broker for the work in `ours`; undefined if the system does not report
   * it.
   */
  readonly processorSeconds: number | undefined
}

async function measure(
  { seconds, directory }: BenchOptions,
  broker: Server,
  flush: 'group' | 'os',
  orders: OrderBatches,
): Promise<Measured> {
  const address: Address = { host: '127.0.0.1', port: broker.port }
  const bare: Server = await startBareServer('write', join(directory, 'bare'), flush)
  try {
    const topic = await BenchTopic.create(address)
    const rounds: { readonly bytes: number; readonly seconds: number | undefined }[] = []
    const produce = topic.produce(orders)
    const produceMeasured: Work = async (isOver) => {
      const before = (await usageOf(broker.pid))?.cpuSeconds
      const done = await produce(isOver)
      const after = (await usageOf(broker.pid))?.cpuSeconds
      const used = before === undefined || after === undefined ? undefined : after - before
      rounds.push({ bytes: done.bytes, seconds: used })
      return done
    }
    try {
      const baseline = sendBatches(bare.port, orders, inFlight)
      const result = await compare(seconds, produceMeasured, baseline)
      return { ...result, processorSeconds: processorSeconds(rounds, result.ours.bytes) }
    } finally {
      await topic.remove()
    }
  } finally {
    await bare.stop()
  }
}

/** Mean over the rounds, because processor time has a coarse clock; the first is a warm-up. */
function processorSeconds(
  rounds: readonly { readonly bytes: number; readonly seconds: number | undefined }[],
  bytes: number,
): number | undefined {
  let used = 0
  let all = 0
  for (const round of rounds.slice(1)) {
    if (round.seconds === undefined) return undefined
    used += round.seconds
    all += round.bytes
  }
  return (used / all) * bytes
}
