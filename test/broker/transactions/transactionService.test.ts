// TransactionService over a log and partitions that the test can hold up: which requests wait, for
// how long, and which operations are retried.

import { beforeEach, describe, expect, it } from 'vitest'
import type { TransactionRecord } from '../../../broker/transactions/transactionLogRecords.ts'
import { TransactionService } from '../../../broker/transactions/transactionService.ts'
import { TransactionStatus } from '../../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

const transactionalId = 'tx'
const resumeDelayMs = 1000

class Bench {
  readonly clock = new ManualClock()
  readonly records: TransactionRecord[] = []
  readonly marked: string[] = []
  /** Error codes of the partitions whose markers fail. */
  readonly unreachable = new Map<number, number>()
  /** Set to hold up appends to the log. */
  held: Promise<void> | undefined
  failWith = 0
  service!: TransactionService

  async open(maxTransactionalIds = 10): Promise<void> {
    let nextProducerId = 1
    this.service = await TransactionService.open({
      clock: this.clock,
      scheduler: systemScheduler,
      logger: new MemoryLogger(),
      log: {
        partitionCount: 1,
        partitionOf: () => 0,
        leadership: () => ({ leaderEpoch: 0, isLed: true }),
        isEmpty: () => this.records.length === 0,
        load: async (_partition, visit) => {
          for (const record of this.records) visit(record)
        },
        append: async (_leadership, record) => {
          await this.held
          if (this.failWith !== 0) return this.failWith
          this.records.push(record)
          return ErrorCode.none
        },
      },
      markers: {
        write: async ({ partition }, { committed }) => {
          const errorCode = this.unreachable.get(partition)
          if (errorCode === undefined) this.marked.push(`${partition} ${committed}`)
          return errorCode ?? ErrorCode.none
        },
      },
      nextProducerId: async () => nextProducerId++,
      limits: { maxTimeoutMs: 60_000, expirationMs: 1_000_000, maxTransactionalIds },
      abortIntervalMs: 10_000,
      expiryIntervalMs: 3_600_000,
    })
    this.service.start()
  }

  async init(id = transactionalId) {
    const outcome = await this.service.initProducerId(id, { timeoutMs: 5000, expected: undefined })
    return { transactionalId: id, ...outcome }
  }

  /** The states that are durable. */
  get statuses(): (TransactionStatus | undefined)[] {
    return this.records.map(({ metadata }) => metadata?.status)
  }
}

function partition(number: number): TopicPartition {
  return { topic: 't', partition: number }
}

