// The main job over a full topic, on a broker in the same process and two worker threads. Baseline:
// a loop that counts the same columns of the same lines in their file. Measured while the job's
// batches run, without the start of its threads.

import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningJob, submitJob } from '../../engine/lifecycle/submit.ts'
import { BatchSender } from '../../protocol/client/producer/batchSender.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { batchBytes, inFlight } from './harness/client.ts'
import {
  type InsideBroker,
  ordersPartitions,
  ordersTopic,
  startInsideBroker,
} from './harness/insideBroker.ts'
import { compareWhole } from './harness/measure.ts'
import {
  countOrders,
  type Demographics,
  type OrderFile,
  writeOrderFile,
} from './harness/orderFile.ts'
import { type BenchOptions, type Row, type Throughput, throughputRows } from './harness/row.ts'
import { requireSameDemographics } from './harness/sameDemographics.ts'

export const description = 'run the job order-demographics over a topic that is full'

const lines = 4_000_000
const module = new URL('../../engine/jobs/orderDemographics.ts', import.meta.url)

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const orders = await writeOrderFile(join(directory, 'orders.csv'), lines)
  const { demographics } = countOrders(orders)
  const broker = await startInsideBroker(join(directory, 'broker'))
  try {
    await fillTopic(broker, orders)
    const [ours, counted] = await compareWhole(seconds, [
      () => runJob(broker, orders, demographics, directory),
      () => countOrders(orders),
    ])
    return throughputRows('job over a full topic', ours, counted)
  } finally {
    await broker.close()
  }
}

/** Measures from the job's first batch to the batch that reaches the end of the topic. */
async function runJob(
  broker: InsideBroker,
  orders: OrderFile,
  expected: Demographics,
  parent: string,
): Promise<Throughput> {
  const directory = await mkdtemp(join(parent, 'job-'))
  const { runtime, address } = broker
  const job = await submitJob({
    runtime,
    logger: silentLogger,
    module,
    bootstrap: [address],
    directory,
  })
  try {
    const status = await Promise.race([hasCounted(job, orders.lines), job.finished])
    if (!status) throw new Error('the job was stopped before it had read the topic')
    requireSameDemographics(viewsOf(status), expected)
    const busyMs = status.batches
      .filter(({ records }) => records > 0)
      .reduce((sum, { processingTimeMs }) => sum + processingTimeMs, 0)
    return { bytes: orders.bytes, records: orders.lines, seconds: busyMs / 1000 }
  } finally {
    await job.stop()
    await rm(directory, { recursive: true })
  }
}

/** The status of the batch with which that many records have been committed. */
function hasCounted(job: RunningJob, records: number): Promise<JobStatus> {
  return new Promise((resolve) => {
    const check = (status: JobStatus) => {
      if (status.recordsTotal >= records) resolve(status)
    }
    job.onBatch(check)
    check(job.status())
  })
}

function viewsOf({ views }: JobStatus): Demographics {
  const rows = (name: string) =>
    Object.fromEntries(views.find((view) => view.name === name)?.rows ?? [])
  return { ages: rows('orders-by-age'), genders: rows('orders-by-gender') }
}

/** Appends the lines of the file as records, in batches to the partitions in turn. */
async function fillTopic({ cluster, runtime }: InsideBroker, { path }: OrderFile): Promise<void> {
  const options = { acks: -1, deliveryTimeoutMs: 30_000, maxInFlight: inFlight } as const
  const sender = new BatchSender(cluster, runtime.clock, options)
  const file = await open(path, 'r')
  const into = Buffer.allocUnsafeSlow(batchBytes)
  const underWay: Promise<unknown>[] = []
  try {
    for (let position = 0, count = 0; ; count++) {
      const { bytesRead } = await file.read(into, 0, batchBytes, position)
      if (bytesRead === 0) break
      const end = into.lastIndexOf('\n', bytesRead - 1) + 1
      underWay.push(sender.send(ordersTopic, count % ordersPartitions, batchOf(into, end)))
      if (underWay.length >= ordersPartitions * inFlight) await underWay.shift()
      position += end
    }
    await Promise.all(underWay)
  } finally {
    sender.close()
    await file.close()
  }
}

function batchOf(bytes: Buffer, end: number): Buffer {
  const builder = new RecordBatchBuilder()
  const nowMs = Date.now()
  for (let start = 0; start < end; ) {
    const lineEnd = bytes.indexOf('\n', start)
    builder.appendRange(nowMs, bytes, start, lineEnd)
    start = lineEnd + 1
  }
  return builder.build()
}
