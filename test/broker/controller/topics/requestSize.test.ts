// Requests that exceed the limits of Kafka's controller are refused as a whole; requests just below
// a limit are accepted.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { createPartitions } from '../../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../../protocol/kafka/apis/createTopics.ts'
import { metadata } from '../../../../protocol/kafka/apis/metadata.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { MemoryBroker, type RawClient } from '../../server/memoryBroker.ts'

let broker: MemoryBroker
let client: RawClient

beforeEach(async () => {
  broker = await MemoryBroker.start()
  client = await broker.client()
})

afterEach(() => broker.stop())

type Configs = { name: string; value: string }[]

const requestFor = (name: string, numPartitions: number, configs: Configs = []) => {
  return { name, numPartitions, replicationFactor: 1, assignments: [], configs }
}

async function create(
  topics: readonly ReturnType<typeof requestFor>[],
  validateOnly = false,
): Promise<[number, string | null][]> {
  const answer = await client.send(createTopics, 5, { timeoutMs: 1000, topics, validateOnly })
  return answer.topics.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])
}

async function grow(topics: readonly { name: string; count: number }[]): Promise<number[]> {
  const wishes = topics.map((topic) => ({ ...topic, assignments: null }))
  const request = { topics: wishes, timeoutMs: 1000, validateOnly: true }
  const { results } = await client.send(createPartitions, 1, request)
  return results.map(({ errorCode }) => errorCode)
}

const codes = (outcomes: readonly [number, string | null][]) => outcomes.map(([code]) => code)

it('a request for more than 10,000 partitions creates no topic', async () => {
  const refused = await create([requestFor('a', 5000), requestFor('b', 5000), requestFor('c', 1)])
  expect(codes(refused)).toEqual(Array(3).fill(ErrorCode.policyViolation))
  expect(refused[0]![1]).toMatch(/^Excessively large number of partitions per request/)
  // A negative count is an error of one topic, and does not reduce the total.
  expect(codes(await create([requestFor('a', 10_001), requestFor('b', -5)]))).toEqual(
    Array(2).fill(ErrorCode.policyViolation),
  )
  const { topics } = await client.send(metadata, 1, { topics: null })
  expect(topics).toEqual([])
})

it('each topic, partition and config counts as a record', async () => {
  const configs = [{ name: 'retention.ms', value: '1' }]
  const outcome = async (...topics: ReturnType<typeof requestFor>[]) =>
    codes(await create(topics, true))
  expect(await outcome(requestFor('a', 9_999))).toEqual([ErrorCode.none])
  const refused = await create([requestFor('a', 10_000)], true)
  expect(refused[0]![0]).toBe(ErrorCode.policyViolation)
  expect(refused[0]![1]).toMatch(/^Unable to perform excessively large batch operation/)
  expect(await outcome(requestFor('a', 9_999, configs))).toEqual([ErrorCode.policyViolation])
  // A topic that is refused separately needs no records.
  const noName = requestFor('not a name', 9_000)
  expect(await outcome(noName, requestFor('b', 1_000))).toEqual([
    ErrorCode.invalidTopicException,
    ErrorCode.none,
  ])
})

it('a request that adds too many partitions in total extends no topic', async () => {
  await create([requestFor('a', 1), requestFor('b', 2)])
  const { none, invalidPartitions, policyViolation } = ErrorCode
  expect(await grow([{ name: 'a', count: 10_000 }])).toEqual([none])
  expect(
    await grow([
      { name: 'a', count: 5_001 },
      { name: 'b', count: 5_002 },
    ]),
  ).toEqual([none, none])
  expect(
    await grow([
      { name: 'a', count: 5_001 },
      { name: 'b', count: 5_003 },
      { name: 'none', count: 1 },
    ]),
  ).toEqual([policyViolation, policyViolation, policyViolation])
  expect(
    await grow([
      { name: 'a', count: 10_001 },
      { name: 'b', count: 9_000 },
    ]),
  ).toEqual([invalidPartitions, none])
})

it('a metadata request for too many new topics creates none of them', async () => {
  const ask = async (count: number) => {
    const names = Array.from({ length: count }, (_, number) => ({ name: `t-${number}` }))
    const { topics } = await client.send(metadata, 9, { topics: names })
    return [...new Set(topics.map(({ errorCode }) => errorCode))]
  }
  expect(await ask(5_001)).toEqual([ErrorCode.unknownTopicOrPartition])
  expect(await ask(2)).toEqual([ErrorCode.unknownTopicOrPartition])
  const { topics } = await client.send(metadata, 9, { topics: null })
  expect(topics).toHaveLength(2)
})