describe('TransactionService', () => {
  let bench: Bench

  beforeEach(async () => {
    bench = new Bench()
    await bench.open()
  })

  const end = (producer: { producerId: number; producerEpoch: number }, committed = true) =>
    bench.service.endTxn(transactionalId, { ...producer, committed, clientTransactionVersion: 2 })

  it('adds partitions that arrive together with one write, and later ones with the next write', async () => {
    const producer = await bench.init()
    const first = [0, 1, 2].map((number) => bench.service.verify(producer, 't', number, true))
    await Promise.resolve()
    const second = [2, 3, 4].map((number) => bench.service.verify(producer, 't', number, true))
    expect(await Promise.all([...first, ...second])).toEqual(Array(6).fill(ErrorCode.none))
    const added = bench.records.slice(1).map(({ metadata }) => [...metadata!.partitions].length)
    expect(added).toEqual([3, 5])
  })

  it('an addition waits for the end of the previous transaction, for a limited time', async () => {
    const producer = await bench.init()
    await bench.service.verify(producer, 't', 0, true)
    bench.unreachable.set(0, ErrorCode.kafkaStorageError)
    const next = { ...producer, ...(await end(producer)) }
    let answer: number | undefined
    const late = bench.service.addPartitions(next, [partition(1)], 2).then((code) => {
      answer = code
    })
    await bench.clock.advanceAndSettle(99)
    expect(answer).toBeUndefined()
    await bench.clock.advanceAndSettle(1)
    await late
    expect(answer).toBe(ErrorCode.concurrentTransactions)
    bench.unreachable.clear()
    await bench.clock.advanceAndSettle(resumeDelayMs - 150)
    const waiting = bench.service.addPartitions(next, [partition(1)], 2)
    await bench.clock.advanceAndSettle(60)
    expect(await waiting).toBe(ErrorCode.none)
  })

  it('retries markers until every partition has its own, and then completes', async () => {
    const producer = await bench.init()
    for (const number of [0, 1, 2]) await bench.service.verify(producer, 't', number, true)
    bench.unreachable.set(1, ErrorCode.notLeaderOrFollower)
    bench.unreachable.set(2, ErrorCode.unknownTopicOrPartition)
    expect(await end(producer)).toMatchObject({ errorCode: ErrorCode.none, producerEpoch: 1 })
    await settle()
    expect(bench.marked).toEqual(['0 true'])
    await bench.clock.advanceAndSettle(resumeDelayMs)
    expect(bench.statuses.at(-1)).toBe(TransactionStatus.prepareCommit)
    bench.unreachable.delete(1)
    await bench.clock.advanceAndSettle(resumeDelayMs)
    expect(bench.marked, 'the deleted partition needs none').toEqual(['0 true', '1 true'])
    expect(bench.statuses.at(-1)).toBe(TransactionStatus.completeCommit)
  })

  it('completes later when its log fails, and asks clients to retry', async () => {
    const producer = await bench.init()
    await bench.service.verify(producer, 't', 0, true)
    bench.failWith = ErrorCode.notCoordinator
    expect(await end(producer)).toMatchObject({ errorCode: ErrorCode.notCoordinator })
    expect(bench.marked, 'nothing is decided').toEqual([])
    bench.failWith = 0
    bench.held = settle()
    const ended = end(producer)
    expect(await end(producer)).toMatchObject({ errorCode: ErrorCode.concurrentTransactions })
    expect(await ended).toMatchObject({ errorCode: ErrorCode.none })
    bench.failWith = ErrorCode.notCoordinator
    await settle()
    expect(bench.statuses.at(-1)).toBe(TransactionStatus.prepareCommit)
    bench.failWith = 0
    await bench.clock.advanceAndSettle(resumeDelayMs)
    expect(bench.statuses.at(-1)).toBe(TransactionStatus.completeCommit)
    expect(bench.marked, 'once').toEqual(['0 true'])
  })

  it('finishes decided transactions at its start', async () => {
    const producer = await bench.init()
    await bench.service.verify(producer, 't', 0, true)
    bench.unreachable.set(0, ErrorCode.notLeaderOrFollower)
    await end(producer, false)
    await bench.service.close()
    bench.unreachable.clear()
    await bench.open()
    await settle()
    expect(bench.marked).toEqual(['0 false'])
    expect(bench.statuses.at(-1)).toBe(TransactionStatus.completeAbort)
  })

  it('bounds the number of transactional ids, and removes expired ones', async () => {
    await bench.service.close()
    await bench.open(1)
    expect((await bench.init('a')).errorCode).toBe(ErrorCode.none)
    expect((await bench.init('b')).errorCode).toBe(ErrorCode.policyViolation)
    await bench.clock.advanceAndSettle(3_600_000)
    expect(bench.records.at(-1)).toEqual({ transactionalId: 'a', metadata: null })
    expect((await bench.init('b')).errorCode).toBe(ErrorCode.none)
  })

  it('refuses waiting requests when it closes', async () => {
    const producer = await bench.init()
    await bench.service.verify(producer, 't', 0, true)
    bench.unreachable.set(0, ErrorCode.notLeaderOrFollower)
    const next = { ...producer, ...(await end(producer)) }
    const waiting = bench.service.verify(next, 't', 1, true)
    await settle()
    await bench.service.close()
    expect(await waiting).toBe(ErrorCode.concurrentTransactions)
    expect(bench.clock.pendingTimers).toBe(0)
    expect(await end(next)).toMatchObject({ errorCode: ErrorCode.notCoordinator })
    expect(await bench.service.verify(next, 't', 1, true)).toBe(ErrorCode.notCoordinator)
  })
})
