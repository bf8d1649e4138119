// Fetching a partition from its start, from a broker in another process over TCP. Baseline: a bare
// TCP server that sends a file of the same bytes. Each with two connections: a reader sends its
// next request only after the answer, so with one connection the broker would be idle while the
// answer is in flight.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { fetchAgainst } from './harness/againstBroker.ts'
import { receiveFile } from './harness/bareClient.ts'
import { startBareServer, startBrokerProcess } from './harness/childProcess.ts'
import { BenchTopic, batchBytes, inFlight } from './harness/client.ts'
import { compare, inParallel, type Work } from './harness/measure.ts'
import { type OrderBatches, orderBatches } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, throughputRows } from './harness/row.ts'

export const description = 'fetch a partition from a broker over TCP'

/** Size of the topic and of the file. */
const dataBytes = 512 * 1024 * 1024
const fetchBytes = 4 * 1024 * 1024
const connections = 2

export async function run(options: BenchOptions): Promise<Row[]> {
  if (options.against) return await fetchAgainst(options, options.against)
  const broker = await startBrokerProcess(join(options.directory, 'broker'), 'os')
  try {
    return await measure(options, { host: '127.0.0.1', port: broker.port })
  } finally {
    await broker.stop()
  }
}

async function measure({ seconds, directory }: BenchOptions, address: Address): Promise<Row[]> {
  const orders = orderBatches(2 * inFlight, batchBytes)
  const path = join(directory, 'data')
  await writeFile(path, fileOf(orders))
  const bare = await startBareServer('send', path)
  try {
    const topic = await BenchTopic.create(address)
    try {
      await topic.produce(orders)((bytes) => bytes >= dataBytes)
      const ours = inParallel(connections, fetchAll(topic, orders))
      const baseline = inParallel(connections, receiveFile(bare.port, orders.bytesPerRecord))
      const result = await compare(seconds, ours, baseline)
      return throughputRows('fetch', result.ours, result.baseline)
    } finally {
      await topic.remove()
    }
  } finally {
    await bare.stop()
  }
}

function* fileOf({ batches }: OrderBatches): Generator<Buffer> {
  for (let bytes = 0, next = 0; bytes < dataBytes; next++) {
    const batch = batches[next % batches.length]!
    bytes += batch.length
    yield batch
  }
}

/** Reads whole batches, found by their headers as a consumer finds its next offset; not decoded. */
function fetchAll(topic: BenchTopic, orders: OrderBatches): Work {
  return async (isOver) => {
    const reader = new PartitionReader(topic.cluster, {
      topic: topic.name,
      partition: 0,
      maxBytes: fetchBytes,
    })
    let bytes = 0
    let offset = 0
    while (!isOver(bytes)) {
      const { batches, highWatermark } = await reader.fetch(offset)
      let last: RecordBatch | undefined
      for (const batch of splitBatches(batches)) last = batch
      offset = last?.nextOffset ?? 0
      if (offset >= highWatermark) offset = 0
      bytes += batches.length
    }
    reader.close()
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}
