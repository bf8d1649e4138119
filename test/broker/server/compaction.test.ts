// The topics of the coordinators are compacted while the broker runs, and restore the same state
// afterwards.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const backoffMs = 15_000
const deleteRetentionMs = 1000
const transactionalId = 'tx'

let broker: MemoryBroker
let client: RawClient

beforeEach(async () => {
  broker = await MemoryBroker.start({
    'offsets.topic.num.partitions': 1,
    'offsets.topic.segment.bytes': 1500,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.segment.bytes': 1500,
    'log.cleaner.delete.retention.ms': deleteRetentionMs,
  })
  client = await broker.client()
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
})

afterEach(() => broker.stop())

function offsetsOf(committedOffset: number) {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: null }]
  return [{ name: 't', partitions }]
}

async function commit(groupId: string, offset: number): Promise<void> {
  const request = { groupId, memberId: '', topics: offsetsOf(offset) }
  const answer = await client.send(offsetCommit, 8, request)
  expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0)
}

async function committed(groupId: string): Promise<number> {
  const topics = [{ name: 't', partitionIndexes: [0] }]
  const answer = await client.send(offsetFetch, 8, { groups: [{ groupId, topics }] })
  return answer.groups[0]!.topics[0]!.partitions[0]!.committedOffset
}

const init = () => client.send(initProducerId, 3, { transactionalId, transactionTimeoutMs: 60_000 })

async function commitInTransaction(groupId: string, offset: number, isCommit: boolean) {
  const { producerId, producerEpoch } = await init()
  const producer = { transactionalId, producerId, producerEpoch }
  expect((await client.send(addOffsetsToTxn, 3, { ...producer, groupId })).errorCode).toBe(0)
  const request = { ...producer, groupId, topics: offsetsOf(offset) }
  const answer = await client.send(txnOffsetCommit, 3, request)
  expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0)
  expect((await client.send(endTxn, 3, { ...producer, committed: isCommit })).errorCode).toBe(0)
  await settle()
}

async function logBytes(topic: string): Promise<number> {
  const directory = `/data/${topic}-0`
  const names = (await broker.disk.list(directory)).filter((name) => name.endsWith('.log'))
  const stats = await Promise.all(names.map((name) => broker.disk.stat(`${directory}/${name}`)))
  return stats.reduce((sum, stat) => sum + stat!.sizeBytes, 0)
}

it('groups and transactions have the same state after compaction', async () => {
  await commit('once', 3)
  for (let offset = 0; offset < 40; offset++) {
    await commit('often', offset)
    await commitInTransaction('aborted at last', offset, offset < 30)
    await commitInTransaction('in transactions', offset, offset % 3 === 0)
  }
  const { producerId, producerEpoch } = await init()
  const known = async () => [
    await committed('once'),
    await committed('often'),
    await committed('aborted at last'),
    await committed('in transactions'),
  ]
  expect(await known()).toEqual([3, 39, 29, 39])
  const before = [await logBytes('__consumer_offsets'), await logBytes('__transaction_state')]
  // Repeated, because markers are removed only after their records, and only when much is new.
  for (let round = 0; round < 3; round++) {
    await broker.clock.advanceAndSettle(backoffMs)
    for (let count = 0; count < 80; count++) await commit('often', 39)
  }
  await broker.clock.advanceAndSettle(backoffMs)
  const after = [await logBytes('__consumer_offsets'), await logBytes('__transaction_state')]
  for (const [number, bytes] of after.entries()) expect(bytes).toBeLessThan(before[number]! / 3)
  await broker.crash()
  client = await broker.client()
  expect(await known()).toEqual([3, 39, 29, 39])
  expect(await init()).toMatchObject({ producerId, producerEpoch: producerEpoch + 1 })
  await commitInTransaction('in transactions', 100, true)
  expect(await committed('in transactions')).toBe(100)
  expect(broker.logger.messages('error')).toEqual([])
})

it('log.cleaner.backoff.ms can be shortened while the cleaner waits', async () => {
  const setBackoff = async (value: string) => {
    const configs = [{ name: 'log.cleaner.backoff.ms', configOperation: 0, value }]
    const resources = [{ resourceType: 4, resourceName: '', configs }]
    const answer = await client.send(incrementalAlterConfigs, 1, { resources, validateOnly: false })
    expect(answer.responses[0]!.errorCode).toBe(0)
  }
  await setBackoff('3600000')
  await broker.clock.advanceAndSettle(backoffMs)
  for (let offset = 0; offset < 80; offset++) await commit('often', offset)
  await broker.clock.advanceAndSettle(10 * backoffMs)
  const before = await logBytes('__consumer_offsets')
  await setBackoff('100')
  await broker.clock.advanceAndSettle(100)
  expect(await logBytes('__consumer_offsets')).toBeLessThan(before / 3)
})
