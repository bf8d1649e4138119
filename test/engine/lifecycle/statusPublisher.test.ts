// The status of a job is sent every second. A failure is logged when it begins and when it ends,
// not every second.

import { expect, test } from 'vitest'
import { StatusPublisher } from '../../../engine/lifecycle/statusPublisher.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { decodeStatus, type JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { statusTopic } from '../../../protocol/telemetry/status/statusTopicName.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { drive } from '../../protocol/client/drive.ts'
import { FakeCluster } from '../../protocol/client/fakeBroker.ts'

const status: JobStatus = {
  ...{ kind: 'job', id: 'job/words/01234567', name: 'words', timeMs: 1, state: 'running' },
  ...{ topics: ['words'], batchIntervalMs: 100, lagRecords: 3, recordsTotal: 4, batches: [] },
  views: [],
  running: {
    ...{ batchId: 1, sinceMs: 2 },
    tasks: [
      {
        ...{ stage: 'job-1', operator: 'map', partition: 0, executor: 1, attempt: 2, sinceMs: 3 },
      },
    ],
  },
}

test("the broker's unavailability is logged once, and its return is logged once", async () => {
  const clock = new ManualClock()
  const network = memoryNetwork()
  const runtime = { clock, network, random: seededRandom(1), scheduler: systemScheduler }
  const cluster = new Cluster(runtime, {
    bootstrap: [{ host: 'broker-0', port: 9092 }],
    clientId: 'test',
  })
  const logger = new MemoryLogger()
  const publisher = new StatusPublisher(cluster, runtime, logger, () => status)
  publisher.publish()
  for (let second = 0; second < 60; second++) await clock.advanceAndSettle(1000)
  expect(logger.messages('warn')).toEqual([
    'failed to publish the status of the job; retrying every second',
  ])
  const fake = await FakeCluster.start(network, clock)
  for (let second = 0; second < 20; second++) await clock.advanceAndSettle(1000)
  expect(logger.messages('warn')).toHaveLength(1)
  expect(logger.messages('info')).toEqual(['the status of the job is published again'])
  const stored = fake.topics.byName.get(statusTopic)![0]!.values()
  expect(decodeStatus(Buffer.from(stored.at(-1)!))).toEqual(status)
  await drive(clock, publisher.close())
  await cluster.close()
  await fake.close()
})
