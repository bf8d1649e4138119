// Random moves of the leadership of one partition of __transaction_state between two brokers over
// one log, with records and markers in flight. A decision is never undone, every transaction ends
// in all of its partitions, and partitions refuse the markers of a coordinator that was deposed.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { CoordinatorLeadership } from '../../../broker/coordinators/coordinatorTopic.ts'
import type { TransactionMarker } from '../../../broker/transactions/transactionEvents.ts'
import type { TransactionRecord } from '../../../broker/transactions/transactionLogRecords.ts'
import type { TransactionMetadata } from '../../../broker/transactions/transactionMetadata.ts'
import { TransactionService } from '../../../broker/transactions/transactionService.ts'
import type { TransactionLog } from '../../../broker/transactions/transactionStateTopic.ts'
import { TransactionStatus } from '../../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { models } from '../../modelRuns.ts'

const transactionalId = 'tx'
const partitionCount = 2

type Action =
  | { readonly kind: 'init' }
  | { readonly kind: 'add'; readonly partition: number }
  | { readonly kind: 'end'; readonly committed: boolean }
  | { readonly kind: 'append'; readonly which: number }
  | { readonly kind: 'marker'; readonly which: number }
  | { readonly kind: 'moveLeader'; readonly written: number; readonly resignsFirst: boolean }

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('init' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      partition: fc.nat(partitionCount - 1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('end' as const), committed: fc.boolean() }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), which: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('marker' as const), which: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('moveLeader' as const),
      written: fc.nat(2),
      resignsFirst: fc.boolean(),
    }),
  },
)

interface InFlight {
  readonly record: TransactionRecord
  readonly report: (errorCode: number) => void
}

/** The partition of __transaction_state, under its leader epoch. */
class SharedLog implements TransactionLog {
  readonly partitionCount = 1
  readonly records: TransactionRecord[] = []
  inFlight: InFlight[] = []
  epoch = 0

  partitionOf(): number {
    return 0
  }

  leadership() {
    return { leaderEpoch: this.epoch, isLed: true }
  }

  isEmpty(): boolean {
    return this.records.length === 0
  }

  async load(_partition: number, visit: (record: TransactionRecord) => void): Promise<void> {
    await settle()
    for (const record of this.records) visit(record)
  }

  append({ leaderEpoch }: CoordinatorLeadership, record: TransactionRecord): Promise<number> {
    if (leaderEpoch !== this.epoch) return Promise.resolve(ErrorCode.notCoordinator)
    return new Promise((report) => this.inFlight.push({ record, report }))
  }

  complete(): void {
    const next = this.inFlight.shift()
    if (!next) return
    this.#write(next.record)
    next.report(ErrorCode.none)
  }

  newEpoch(written: number): number {
    for (const { record } of this.inFlight.slice(0, written)) this.#write(record)
    for (const { report } of this.inFlight.splice(0)) report(ErrorCode.notCoordinator)
    return ++this.epoch
  }

  get latest(): TransactionMetadata | undefined {
    return this.records.at(-1)?.metadata ?? undefined
  }

  #write(record: TransactionRecord): void {
    expectFollows(this.latest, record.metadata!)
    this.records.push(record)
  }
}

/**
 * Checks that a decision is final, whichever broker leads, and that producer epochs never decrease.
 */
function expectFollows(before: TransactionMetadata | undefined, after: TransactionMetadata): void {
  if (!before) return
  const isSameId = before.producerId === after.producerId
  if (isSameId) expect(after.producerEpoch).toBeGreaterThanOrEqual(before.producerEpoch)
  if (before.status === TransactionStatus.prepareCommit) {
    expect(after.status).toBe(TransactionStatus.completeCommit)
  } else if (before.status === TransactionStatus.prepareAbort) {
    expect(after.status).toBe(TransactionStatus.completeAbort)
  }
}

interface PendingMarker {
  readonly partition: number
  readonly marker: TransactionMarker
  readonly coordinatorEpoch: number
  readonly report: (errorCode: number) => void
}

class TwoBrokers {
  readonly clock = new ManualClock()
  readonly log = new SharedLog()
  readonly services: TransactionService[]
  markers: PendingMarker[] = []
  /** The markers in each partition, and the highest coordinator epoch seen. */
  readonly written: TransactionMarker[][] = Array.from({ length: partitionCount }, () => [])
  readonly epochs: number[] = Array(partitionCount).fill(-1)
  #producer: { producerId: number; producerEpoch: number } | undefined
  #leader = 0
  #waiting = 0
  #nextProducerId = 1

  constructor() {
    this.services = [0, 1].map(() => {
      const service = new TransactionService({
        clock: this.clock,
        scheduler: systemScheduler,
        logger: new MemoryLogger(),
        log: this.log,
        markers: {
          write: ({ partition }, marker, coordinatorEpoch) =>
            new Promise((report) => {
              this.markers.push({ partition, marker, coordinatorEpoch, report })
            }),
        },
        nextProducerId: async () => this.#nextProducerId++,
        limits: { maxTimeoutMs: 60_000, expirationMs: 1e9, maxTransactionalIds: 10 },
        abortIntervalMs: 1e8,
        expiryIntervalMs: 1e8,
      })
      service.start()
      return service
    })
  }

