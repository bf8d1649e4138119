// The status follower with a real broker over TCP.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { Admin } from '../../../../protocol/client/admin.ts'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { encodeStatus, type Status } from '../../../../protocol/telemetry/status/status.ts'
import {
  followStatus,
  type StatusFollower,
} from '../../../../protocol/telemetry/status/statusFollower.ts'
import { newStatusTopic } from '../../../../protocol/telemetry/status/statusTopic.ts'
import { statusTopic } from '../../../../protocol/telemetry/status/statusTopicName.ts'
import { agentStatus, jobStatus } from '../../../broker/admin/board/boardInput.ts'
import { TestBroker } from '../../../interop/testBroker.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

const runtime = {
  clock: systemClock,
  random: systemRandom(),
  network: tcpNetwork,
  scheduler: systemScheduler,
}
let broker: TestBroker
let cluster: Cluster
let producer: Producer
let logger: MemoryLogger
const followers: StatusFollower[] = []

beforeEach(async () => {
  broker = await TestBroker.start()
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  cluster = new Cluster(runtime, { bootstrap, clientId: 'test', allowAutoTopicCreation: false })
  producer = new Producer(cluster, runtime, { lingerMs: 0 })
  logger = new MemoryLogger()
})

afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()))
  await producer.close()
  await cluster.close()
  await broker.stop()
})

/** Starts a follower; `heard` has one line for each status that it received. */
function follow() {
  const heard: string[] = []
  const follower = followStatus(cluster, systemClock, logger, {
    heard: ({ id, timeMs }, heardMs) =>
      heard.push(`${id} ${timeMs}${heardMs === timeMs ? ' of then' : ''}`),
    deleted: (id) => heard.push(`${id} deleted`),
  })
  followers.push(follower)
  return { heard, follower }
}

const report = (...statuses: Status[]) =>
  Promise.all(statuses.map((status) => producer.send(statusTopic, encodeStatus(status))))

test('receives first the latest status of every program, with the time it was made', async () => {
  await new Admin(cluster).createTopics([newStatusTopic])
  const failed = jobStatus(7_000, 1, { state: 'failed' })
  await report(agentStatus(1_000, 1), agentStatus(2_000, 2), failed)
  await report(agentStatus(3_000, 3), agentStatus(3_500, 3, { id: 'agent/gone' }))
  await producer.send(statusTopic, { key: Buffer.from('agent/gone'), value: null })
  const { heard } = follow()
  await expect.poll(() => heard).toEqual(['job/orders 7000 of then', 'agent/h1/a1 3000 of then'])
  await report(agentStatus(4_000, 4))
  await producer.send(statusTopic, { key: Buffer.from('job/orders'), value: null })
  await expect.poll(() => heard.slice(2)).toEqual(['agent/h1/a1 4000', 'job/orders deleted'])
})

test('an invalid record is logged and skipped', async () => {
  await new Admin(cluster).createTopics([newStatusTopic])
  await producer.send(statusTopic, { key: Buffer.from('x'), value: Buffer.from('{}') })
  await report(agentStatus(1_000, 1))
  const { heard } = follow()
  await expect.poll(() => heard).toEqual(['agent/h1/a1 1000 of then'])
  expect(logger.lines.map(({ message }) => message)).toEqual(['failed to read a status record'])
})

test('a missing topic is not a failure; an unreachable broker is', async () => {
  const { heard, follower } = follow()
  await expect(cluster.partitionCount(statusTopic)).rejects.toThrow('UNKNOWN_TOPIC')
  expect(broker.broker.topics()).toEqual([])
  await new Admin(cluster).createTopics([newStatusTopic])
  await report(agentStatus(1_000, 1))
  await expect.poll(() => heard, { timeout: 20_000 }).toHaveLength(1)
  expect(follower.failure).toBeUndefined()
  await broker.stop()
  await expect.poll(() => follower.failure?.reason, { timeout: 20_000 }).toContain('127.0.0.1')
})
