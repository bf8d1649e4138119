// A whole broker loses power at random moments of a series of transactions, and its client
// continues as a real client does. Finally the committed records are read, each once and in order.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { describeTransactions } from '../../../protocol/kafka/apis/describeTransactions.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { readEndTransactionMarker } from '../../../protocol/kafka/records/endTransactionMarker.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { turns } from '../../eventLoop.ts'
import { models } from '../../modelRuns.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const transactionalId = 'tx'
const partitionCount = 2

interface Plan {
  readonly partitions: readonly number[]
  readonly commits: boolean
  /**
   * Number of turns of the event loop between the request and the loss of power; undefined for
   * none.
   */
  readonly writeCrash: number | undefined
  readonly endCrash: number | undefined
}

const crashTurns = fc.option(fc.nat(12), { nil: undefined, freq: 2 })
const plan: fc.Arbitrary<Plan> = fc.record({
  partitions: fc.subarray([0, 1], { minLength: 1 }),
  commits: fc.boolean(),
  writeCrash: crashTurns,
  endCrash: crashTurns,
})

class CrashingBroker {
  readonly broker: MemoryBroker
  #client!: RawClient
  #producer = { producerId: -1, producerEpoch: -1 }

  constructor(broker: MemoryBroker) {
    this.broker = broker
  }

  async begin(): Promise<void> {
    this.#client = await this.broker.client()
    const topic = { name: 't', numPartitions: partitionCount, replicationFactor: 1 }
    await this.#client.send(createTopics, 7, {
      topics: [{ ...topic, assignments: [], configs: [] }],
      timeoutMs: 1000,
    })
    const request = { transactionalId, transactionTimeoutMs: 60_000 }
    this.#producer = await this.#client.send(initProducerId, 5, request)
  }

  async write(value: string, partition: number, crash: number | undefined): Promise<void> {
    const { producerId, producerEpoch } = this.#producer
    const identity = { producerId, producerEpoch, baseSequence: 0, isTransactional: true }
    await this.#untilDone(crash, async () => {
      const builder = new RecordBatchBuilder(identity)
      builder.append(1, null, Buffer.from(value))
      const answer = await this.#client.send(produce, 12, {
        ...{ transactionalId, acks: -1, timeoutMs: 1000 },
        topicData: [{ name: 't', partitionData: [{ index: partition, records: builder.build() }] }],
      })
      return answer.responses[0]!.partitionResponses[0]!.errorCode
    })
  }

  async end(committed: boolean, crash: number | undefined): Promise<void> {
    const { producerId, producerEpoch } = this.#producer
    await this.#untilDone(crash, async () => {
      const request = { transactionalId, producerId, producerEpoch, committed }
      const answer = await this.#client.send(endTxn, 5, request)
      if (answer.errorCode === ErrorCode.none) this.#producer = answer
      return answer.errorCode
    })
  }

  /** Waits until the markers of the last transaction are written. */
  async atRest(): Promise<void> {
    const request = { transactionalIds: [transactionalId] }
    for (let state = 'Prepare'; state.startsWith('Prepare'); await settle()) {
      const answer = await this.#client.send(describeTransactions, 0, request)
      state = answer.transactionStates[0]!.transactionState
    }
  }

  /** Returns all values of committed transactions, as read from the log itself. */
  async committed(partition: number): Promise<string[]> {
    const committed: string[] = []
    let open: string[] = []
    for (let offset = 0, end = 1; offset < end; ) {
      const found = await this.#fetch(partition, offset)
      end = found.highWatermark
      expect(found.lastStableOffset, 'nothing is left open').toBe(end)
      for (const batch of splitBatches(found.records ?? Buffer.alloc(0))) {
        offset = batch.nextOffset
        if (batch.isControl) {
          if (readEndTransactionMarker(batch)!.isCommit) committed.push(...open)
          open = []
        } else {
          for (const { value } of records(batch, 1000)) open.push(value!.toString())
        }
      }
    }
    return committed
  }

  async #fetch(partition: number, fetchOffset: number) {
    const partitions = [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }]
    const answer = await this.#client.send(fetch, 11, {
      ...{ replicaId: -1, maxWaitMs: 0, minBytes: 0, isolationLevel: 1, forgottenTopicsData: [] },
      topics: [{ topic: 't', partitions }],
    })
    return answer.responses[0]!.partitions[0]!
  }

  /** Retries requests without an answer, or with a retriable error. */
  async #untilDone(crash: number | undefined, send: () => Promise<number>): Promise<void> {
    let crashIn = crash
    for (let attempt = 0; attempt < 20; attempt++) {
      const sent = send().catch(() => ErrorCode.networkException)
      if (crashIn !== undefined) {
        await turns(crashIn)
        await this.broker.crash()
        this.#client = await this.broker.client()
        crashIn = undefined
      }
      const errorCode = await sent
      if (errorCode === ErrorCode.none) return
      const comesAgain =
        errorCode === ErrorCode.networkException || errorCode === ErrorCode.concurrentTransactions
      expect(comesAgain, `error ${errorCode}`).toBe(true)
      await settle()
    }
    expect.unreachable('the request never succeeds')
  }
}

it('transactions are atomic across losses of power', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 5 }), async (plans) => {
      const broker = await MemoryBroker.start({ 'transaction.state.log.num.partitions': 2 })
      const crashing = new CrashingBroker(broker)
      await crashing.begin()
      const expected: string[][] = Array.from({ length: partitionCount }, () => [])
      for (const [number, { partitions, commits, writeCrash, endCrash }] of plans.entries()) {
        for (const partition of partitions) {
          await crashing.write(`${number}`, partition, writeCrash)
          if (commits) expected[partition]!.push(`${number}`)
        }
        await crashing.end(commits, endCrash)
      }
      await crashing.atRest()
      for (const [partition, values] of expected.entries()) {
        expect(await crashing.committed(partition)).toEqual(values)
      }
      await broker.stop()
    }),
    { numRuns: models.transactionCrashes.sequences },
  )
})
