// Requests that take much more memory than their bytes on the wire: excessive ones are refused with
// a reason, and large legitimate ones are answered.

import { afterEach, expect, it } from 'vitest'
import type { BrokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { servedApis } from '../../../broker/server/dispatch/dispatch.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { arraysOf, bodyWith } from '../../fuzz/tinyElements.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const megabyte = 1024 * 1024
const decodedBytes = 'millrace_broker_memory_used_bytes{budget="decoded"}'

let broker: MemoryBroker

async function start(config: Partial<BrokerConfig> = {}): Promise<RawClient> {
  broker = await MemoryBroker.start(config)
  return broker.client()
}

afterEach(() => broker.stop())

function reasons(): unknown[] {
  const lines = broker.logger.lines.filter(({ level }) => level === 'warn')
  return lines.map(({ fields }) => (fields as { reason?: string } | undefined)?.reason)
}

/** A long poll over this number of partitions, for records that do not arrive. */
const waitingFetch = (partitions: number) => ({
  maxWaitMs: 1000,
  minBytes: 1,
  maxBytes: megabyte,
  topics: [
    {
      topic: 't',
      partitions: Array.from({ length: partitions }, () => {
        return { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }
      }),
    },
  ],
})

it('a request of tiny elements is refused with a reason and a remedy, in every API', async () => {
  await start({ 'queued.max.request.bytes': megabyte, 'auto.create.topics.enable': false })
  let refused = 0
  for (const api of servedApis) {
    for (const place of arraysOf(api, api.maxVersion)) {
      // Smaller than the budget on the wire, and up to ten times as large when decoded.
      const body = bodyWith(api, api.maxVersion, place, 80_000)
      const client = await broker.client()
      const outcome = await Promise.race([
        client.send(api, api.maxVersion, body as never).then(
          () => 'answered',
          () => 'closed',
        ),
        client.closed.then(() => 'closed'),
      ])
      expect(outcome, `${api.name} ${place.path}`).toBe('closed')
      refused++
    }
  }
  expect(refused).toBeGreaterThan(50)
  const ours = reasons()
  expect(ours).toHaveLength(refused)
  for (const reason of ours)
    expect(reason).toMatch(/^\w+ request v\d+ .* raise queued\.max\.request\.bytes$/)
  expect(await broker.metric(decodedBytes)).toBe(0)
})

it('requests in flight stay within the budget together, and each gets its turn', async () => {
  const limit = 4 * megabyte
  const client = await start({ 'queued.max.request.bytes': limit })
  await client.send(metadata, 1, { topics: [{ name: 't' }] })
  const clients = await Promise.all(Array.from({ length: 20 }, () => broker.client()))
  const answers = clients.map((each) => each.send(fetch, 11, waitingFetch(9_000)))
  let answered = 0
  for (const answer of answers) void answer.then(() => answered++)
  let peak = 0
  for (let turn = 0; turn < 5000 && answered < answers.length; turn++) {
    await settle()
    peak = Math.max(peak, await broker.metric(decodedBytes))
    // A request of usual size never waits for others to be answered.
    if (turn === 100) await client.send(fetch, 11, { ...waitingFetch(10), maxWaitMs: 0 })
    if (turn % 10 === 9) broker.clock.advance(500)
  }
  await Promise.all(answers)
  expect(peak).toBeGreaterThan(limit / 2)
  expect(peak).toBeLessThanOrEqual(limit + megabyte / 4)
  expect(await broker.metric(decodedBytes)).toBe(0)
})

it('requests of disconnected clients are dropped, also those that wait in line', async () => {
  const client = await start({ 'queued.max.request.bytes': 4 * megabyte })
  await client.send(metadata, 1, { topics: [{ name: 't' }] })
  const clients = await Promise.all(Array.from({ length: 6 }, () => broker.client()))
  for (const each of clients) each.send(fetch, 11, waitingFetch(9_000)).catch(() => undefined)
  await settle()
  for (const each of [...clients].reverse()) each.close()
  await settle()
  expect(await broker.metric(decodedBytes)).toBe(0)
  const { responses } = await client.send(fetch, 11, { ...waitingFetch(9_000), maxWaitMs: 0 })
  expect(responses[0]!.partitions).toHaveLength(9_000)
})

it('large legitimate requests are answered: 200,000 partitions fetched, 100,000 offsets', async () => {
  const client = await start()
  const topics = Array.from({ length: 200 }, (_, number) => {
    const { partitions } = waitingFetch(1000).topics[0]!
    return {
      topic: `t-${number}`,
      partitions: partitions.map((it, partition) => ({ ...it, partition })),
    }
  })
  const fetched = await client.send(fetch, 12, { ...waitingFetch(1), maxWaitMs: 0, topics })
  expect(fetched.responses).toHaveLength(200)
  for (const { partitions } of fetched.responses) expect(partitions).toHaveLength(1000)
  const partitionIndexes = Array.from({ length: 1000 }, (_, index) => index)
  const wanted = Array.from({ length: 100 }, (_, number) => ({
    name: `t-${number}`,
    partitionIndexes,
  }))
  const { groups } = await client.send(offsetFetch, 8, {
    groups: [{ groupId: 'g', topics: wanted }],
  })
  expect(groups[0]!.errorCode).toBe(ErrorCode.none)
  expect(groups[0]!.topics.flatMap(({ partitions }) => partitions)).toHaveLength(100_000)
})