  async start(): Promise<void> {
    await this.services[0]!.load(0, 0)
    this.services[1]!.resign(0, 0)
  }

  async perform(each: Action): Promise<void> {
    if (each.kind === 'init') this.#init()
    else if (each.kind === 'add') this.#add(each.partition)
    else if (each.kind === 'end') this.#end(each.committed)
    else if (each.kind === 'append') this.log.complete()
    else if (each.kind === 'marker') this.#mark(each.which)
    else await this.#move(each.written, each.resignsFirst)
    await settle()
    const other = this.services[1 - this.#leader]!
    expect(other.coordinatorError(transactionalId)).toBe(ErrorCode.notCoordinator)
    expect(this.#service.coordinatorError(transactionalId)).toBe(ErrorCode.none)
  }

  /** Completes all work in flight with success. */
  async end(): Promise<void> {
    for (let rest = 0; rest < 5; rest++) {
      while (this.log.inFlight.length + this.markers.length > 0) {
        this.log.complete()
        this.#mark(0)
        await settle()
      }
      await this.clock.advanceAndSettle(1000)
    }
    expect(this.#waiting, 'no request stays pending').toBe(0)
    this.#expectWhole()
    for (const service of this.services) await service.close()
    expect(this.clock.pendingTimers).toBe(0)
  }

  get #service(): TransactionService {
    return this.services[this.#leader]!
  }

  #init(): void {
    const request = { timeoutMs: 5000, expected: undefined }
    this.#wait(this.#service.initProducerId(transactionalId, request), (outcome) => {
      if (outcome.errorCode === ErrorCode.none) this.#producer = outcome
    })
  }

  #add(partition: number): void {
    if (!this.#producer) return
    const producer = { transactionalId, ...this.#producer }
    const partitions: TopicPartition[] = [{ topic: 't', partition }]
    this.#wait(this.#service.addPartitions(producer, partitions, 2), (errorCode) => {
      if (errorCode !== ErrorCode.none) return
      const isAdded = this.log.records.some(({ metadata }) =>
        metadata?.partitions.has(partitions[0]!),
      )
      expect(isAdded, 'an acknowledged partition is in the log').toBe(true)
    })
  }

  #end(committed: boolean): void {
    const producer = this.#producer
    if (!producer) return
    const request = { ...producer, committed, clientTransactionVersion: 2 } as const
    this.#wait(this.#service.endTxn(transactionalId, request), (outcome) => {
      if (outcome.errorCode !== ErrorCode.none || this.#producer !== producer) return
      this.#producer = outcome
    })
  }

  #wait<Outcome>(answer: Promise<Outcome>, answered: (outcome: Outcome) => void): void {
    this.#waiting++
    void answer.then((outcome) => {
      this.#waiting--
      answered(outcome)
    })
  }

  /** A marker of an older coordinator epoch is refused, as in the log. */
  #mark(which: number): void {
    const [next] = this.markers.splice(which % Math.max(1, this.markers.length), 1)
    if (!next) return
    const { partition, marker, coordinatorEpoch, report } = next
    if (coordinatorEpoch < this.epochs[partition]!) {
      report(ErrorCode.transactionCoordinatorFenced)
      return
    }
    this.epochs[partition] = coordinatorEpoch
    this.written[partition]!.push(marker)
    report(ErrorCode.none)
  }

  async #move(written: number, resignsFirst: boolean): Promise<void> {
    const old = this.#service
    this.#leader = 1 - this.#leader
    const epoch = this.log.newEpoch(written)
    if (resignsFirst) old.resign(0, epoch)
    const loading = this.#service.load(0, epoch)
    if (!resignsFirst) old.resign(0, epoch)
    await loading
  }

  /**
   * Checks that each decision in the log has its marker in each of its partitions, and no other
   * marker.
   */
  #expectWhole(): void {
    for (const { metadata } of this.log.records) {
      const { status, producerId, producerEpoch, partitions } = metadata!
      const isCommit = status === TransactionStatus.prepareCommit
      if (!isCommit && status !== TransactionStatus.prepareAbort) continue
      for (const { partition } of partitions) {
        const outcomes = this.written[partition]!.filter(
          (each) => each.producerId === producerId && each.producerEpoch === producerEpoch,
        ).map(({ committed }) => committed)
        expect(outcomes.length, `partition ${partition} has its marker`).toBeGreaterThan(0)
        expect(new Set(outcomes), 'of one outcome').toEqual(new Set([isCommit]))
      }
    }
    const isPreparing =
      this.log.latest?.status === TransactionStatus.prepareCommit ||
      this.log.latest?.status === TransactionStatus.prepareAbort
    expect(isPreparing, 'a decided transaction is completed').toBe(false)
  }
}

it('a transaction whose coordinator moves ends in all of its partitions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), async (actions) => {
      const brokers = new TwoBrokers()
      await brokers.start()
      for (const each of actions) await brokers.perform(each)
      await brokers.end()
    }),
    { numRuns: models.transactionLeaderMoves.sequences },
  )
})
