// The demo's job against a real broker, with worker threads: every purchase is counted once, across
// a stop and a restart, and the status shows the counts.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { decodeStatus, type JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { statusTopic } from '../../../protocol/telemetry/status/statusTopicName.ts'
import { counted, JobBroker } from './jobBroker.ts'

const module = join(import.meta.dirname, '../../../engine/jobs/orderDemographics.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('orders')
})

afterEach(() => broker.stop())

test('counts purchases by age and gender, before and after a restart', async () => {
  await broker.createTopic(3)
  await produce(['2,3,1', '2,3,0', '2,4,0', '0,3,1', '2,,', '1,4,0'])
  const first = await broker.submit(module, { batchIntervalMs: 1000 })
  expect(rowsOf(await counted(first, 6), 'orders-by-age')).toEqual([
    ['', 1],
    ['3', 2],
    ['4', 1],
  ])
  await first.stop()
  const { positions, batches, ...end } = first.status()
  expect(end).toMatchObject({ state: 'stopped', lagRecords: 0, recordsTotal: 6 })
  expect(positions).toHaveLength(3)
  expect(positions!.reduce((sum, { until }) => sum + until, 0)).toBe(6)
  // An empty batch has no latency, which differs from a latency of 0 ms.
  expect(batches.filter(({ records }) => records === 0).map(({ latencyMs }) => latencyMs)).toEqual(
    batches.filter(({ records }) => records === 0).map(() => undefined),
  )
  expect(batches.find(({ records }) => records > 0)!.latencyMs).toBeGreaterThanOrEqual(0)

  await produce(['2,3,1', '2,8,2'])
  const second = await broker.submit(module, { batchIntervalMs: 1000 })
  const status = await counted(second, 8)
  expect(status.recordsTotal).toBe(8)
  const byAge = [
    ['', 1],
    ['3', 3],
    ['4', 1],
    ['8', 1],
  ]
  expect(rowsOf(status, 'orders-by-age')).toEqual(byAge)
  // Less than ten seconds have passed, so the window also contains every purchase.
  expect(rowsOf(status, 'age-share')).toEqual(byAge)
  expect(rowsOf(status, 'orders-by-gender')).toEqual([
    ['', 1],
    ['0', 2],
    ['1', 2],
    ['2', 1],
  ])
  await second.stop()
  expect(await lastPublished()).toMatchObject({ state: 'stopped', recordsTotal: 8 })
}, 60_000)

test('waits for a topic that does not exist yet', async () => {
  const job = await broker.submit(module, { executors: 0 })
  await broker.createTopic(1)
  await produce(['2,1,1'])
  expect(rowsOf(await counted(job, 1), 'orders-by-age')).toEqual([['1', 1]])
}, 60_000)

/** Produces lines with the given last three columns: action, age range, gender. */
function produce(endings: readonly string[]): Promise<void> {
  return broker.produce(endings.map((ending) => `1,2,3,4,5,6,${ending}`))
}

function rowsOf(status: JobStatus, view: string) {
  return status.views.find(({ name }) => name === view)?.rows
}

async function lastPublished() {
  const reader = new PartitionReader(broker.cluster, { topic: statusTopic, partition: 0 })
  const { batches } = await reader.fetch((await reader.latest()) - 1)
  reader.close()
  const found = [...splitBatches(batches)].flatMap((batch) => [...records(batch, 1 << 20)])
  return decodeStatus(found.at(-1)!.value!)
}
