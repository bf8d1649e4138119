// Transactions over the wire, request by request, of clients of both protocol versions: which
// producers may write, which records consumers see, and the state after a crash.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { describeProducers } from '../../../protocol/kafka/apis/describeProducers.ts'
import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { writeTxnMarkers } from '../../../protocol/kafka/apis/writeTxnMarkers.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const transactionalId = 'tx'

interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

describe('transactions', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start({ 'transaction.state.log.num.partitions': 3 })
    client = await broker.client()
    const topic = {
      name: 't',
      numPartitions: 2,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }
    await client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
  })

  afterEach(() => broker.stop())

  const init = (version = 5, expected = {}) =>
    client.send(initProducerId, version, {
      transactionalId,
      transactionTimeoutMs: 5000,
      ...expected,
    })

  async function write(
    { producerId, producerEpoch }: Producer,
    value: string,
    options: { version?: number; baseSequence?: number; partition?: number } = {},
  ): Promise<number> {
    const { version = 12, baseSequence = 0, partition = 0 } = options
    const builder = new RecordBatchBuilder({
      ...{ producerId, producerEpoch, baseSequence, isTransactional: true },
    })
    builder.append(1_000_000, null, Buffer.from(value))
    const answer = await client.send(produce, version, {
      transactionalId,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: partition, records: builder.build() }] }],
    })
    return answer.responses[0]!.partitionResponses[0]!.errorCode
  }

  const end = (producer: Producer, committed: boolean, version = 5) =>
    client.send(endTxn, version, { transactionalId, ...pick(producer), committed })

  const add = async (producer: Producer, partitions = [0], version = 3) => {
    const answer = await client.send(addPartitionsToTxn, version, {
      transactions: [],
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producer.producerId,
      v3AndBelowProducerEpoch: producer.producerEpoch,
      v3AndBelowTopics: [{ name: 't', partitions }],
    })
    return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition.map(
      ({ partitionErrorCode }) => partitionErrorCode,
    )
  }

  /** Returns what a read_committed consumer sees. */
  async function committed(partition = 0): Promise<string[]> {
    const answer = await client.send(fetch, 11, {
      ...{ replicaId: -1, maxWaitMs: 0, minBytes: 0, isolationLevel: 1, forgottenTopicsData: [] },
      topics: [
        {
          topic: 't',
          partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 }],
        },
      ],
    })
    const found = answer.responses[0]!.partitions[0]!
    const aborted = new Set((found.abortedTransactions ?? []).map(({ producerId }) => producerId))
    const values: string[] = []
    for (const batch of splitBatches(found.records ?? Buffer.alloc(0))) {
      // Each producer id of these tests has either only aborted or only committed transactions.
      if (batch.isControl || aborted.has(batch.producerId)) continue
      for (const { value } of records(batch, 1000)) values.push(value!.toString())
    }
    return values
  }

  const describeOne = async () => {
    const answer = await client.send(describeTransactions, 0, {
      transactionalIds: [transactionalId],
    })
    return answer.transactionStates[0]!
  }

  /** Waits until the markers of decided transactions are written. */
  const atRest = async () => {
    const isMoving = ({ transactionState }: { transactionState: string }) =>
      transactionState.startsWith('Prepare')
    while (isMoving(await describeOne())) await settle()
  }

  it('version 2: the broker adds partitions, and every transaction has its own epoch', async () => {
    const producer = await init()
    expect(producer).toMatchObject({ errorCode: 0, producerEpoch: 0 })
    expect(await write(producer, 'a')).toBe(ErrorCode.none)
    expect(await write(producer, 'b', { baseSequence: 1 })).toBe(ErrorCode.none)
    expect(await write(producer, 'c', { partition: 1 })).toBe(ErrorCode.none)
    expect(await committed()).toEqual([])
    expect(await describeOne()).toMatchObject({
      transactionState: 'Ongoing',
      topics: [{ topic: 't', partitions: [0, 1] }],
    })
    const next = await end(producer, true)
    expect(next).toMatchObject({ errorCode: 0, producerId: producer.producerId, producerEpoch: 1 })
    await atRest()
    expect(await committed()).toEqual(['a', 'b'])
    expect(await committed(1)).toEqual(['c'])
    expect(await end(producer, true), 'the answer got lost').toMatchObject(pick(next))
    expect(await write(producer, 'late', { baseSequence: 2 })).toBe(ErrorCode.invalidProducerEpoch)
    expect(await write(next, 'd')).toBe(ErrorCode.none)
    expect((await end(next, false)).errorCode).toBe(ErrorCode.none)
    await atRest()
    expect(await describeOne()).toMatchObject({ transactionState: 'CompleteAbort' })
  })

  it('version 0: a partition must be added first, and the epoch stays', async () => {
    const producer = await init(3)
    expect(await write(producer, 'a', { version: 10 })).toBe(ErrorCode.invalidTxnState)
    expect(await write(producer, 'a', { version: 11 })).toBe(ErrorCode.transactionAbortable)
    expect(await add(producer)).toEqual([ErrorCode.none])
    expect(await write(producer, 'a', { version: 10 })).toBe(ErrorCode.none)
    expect(await end(producer, true, 4)).toMatchObject({ errorCode: 0 })
    expect(await add(producer), 'waits until the markers are there').toEqual([ErrorCode.none])
    expect(await committed()).toEqual(['a'])
    const value = { version: 10, baseSequence: 1 }
    expect(await write(producer, 'b', value)).toBe(ErrorCode.none)
    expect(await end(producer, false, 4)).toMatchObject({ errorCode: 0 })
    await atRest()
    expect(await end(producer, true, 4)).toMatchObject({ errorCode: ErrorCode.invalidTxnState })
    expect(await end(producer, false, 4), 'again').toMatchObject({ errorCode: ErrorCode.none })
  })

  it('a new producer aborts the open transaction of the old one, and fences it', async () => {
    const old = await init()
    expect(await write(old, 'zombie')).toBe(ErrorCode.none)
    expect(await init()).toMatchObject({ errorCode: ErrorCode.concurrentTransactions })
    await atRest()
    const next = await init()
    expect(next).toMatchObject({ errorCode: 0, producerId: old.producerId, producerEpoch: 2 })
    const later = { baseSequence: 1 }
    expect(await write(old, 'zombie again', later)).toBe(ErrorCode.invalidProducerEpoch)
    expect(await add(old)).toEqual([ErrorCode.producerFenced])
    expect((await add(old, [0], 1))[0], 'to an old client').toBe(ErrorCode.invalidProducerEpoch)
    expect(await end(old, true)).toMatchObject({ errorCode: ErrorCode.producerFenced })
    expect(await init(4, pick(old))).toMatchObject({ errorCode: ErrorCode.producerFenced })
    expect(await init(3, pick(old))).toMatchObject({ errorCode: ErrorCode.invalidProducerEpoch })
    expect(await committed()).toEqual([])
  })

  it('a transaction that times out is aborted, and its producer cannot commit it', async () => {
    const producer = await init()
    expect(await write(producer, 'a')).toBe(ErrorCode.none)
    await broker.clock.advanceAndSettle(10_000)
    while ((await describeOne()).transactionState === 'Ongoing') await settle()
    await atRest()
    expect(await describeOne()).toMatchObject({
      transactionState: 'CompleteAbort',
      producerEpoch: 1,
    })
    expect(await committed()).toEqual([])
    expect(await end(producer, true)).toMatchObject({ errorCode: ErrorCode.invalidTxnState })
    expect(await end(producer, false)).toMatchObject({ errorCode: 0, producerEpoch: 1 })
  })

  it('offsets of a group become visible with the transaction', async () => {
    const producer = await init()
    const topics = [
      { name: 't', partitions: [{ partitionIndex: 0, committedOffset: 7, committedMetadata: '' }] },
    ]
    const commit = { transactionalId, groupId: 'g', ...pick(producer), topics }
    const offsets = async () => {
      const answer = await client.send(offsetFetch, 5, {
        groupId: 'g',
        topics: [{ name: 't', partitionIndexes: [0] }],
      })
      return answer.topics[0]!.partitions[0]!.committedOffset
    }
    const unverified = await client.send(txnOffsetCommit, 3, commit)
    expect(unverified.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.invalidTxnState)
    const add = { transactionalId, groupId: 'g', ...pick(producer) }
    expect((await client.send(addOffsetsToTxn, 3, add)).errorCode).toBe(ErrorCode.none)
    for (const version of [3, 5]) {
      const answer = await client.send(txnOffsetCommit, version, commit)
      expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.none)
    }
    expect(await offsets()).toBe(-1)
    expect(await end(producer, true)).toMatchObject({ errorCode: ErrorCode.none })
    await atRest()
    expect(await offsets()).toBe(7)
    await broker.crash()
    client = await broker.client()
    expect(await offsets()).toBe(7)
  })

  it('a decided end is finished after a crash', async () => {
    const producer = await init()
    expect(await write(producer, 'a')).toBe(ErrorCode.none)
    expect(await write(producer, 'b', { partition: 1 })).toBe(ErrorCode.none)
    // The answer is sent when the decision is durable: power is lost before the markers are
    // written.
    const decided = end(producer, true)
    const crashed = decided.then(() => broker.crash())
    expect(await decided).toMatchObject({ errorCode: 0, producerEpoch: 1 })
    await crashed
    client = await broker.client()
    await atRest()
    expect(await committed()).toEqual(['a'])
    expect(await committed(1)).toEqual(['b'])
    expect(await describeOne()).toMatchObject({ transactionState: 'CompleteCommit' })
    expect(await write({ ...pick(producer), producerEpoch: 1 }, 'c')).toBe(ErrorCode.none)
  })

  it('an open transaction is still open after a crash', async () => {
    const producer = await init()
    expect(await write(producer, 'a')).toBe(ErrorCode.none)
    await broker.crash()
    client = await broker.client()
    expect(await describeOne()).toMatchObject({ transactionState: 'Ongoing' })
    expect(await write(producer, 'b', { baseSequence: 1 })).toBe(ErrorCode.none)
    expect(await end(producer, true)).toMatchObject({ errorCode: ErrorCode.none })
    await atRest()
    expect(await committed()).toEqual(['a', 'b'])
  })

  it('pipelined requests are appended in order', async () => {
    const producer = await init()
    const writes = Array.from({ length: 20 }, (_, baseSequence) =>
      write(producer, String(baseSequence), { baseSequence }),
    )
    const elsewhere = write(producer, 'x', { partition: 1 })
    expect(await Promise.all([...writes, elsewhere])).toEqual(Array(21).fill(ErrorCode.none))
    await end(producer, true)
    await atRest()
    expect(await committed()).toEqual(Array.from({ length: 20 }, (_, number) => String(number)))
  })

  it('transactional records require a transactional id, and a transaction its partitions', async () => {
    const { producerId, producerEpoch } = await init()
    const builder = new RecordBatchBuilder({
      ...{ producerId, producerEpoch, baseSequence: 0, isTransactional: true },
    })
    builder.append(1, null, Buffer.from('a'))
    const answer = await client.send(produce, 12, {
      ...{ transactionalId: null, acks: -1, timeoutMs: 1000 },
      topicData: [{ name: 't', partitionData: [{ index: 0, records: builder.build() }] }],
    })
    const [partition] = answer.responses[0]!.partitionResponses
    expect(partition!.errorCode).toBe(ErrorCode.transactionalIdAuthorizationFailed)
    expect(await add({ producerId, producerEpoch }, [0, 9])).toEqual([
      ErrorCode.operationNotAttempted,
      ErrorCode.unknownTopicOrPartition,
    ])
  })

  it('tools describe transactions and producers, and can abort a hanging transaction', async () => {
    const producer = await init()
    expect(await write(producer, 'a')).toBe(ErrorCode.none)
    const list = async (request: object) => {
      const found = await client.send(listTransactions, 2, {
        ...{ stateFilters: [], producerIdFilters: [], ...request },
      })
      return found.errorCode || found.transactionStates.map((state) => state.transactionState)
    }
    expect(await list({})).toEqual(['Ongoing'])
    expect(await list({ stateFilters: ['Empty', 'Nonsense'] })).toEqual([])
    expect(await list({ producerIdFilters: [producer.producerId] })).toEqual(['Ongoing'])
    expect(await list({ transactionalIdPattern: 't.' })).toEqual(['Ongoing'])
    expect(await list({ transactionalIdPattern: 't' })).toEqual([])
    expect(await list({ transactionalIdPattern: '(' })).toBe(ErrorCode.invalidRegularExpression)
    expect(await list({ durationFilter: 1000 })).toEqual([])
    const producers = await client.send(describeProducers, 0, {
      topics: [{ name: 't', partitionIndexes: [0, 7] }],
    })
    expect(producers.topics[0]!.partitions).toMatchObject([
      { errorCode: 0, activeProducers: [{ ...pick(producer), currentTxnStartOffset: 0 }] },
      { errorCode: ErrorCode.unknownTopicOrPartition },
    ])
    const topics = [{ name: 't', partitionIndexes: [0] }]
    const marker = { ...pick(producer), transactionResult: false, topics, coordinatorEpoch: 0 }
    const ended = await client.send(writeTxnMarkers, 1, { markers: [marker] })
    expect(ended.markers[0]!.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.none)
    expect(await committed()).toEqual([])
    const { topics: known } = await client.send(metadata, 9, { topics: null })
    expect(known.find(({ name }) => name === '__transaction_state')).toMatchObject({
      isInternal: true,
    })
  })
})

function pick({ producerId, producerEpoch }: Producer): Producer {
  return { producerId, producerEpoch }
}
