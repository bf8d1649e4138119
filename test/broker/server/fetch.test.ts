// The answers of Fetch beyond records: errors, sessions over the wire, diverging logs, and long
// polls.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { Segment } from '../../../broker/log/segment/segment.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

interface Asked {
  readonly topic?: string
  readonly partition?: number
  readonly fetchOffset?: number
  readonly partitionMaxBytes?: number
  readonly currentLeaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

describe('Fetch', () => {
  let broker: MemoryBroker
  let client: RawClient
  /** A second connection, which the long polls of the first one do not delay. */
  let producer: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
    producer = await broker.client()
    await client.send(createTopics, 7, {
      topics: [{ name: 't', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 1000,
    })
  })

  afterEach(() => broker.stop())

  const append = (index: number, ...values: string[]) =>
    producer.send(produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index, records: batchOf(...values) }] }],
    })

  const fetchOf = (
    asked: readonly Asked[],
    options: {
      maxWaitMs?: number
      minBytes?: number
      maxBytes?: number
      sessionId?: number
      sessionEpoch?: number
      version?: number
    } = {},
  ) => {
    const { version = 12, ...rest } = options
    const topics = asked.map(({ topic = 't', ...partition }) => ({
      topic,
      partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000, ...partition }],
    }))
    return client.send(fetch, version, { maxWaitMs: 0, minBytes: 1, topics, ...rest })
  }

  const codesOf = (answer: {
    responses: readonly { partitions: readonly { errorCode: number }[] }[]
  }) => answer.responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))

  it('reads only partitions with new records again', async () => {
    const reads = vi.spyOn(PartitionLog.prototype, 'read')
    const topics = [0, 1, 2].map((partition) => ({ partition }))
    const waiting = fetchOf(topics, { maxWaitMs: 60_000, minBytes: 120 })
    await settle()
    expect(reads).toHaveBeenCalledTimes(3)
    await append(1, 'one')
    await settle()
    expect(reads).toHaveBeenCalledTimes(4)
    await append(2, 'two')
    const records = (await waiting).responses.flatMap(({ partitions }) =>
      partitions.map((partition) => partition.records?.length ?? 0),
    )
    // Records that were read before are read again, with the new ones.
    expect(reads).toHaveBeenCalledTimes(6)
    expect(records).toEqual([0, expect.any(Number), expect.any(Number)])
    expect(records.filter((length) => length > 0)).toHaveLength(2)
    reads.mockRestore()
  })

  it.each([
    ['the whole limit', 10, 1],
    ['the rest of the limit after several batches', 100, 9],
  ])(
    'stops reading after a batch that exceeds %s, and begins with the others in the next fetch',
    async (_, maxBytes, readCount) => {
      const all = [...Array(20).keys()]
      await client.send(createPartitions, 3, {
        topics: [{ name: 't', count: all.length, assignments: null }],
        timeoutMs: 1000,
        validateOnly: false,
      })
      for (const index of all) await append(index, 'a record')
      const fileReads = vi.spyOn(Segment.prototype, 'readAt')
      const filled: number[] = []
      let asked: Asked[] = all.map((partition) => ({ partition }))
      let sessionId = 0
      for (let sessionEpoch = 0; sessionEpoch < 22; sessionEpoch++) {
        fileReads.mockClear()
        const answer = await fetchOf(asked, { maxBytes, sessionId, sessionEpoch })
        expect(fileReads).toHaveBeenCalledTimes(readCount)
        for (const { partitionIndex, records } of answer.responses.flatMap((t) => t.partitions)) {
          if (records?.length) filled.push(partitionIndex)
        }
        sessionId = answer.sessionId
        asked = []
      }
      expect(filled).toEqual([...all, 0, 1])
      fileReads.mockRestore()
    },
  )

  it('returns an error code for each partition', async () => {
    const answer = await fetchOf([
      { fetchOffset: 77 },
      { partition: 1, currentLeaderEpoch: 5 },
      { partition: 8 },
      { topic: 'nope' },
      { partition: 2 },
    ])
    expect(codesOf(answer)).toEqual([
      ErrorCode.offsetOutOfRange,
      ErrorCode.unknownLeaderEpoch,
      ErrorCode.unknownTopicOrPartition,
      ErrorCode.unknownTopicOrPartition,
      ErrorCode.none,
    ])
  })

  it('waits although a topic does not exist, but not for an offset out of range', async () => {
    await fetchOf([{ fetchOffset: 77 }, { partition: 1 }], { maxWaitMs: 5000 })
    await fetchOf([{ topic: 'nope' }], { maxWaitMs: 5000 })
    let isAnswered = false
    const waiting = fetchOf([{ topic: 'nope' }, { partition: 1 }], { maxWaitMs: 5000 })
    void waiting.then(() => {
      isAnswered = true
    })
    await settle()
    expect(isAnswered).toBe(false)
    broker.clock.advance(5000)
    expect(codesOf(await waiting)).toEqual([ErrorCode.unknownTopicOrPartition, ErrorCode.none])
  })

  it('returns the batches that fit, in the order of the request, and the first one whatever its size', async () => {
    const values = ['x'.repeat(100), 'x'.repeat(300), 'x'.repeat(200)]
    for (const [index, value] of values.entries()) await append(index, value)
    const sizes = values.map((value) => batchOf(value).length)
    const wanted = [0, 1, 2].map((partition) => ({ partition, partitionMaxBytes: 400 }))
    for (let maxBytes = 1; maxBytes < 900; maxBytes += 20) {
      const { responses } = await fetchOf(wanted, { maxBytes })
      let left = maxBytes
      const expected = sizes.map((size, index) => {
        const given = index === 0 || size <= left ? size : 0
        left -= given
        return given
      })
      const given = responses.flatMap(({ partitions }) => partitions.map((one) => one.records))
      expect(given.map((records) => records?.length)).toEqual(expected)
    }
  })

  it('returns the diverging epoch of a log', async () => {
    await append(0, 'a', 'b')
    const at = async (fetchOffset: number, lastFetchedEpoch: number) =>
      (await fetchOf([{ fetchOffset, lastFetchedEpoch }], { maxWaitMs: 5000 })).responses[0]!
        .partitions[0]!
    expect((await at(1, 0)).divergingEpoch).toEqual({ epoch: -1, endOffset: -1 })
    expect(await at(7, 0)).toMatchObject({
      errorCode: ErrorCode.none,
      highWatermark: 2,
      divergingEpoch: { epoch: 0, endOffset: 2 },
      records: Buffer.alloc(0),
    })
    expect((await at(1, 3)).errorCode).toBe(ErrorCode.offsetOutOfRange)
  })

  it('sends only changes within a session', async () => {
    await append(0, 'a')
    const first = await fetchOf([{ partition: 0 }, { partition: 1 }], { sessionEpoch: 0 })
    const { sessionId } = first
    expect(sessionId).toBeGreaterThan(0)
    expect(codesOf(first)).toEqual([0, 0])
    const moved = await fetchOf([{ fetchOffset: 1 }], { sessionId, sessionEpoch: 1 })
    expect(moved).toMatchObject({ sessionId, errorCode: 0, responses: [] })
    await append(1, 'b')
    const next = await fetchOf([], { sessionId, sessionEpoch: 2, maxWaitMs: 5000 })
    expect(next.responses).toMatchObject([
      { partitions: [{ partitionIndex: 1, highWatermark: 1 }] },
    ])
    const stale = await fetchOf([], { sessionId, sessionEpoch: 2 })
    expect(stale).toMatchObject({ errorCode: ErrorCode.invalidFetchSessionEpoch, responses: [] })
    const other = await fetchOf([], { sessionId, sessionEpoch: 3, version: 13 })
    expect(other.errorCode).toBe(ErrorCode.fetchSessionTopicIdError)
    const ended = await fetchOf([], { sessionId, sessionEpoch: -1 })
    expect(ended).toMatchObject({ errorCode: 0, sessionId: 0 })
    const gone = await fetchOf([], { sessionId, sessionEpoch: 3 })
    expect(gone.errorCode).toBe(ErrorCode.fetchSessionIdNotFound)
  })

  it('ends the long poll of a session when one of its partitions gets records', async () => {
    const { sessionId } = await fetchOf([{ partition: 0 }, { partition: 1 }], { sessionEpoch: 0 })
    const waiting = fetchOf([], { sessionId, sessionEpoch: 1, maxWaitMs: 60_000 })
    await settle()
    const other = await broker.client()
    await other.send(produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 1, records: batchOf('b') }] }],
    })
    expect((await waiting).responses[0]!.partitions).toMatchObject([{ partitionIndex: 1 }])
  })

  it('returns non-transactional records to read_committed consumers', async () => {
    await append(0, 'a')
    const topics = [
      { topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
    ]
    const request = { maxWaitMs: 0, minBytes: 1, isolationLevel: 1, topics }
    const [partition] = (await client.send(fetch, 11, request)).responses[0]!.partitions
    expect(partition).toMatchObject({ lastStableOffset: 1, abortedTransactions: [] })
    expect(partition!.records!.length).toBeGreaterThan(0)
  })
})
