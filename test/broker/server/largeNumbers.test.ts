// Int64 values that a JavaScript number cannot hold exactly: clients send Kafka's largest as
// "never" or "the end", and get the answers of Kafka.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/kafka/schema/schema.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

/** Placeholder in a request for a value that our encoder cannot write. */
const placeholder = 0x1234_5678_9abc
const placeholderBytes = Buffer.from('0000123456789abc', 'hex')

describe.each([
  ['the largest', '7fffffffffffffff'],
  ['one too large', '0020000000000000'],
])('%s int64', (_, hex) => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
    const counts = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    await client.send(createTopics, 7, { topics: [{ name: 't', ...counts }], timeoutMs: 1000 })
  })

  afterEach(() => broker.stop())

  const send = <A extends Api>(
    api: A,
    version: number,
    body: RequestInput<A>,
  ): Promise<ResponseOf<A>> => {
    const header = { correlationId: 1, clientId: 'raw' }
    const frame = Buffer.concat(encodeRequest(api, version, header, body))
    const at = frame.indexOf(placeholderBytes)
    expect(at).toBeGreaterThan(0)
    frame.write(hex, at, 'hex')
    const answer = client.expectAnswer(api, version)
    client.write(frame)
    return answer
  }

  it('as a timestamp is after every record', async () => {
    const partitions = [{ partitionIndex: 0, timestamp: placeholder }]
    const topics = [{ name: 't', partitions }]
    const answer = await send(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics })
    expect(answer.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, offset: -1 })
  })

  it('as an offset to read from is out of range', async () => {
    const partitions = [{ partition: 0, fetchOffset: placeholder, partitionMaxBytes: 1000 }]
    const topics = [{ topic: 't', partitions }]
    const answer = await send(fetch, 11, { maxWaitMs: 0, minBytes: 0, topics })
    expect(answer.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.offsetOutOfRange)
  })

  it('as an offset to delete before is out of range', async () => {
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, offset: placeholder }] }]
    const answer = await send(deleteRecords, 2, { topics, timeoutMs: 1000 })
    expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.offsetOutOfRange)
  })

  it('as a duration is longer than every transaction', async () => {
    const filters = { stateFilters: [], producerIdFilters: [], durationFilter: placeholder }
    expect(await send(listTransactions, 1, filters)).toMatchObject({
      errorCode: 0,
      transactionStates: [],
    })
  })

  it('as an offset to commit is refused, because it would be read back inexactly', async () => {
    const partitions = [
      { partitionIndex: 0, committedOffset: placeholder, committedMetadata: null },
    ]
    const request = { groupId: 'g', memberId: '', topics: [{ name: 't', partitions }] }
    const answer = await send(offsetCommit, 8, request)
    expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.invalidCommitOffsetSize)
    const topics = [{ name: 't', partitionIndexes: [0] }]
    const { groups } = await client.send(offsetFetch, 8, { groups: [{ groupId: 'g', topics }] })
    expect(groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(-1)
  })
})
