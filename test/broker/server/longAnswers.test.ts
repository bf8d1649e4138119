// Small requests with long answers: however many clients request and do not read, and however often
// a request names the same resource, the memory for answers stays within its budget.

import { afterEach, expect, it } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { heartbeat } from '../../../protocol/kafka/apis/heartbeat.ts'
import { joinGroup } from '../../../protocol/kafka/apis/joinGroup.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { syncGroup } from '../../../protocol/kafka/apis/syncGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const megabyte = 1024 * 1024
const responseBytes = 'millrace_broker_memory_used_bytes{budget="responses"}'
const limit = 2 * megabyte

let broker: MemoryBroker

async function start(): Promise<RawClient> {
  broker = await MemoryBroker.start({ 'queued.max.response.bytes': limit })
  return broker.client()
}

afterEach(() => broker.stop())

function reasons(): string[] {
  return broker.logger.lines.flatMap(({ fields }) => {
    const { reason } = (fields ?? {}) as { reason?: string }
    return reason === undefined ? [] : [reason]
  })
}

it('clients that request repeatedly without reading take the budget and one answer each, at most', async () => {
  const client = await start()
  const topic = { numPartitions: 1000, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 4, { timeoutMs: 1000, topics: [{ name: 't', ...topic }] })
  const everything = [
    (each: RawClient) => each.send(metadata, 12, { topics: null }),
    (each: RawClient) => each.send(describeLogDirs, 4, { topics: null }),
    (each: RawClient) => {
      const resources = Array.from({ length: 20 }, () => {
        return { resourceType: 4, resourceName: '1', configurationKeys: null }
      })
      return each.send(describeConfigs, 4, { resources, includeDocumentation: true })
    },
    (each: RawClient) => each.send(listGroups, 4, {}),
  ]
  let longest = 0
  for (const ask of everything) {
    client.pause()
    const answer = ask(client)
    await settle()
    longest = Math.max(longest, await broker.metric(responseBytes))
    client.resume()
    await answer
  }
  const clients = await Promise.all(Array.from({ length: 40 }, () => broker.client()))
  for (const each of clients) {
    each.pause()
    for (let count = 0; count < 40; count++) {
      everything[count % everything.length]!(each).catch(() => undefined)
    }
  }
  let peak = 0
  for (let turn = 0; turn < 100; turn++) {
    await settle()
    peak = Math.max(peak, await broker.metric(responseBytes))
  }
  expect(peak).toBeGreaterThan(limit)
  expect(peak).toBeLessThan(limit + 2 * longest)
  // Requests that clients need for their work are answered; descriptions wait until others have
  // left.
  const beat = { groupId: 'g', generationId: 1, memberId: 'm' }
  expect((await client.send(heartbeat, 0, beat)).errorCode).not.toBe(ErrorCode.none)
  let isAnswered = false
  const waiting = client.send(metadata, 12, { topics: null }).then(() => {
    isAnswered = true
  })
  await settle()
  expect(isAnswered).toBe(false)
  for (let turn = 0; turn < 8; turn++) {
    broker.clock.advance(15_000)
    await settle()
  }
  await waiting
  expect(reasons()).toContain(
    'response unread: the client stopped reading, and memory for responses is exhausted',
  )
})

it('a request that names one resource very often is refused with a reason', async () => {
  const client = await start()
  await client.send(metadata, 1, { topics: [{ name: 't' }] })
  const groupId = 'g'
  const joined = await client.send(joinGroup, 3, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(20_000) }],
  })
  const { memberId, generationId } = joined
  const assignments = [{ memberId, assignment: Buffer.alloc(20_000) }]
  await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments })
  const committedMetadata = 'x'.repeat(4000)
  const committed = [{ partitionIndex: 0, committedOffset: 1, committedMetadata }]
  const commit = { groupId: 'alone', memberId: '', topics: [{ name: 't', partitions: committed }] }
  const { topics } = await client.send(offsetCommit, 8, commit)
  expect(topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.none)
  const config = { resourceType: 4, resourceName: '1', configurationKeys: null }
  const group = { groupId: 'alone', topics: null }
  const asking = [
    (each: RawClient, times: number) =>
      each.send(describeConfigs, 4, { resources: Array(times).fill(config) }),
    (each: RawClient, times: number) =>
      each.send(describeGroups, 5, { groups: Array(times).fill(groupId) }),
    (each: RawClient, times: number) =>
      each.send(offsetFetch, 8, { groups: Array(times).fill(group) }),
  ]
  for (const [number, ask] of asking.entries()) {
    await ask(client, 3)
    const greedy = await broker.client()
    await expect(ask(greedy, 1000)).rejects.toThrow('closed')
    expect(reasons()).toHaveLength(number + 1)
    expect(reasons().at(-1)).toMatch(
      /request less at a time, or raise queued\.max\.response\.bytes$/,
    )
  }
  expect(await broker.metric(responseBytes)).toBe(0)
})
