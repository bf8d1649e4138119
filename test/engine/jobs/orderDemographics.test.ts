// The demo's job against a real broker, with worker threads: every purchase is counted once, also
// when the job is stopped and started again, and when a worker is gone.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RunningJob, submitJob } from '../../../engine/submit.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster.ts'
import { Producer } from '../../../protocol/client/producer.ts'
import { systemClock } from '../../../protocol/runtime/clock.ts'
import { nodeDisk } from '../../../protocol/runtime/nodeDisk.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { tcpNetwork } from '../../../protocol/runtime/tcpNetwork.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import type { JobStatus } from '../../../protocol/telemetry/status.ts'
import { TestBroker } from '../../interop/testBroker.ts'

const module = join(import.meta.dirname, '../../../engine/jobs/orderDemographics.ts')
const runtime = {
  clock: systemClock,
  random: systemRandom(),
  disk: nodeDisk,
  network: tcpNetwork,
}
let broker: TestBroker
let cluster: Cluster
let producer: Producer
let directory: string
let running: RunningJob | undefined

beforeEach(async () => {
  broker = await TestBroker.start()
  cluster = new Cluster(runtime, { bootstrap: [address()], clientId: 'test' })
  producer = new Producer(cluster, runtime)
  directory = await mkdtemp(join(tmpdir(), 'millrace-job-'))
  await new Admin(cluster).createTopics([{ name: 'orders', partitions: 3 }])
})

afterEach(async () => {
  await running?.stop()
  running = undefined
  await producer.close()
  await cluster.close()
  await broker.stop()
  await rm(directory, { recursive: true, force: true })
})

test('counts what was bought by age and gender, before and after a restart', async () => {
  await produce(['2,3,1', '2,3,0', '2,4,0', '0,3,1', '2,,', '1,4,0'])
  const first = await totals(6)
  expect(first).toEqual({
    'orders-by-age': [
      ['', 1],
      ['3', 2],
      ['4', 1],
    ],
    'orders-by-gender': [
      ['', 1],
      ['0', 2],
      ['1', 1],
    ],
  })
  await running!.stop()
  running = undefined
  await produce(['2,3,1', '2,8,2'])
  expect(await totals(8)).toEqual({
    'orders-by-age': [
      ['', 1],
      ['3', 3],
      ['4', 1],
      ['8', 1],
    ],
    'orders-by-gender': [
      ['', 1],
      ['0', 2],
      ['1', 2],
      ['2', 1],
    ],
  })
}, 60_000)

function address() {
  return { host: '127.0.0.1', port: broker.port }
}

/** The last three columns of each line: action, age range, gender. */
async function produce(endings: readonly string[]): Promise<void> {
  const lines = endings.map((ending) => `1,2,3,4,5,6,${ending}`)
  await Promise.all(lines.map((line) => producer.send('orders', { value: Buffer.from(line) })))
}

/** The views of totals, once `records` have been counted since the beginning. */
async function totals(records: number): Promise<Record<string, unknown>> {
  const job = await submitJob({
    runtime,
    logger: silentLogger,
    module,
    bootstrap: [address()],
    directory,
    executors: 2,
    batchIntervalMs: 200,
  })
  running = job
  const status = await Promise.race([
    new Promise<JobStatus>((resolve) => {
      job.onBatch((status) => {
        if (status.recordsTotal >= records) resolve(status)
      })
    }),
    job.finished.then(() => expect.unreachable('the job ended')),
  ])
  expect(status.recordsTotal).toBe(records)
  const shown = status.views.filter(({ chart }) => chart === 'bar')
  return Object.fromEntries(shown.map(({ name, rows }) => [name, rows]))
}
