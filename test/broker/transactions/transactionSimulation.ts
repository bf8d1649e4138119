// A transaction coordinator in a simulation that the test controls: its log, the partitions that
// get data and markers, the clients, and all failures. Each step is checked immediately against
// the guarantees of transactions; the test only chooses the steps.

import { expect } from 'vitest'
import { PartitionSet } from '../../../broker/transactions/partitionSet.ts'
import { TransactionCoordinator } from '../../../broker/transactions/transactionCoordinator.ts'
import type {
  TransactionEffect,
  TransactionEvent,
} from '../../../broker/transactions/transactionEvents.ts'
import type { TransactionRecord } from '../../../broker/transactions/transactionLogRecords.ts'
import {
  type ClientTransactionVersion,
  initialized,
  isPreparing,
  maxEpoch,
  type TransactionMetadata,
} from '../../../broker/transactions/transactionMetadata.ts'
import type { TransactionOutcome } from '../../../broker/transactions/transactionOutcome.ts'
import { TransactionStatus } from '../../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'

type Of<Type> = Extract<TransactionEffect, { type: Type }>

/** One transaction of a transactional id, from its first partition on. */
interface Transaction {
  readonly number: number
  commitRequested: boolean
  committed: boolean | undefined
}

type Event =
  | { readonly type: 'data'; readonly producerId: number; readonly of: Transaction }
  | { readonly type: 'marker'; readonly producerId: number; readonly committed: boolean }

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

interface EndRequest {
  readonly identity: Identity
  readonly committed: boolean
  of: Transaction | undefined
}

export class SimulatedClient {
  readonly transactionalId: string
  readonly version: ClientTransactionVersion
  identity: Identity | undefined
  /** The partitions that this client has added to its transaction, as far as it knows. */
  added = new Set<number>()
  lastEnd: EndRequest | undefined

  constructor(transactionalId: string, version: ClientTransactionVersion) {
    this.transactionalId = transactionalId
    this.version = version
  }
}

const timeoutMs = 1000
const expirationMs = 100_000
const limits = { maxTimeoutMs: 10_000, expirationMs, maxTransactionalIds: 10 }
const topic = 't'
export const partitionCount = 3

/** A producer id with few epochs left. */
export const oldId = 'old'

export class TransactionSimulation {
  readonly #durable: TransactionRecord[] = []
  readonly #metadata = new Map<string, TransactionMetadata>()
  readonly #transactions = new Map<string, Transaction>()
  /** The highest identity that InitProducerId has given to each client of an id. */
  readonly #given = new Map<string, { identity: Identity; to: SimulatedClient }[]>()
  readonly #partitions: Event[][] = Array.from({ length: partitionCount }, () => [])
  readonly #answers = new Map<number, (outcome: TransactionOutcome) => void>()
  #coordinator = new TransactionCoordinator(limits)
  #appends: Of<'append'>[] = []
  #markers: Of<'writeMarkers'>[] = []
  #allocations: Of<'allocate'>[] = []
  #resumes: string[] = []
  #nextRequestId = 1
  #nextProducerId = 1000
  #nextTransaction = 1
  #nowMs = 1_000_000

  constructor() {
    const begun = initialized(1, timeoutMs, this.#nowMs)
    this.#becomeDurable({
      transactionalId: oldId,
      metadata: { ...begun, producerEpoch: maxEpoch - 4 },
    })
    this.#restart()
  }

  // Actions of clients

  init(client: SimulatedClient, knowsItself: boolean): void {
    const expected = knowsItself ? client.identity : undefined
    this.#request(
      (requestId) => ({
        type: 'initProducerId',
        requestId,
        transactionalId: client.transactionalId,
        request: { timeoutMs, expected },
      }),
      this.#mustNotBeFenced(client, expected),
      ({ producerId, producerEpoch }) => {
        const identity = { producerId, producerEpoch }
        expect(producerEpoch, 'the highest epoch is for fencing').toBeLessThan(maxEpoch)
        client.identity = identity
        client.added.clear()
        const given = this.#given.get(client.transactionalId) ?? []
        this.#given.set(client.transactionalId, [...given, { identity, to: client }])
      },
    )
  }

  /** Adds a partition, and writes to it once it is added. */
  write(client: SimulatedClient, partition: number): void {
    const { identity } = client
    if (!identity) return
    const producer = { transactionalId: client.transactionalId, ...identity }
    const guard = this.#markerCount(partition, identity.producerId)
    this.#request(
      (requestId) => ({
        type: 'addPartitions',
        requestId,
        producer,
        partitions: [{ topic, partition }],
        version: client.version,
      }),
      this.#mustNotBeFenced(client, identity),
      () => {
        if (client.identity !== identity) return
        client.added.add(partition)
        if (client.version === 2) this.#append(client, identity, partition, guard)
      },
    )
  }

  /**
   * A client of version 0 writes to a partition that it has added, any number of times, also too
   * late.
   */
  writeAgain(client: SimulatedClient, partition: number): void {
    const { identity } = client
    if (!identity || client.version === 2 || !client.added.has(partition)) return
    const guard = this.#markerCount(partition, identity.producerId)
    const producer = { transactionalId: client.transactionalId, ...identity }
    const [error] = this.#coordinator.verifyPartitions(producer, [{ topic, partition }])
    if (error === ErrorCode.none) this.#append(client, identity, partition, guard)
  }

  end(client: SimulatedClient, committed: boolean): void {
    const { identity } = client
    if (!identity) return
    client.lastEnd = { identity, committed, of: undefined }
    this.#end(client, client.lastEnd)
  }

  /** The answer was lost, or is late. */
  endAgain(client: SimulatedClient): void {
    const { lastEnd } = client
    if (!lastEnd) return
    const open = this.#openAs(client.transactionalId, lastEnd.identity)
    // Without an epoch for each transaction, a late request would end the next one (KIP-890).
    if (client.version === 0 && lastEnd.of && open && open !== lastEnd.of) return
    this.#end(client, lastEnd)
  }

  #end(client: SimulatedClient, request: EndRequest): void {
    const { identity, committed } = request
    request.of ??= this.#openAs(client.transactionalId, identity)
    const { of } = request
    if (of && committed) of.commitRequested = true
    this.#request(
      (requestId) => ({
        type: 'endTxn',
        requestId,
        transactionalId: client.transactionalId,
        request: { ...identity, committed, clientTransactionVersion: client.version },
      }),
      this.#mustNotBeFenced(client, identity),
      (outcome) => {
        if (of) expect(of.committed, 'it ended as the client was answered').toBe(committed)
        if (client.identity !== identity) return
        client.added.clear()
        if (client.version === 0) return
        const { producerId, producerEpoch } = outcome
        expect(producerEpoch).toBeLessThan(maxEpoch)
        expect(rank({ producerId, producerEpoch })).toBeGreaterThan(rank(identity))
        client.identity = { producerId, producerEpoch }
      },
    )
  }

  #openAs(transactionalId: string, identity: Identity): Transaction | undefined {
    const metadata = this.#metadata.get(transactionalId)
    const isOpen = metadata?.status === TransactionStatus.ongoing
    return isOpen && rank(metadata) === rank(identity)
      ? this.#transactions.get(transactionalId)
      : undefined
  }

  // Actions of the environment

  completeAppend(which: number, fails: boolean): void {
    const inOrder = this.#appends.filter(
      ({ record }, index) =>
        this.#appends.findIndex((each) => idOf(each) === record.transactionalId) === index,
    )
    const append = inOrder[which % inOrder.length]
    if (!append) return
    this.#appends = this.#appends.filter((each) => each !== append)
    if (!fails) this.#becomeDurable(append.record)
    const errorCode = fails ? ErrorCode.notCoordinator : ErrorCode.none
    this.#handle({ type: 'appended', stepId: append.stepId, errorCode })
  }

  /** Completes markers; some partitions may be unreachable. */
  completeMarkers(which: number, reachable: (partition: number) => boolean): void {
    const write = this.#markers[which % this.#markers.length]
    if (!write) return
    this.#markers = this.#markers.filter((each) => each !== write)
    const missing: TopicPartition[] = []
    for (const each of write.partitions) {
      if (reachable(each.partition)) this.#mark(write, each.partition)
      else missing.push(each)
    }
    const { transactionalId } = write
    this.#handle({ type: 'markersWritten', transactionalId, missing: PartitionSet.of(missing) })
  }

  allocate(which: number, fails: boolean): void {
    const allocation = this.#allocations[which % this.#allocations.length]
    if (!allocation) return
    this.#allocations = this.#allocations.filter((each) => each !== allocation)
    const producerId = fails ? undefined : this.#nextProducerId++
    this.#handle({ type: 'allocated', stepId: allocation.stepId, producerId })
  }

  resume(which: number): void {
    const transactionalId = this.#resumes[which % this.#resumes.length]
    if (transactionalId === undefined) return
    this.#resumes = this.#resumes.filter((each) => each !== transactionalId)
    this.#handle({ type: 'resumed', transactionalId })
  }

  advance(ms: number): void {
    this.#nowMs += ms
    this.#handle({ type: 'abortTimedOut' })
    this.#handle({ type: 'removeExpired' })
  }

  /** Crashes: some of the work in flight was done, and no result is reported. */
  crash(appendsDone: number, markersDone: (partition: number) => boolean): void {
    for (const { record } of this.#appends.slice(0, appendsDone)) this.#becomeDurable(record)
    for (const write of this.#markers) {
      for (const { partition } of write.partitions) {
        if (markersDone(partition)) this.#mark(write, partition)
      }
    }
    this.#restart()
  }

  /**
   * Completes all work with success until nothing is left, including transactions that time out.
   */
  comeToRest(): void {
    this.#finish()
    this.advance(timeoutMs + 1)
    this.#finish()
    for (const metadata of this.#metadata.values()) {
      expect(isPreparing(metadata)).toBe(false)
      expect(metadata.status).not.toBe(TransactionStatus.ongoing)
    }
    expect(this.#answers.size, 'no request stays pending').toBe(0)
    for (const events of this.#partitions) expectEnded(events)
  }

  forgetEverything(): void {
    this.advance(expirationMs + 1)
    this.#finish()
    expect(this.#metadata.size).toBe(0)
    expect(this.#coordinator.size).toBe(0)
  }

  #finish(): void {
    while (
      this.#appends.length +
      this.#markers.length +
      this.#allocations.length +
      this.#resumes.length
    ) {
      this.allocate(0, false)
      this.completeAppend(0, false)
      this.completeMarkers(0, () => true)
      this.resume(0)
    }
  }

  #restart(): void {
    this.#appends = []
    this.#markers = []
    this.#allocations = []
    this.#resumes = []
    this.#answers.clear()
    this.#coordinator = new TransactionCoordinator(limits)
    for (const record of this.#durable) this.#coordinator.restore(record)
    this.#handle({ type: 'loaded' })
  }

  #request(
    eventOf: (requestId: number) => TransactionEvent,
    admissible: () => void,
    succeeded: (outcome: TransactionOutcome) => void,
  ): void {
    const requestId = this.#nextRequestId++
    this.#answers.set(requestId, (outcome) => {
      if (outcome.errorCode !== ErrorCode.none) return
      admissible()
      succeeded(outcome)
    })
    this.#handle(eventOf(requestId))
  }

  /** A request of a producer that was replaced before must not succeed. */
  #mustNotBeFenced(client: SimulatedClient, identity: Identity | undefined): () => void {
    const given = this.#given.get(client.transactionalId) ?? []
    const isFenced =
      identity !== undefined &&
      given.some(({ identity: other, to }) => to !== client && rank(other) > rank(identity))
    return () => expect(isFenced, 'a fenced producer succeeds').toBe(false)
  }

  #handle(event: TransactionEvent): void {
    for (const effect of this.#coordinator.handle(this.#nowMs, event)) {
      if (effect.type === 'append') this.#appends.push(effect)
      else if (effect.type === 'allocate') this.#allocations.push(effect)
      else if (effect.type === 'resumeLater') this.#resumes.push(effect.transactionalId)
      else if (effect.type === 'writeMarkers') this.#beginMarkers(effect)
      else if (effect.type === 'answer') {
        const answer = this.#answers.get(effect.requestId)
        this.#answers.delete(effect.requestId)
        expect(answer, 'answered once').toBeDefined()
        answer!(effect.outcome)
      }
    }
  }

  #beginMarkers(effect: Of<'writeMarkers'>): void {
    this.#expectDecided(effect)
    this.#markers.push(effect)
  }

  #expectDecided({ transactionalId, marker }: Of<'writeMarkers'>): void {
    const { status, producerId, producerEpoch } = this.#metadata.get(transactionalId)!
    const decision = marker.committed
      ? TransactionStatus.prepareCommit
      : TransactionStatus.prepareAbort
    expect({ status, producerId, producerEpoch }, 'no marker before its decision').toEqual({
      status: decision,
      producerId: marker.producerId,
      producerEpoch: marker.producerEpoch,
    })
  }

  #mark(effect: Of<'writeMarkers'>, partition: number): void {
    this.#expectDecided(effect)
    const { producerId, committed } = effect.marker
    this.#partitions[partition]!.push({ type: 'marker', producerId, committed })
  }

  #markerCount(partition: number, producerId: number): number {
    const events = this.#partitions[partition]!
    return events.filter((each) => each.type === 'marker' && each.producerId === producerId).length
  }

  /** A marker since the start of the verification invalidates it, as in the log. */
  #append(client: SimulatedClient, identity: Identity, partition: number, guard: number): void {
    if (this.#markerCount(partition, identity.producerId) !== guard) return
    const of = this.#transactions.get(client.transactionalId)!
    expect(of.committed, 'nothing is written to a transaction that is decided').toBeUndefined()
    this.#partitions[partition]!.push({ type: 'data', producerId: identity.producerId, of })
  }

  #becomeDurable(record: TransactionRecord): void {
    const { transactionalId, metadata } = record
    this.#durable.push(record)
    const before = this.#metadata.get(transactionalId)
    if (metadata === null) {
      this.#metadata.delete(transactionalId)
      return
    }
    this.#metadata.set(transactionalId, metadata)
    if (before) expectFollows(before, metadata)
    this.#note(transactionalId, before, metadata)
  }

  #note(
    transactionalId: string,
    before: TransactionMetadata | undefined,
    { status }: TransactionMetadata,
  ): void {
    const wasOpen = before?.status === TransactionStatus.ongoing
    if (status === TransactionStatus.ongoing && !wasOpen) {
      const number = this.#nextTransaction++
      const begun: Transaction = { number, commitRequested: false, committed: undefined }
      this.#transactions.set(transactionalId, begun)
    }
    const transaction = this.#transactions.get(transactionalId)
    if (!wasOpen || !transaction) return
    if (status === TransactionStatus.prepareAbort) transaction.committed = false
    if (status !== TransactionStatus.prepareCommit) return
    expect(transaction.commitRequested, 'a client requested this commit').toBe(true)
    transaction.committed = true
  }
}

function idOf({ record }: Of<'append'>): string {
  return record.transactionalId
}

/** Producer ids are assigned in ascending order, and epochs increase within one. */
function rank({ producerId, producerEpoch }: Identity): number {
  return producerId * (maxEpoch + 1) + producerEpoch
}

function expectFollows(before: TransactionMetadata, after: TransactionMetadata): void {
  expect(rank(after), 'epochs never go back').toBeGreaterThanOrEqual(rank(before))
  if (before.status === TransactionStatus.prepareCommit) {
    expect(after.status).toBe(TransactionStatus.completeCommit)
  }
  if (before.status === TransactionStatus.prepareAbort) {
    expect(after.status).toBe(TransactionStatus.completeAbort)
  }
  if (before.status === TransactionStatus.ongoing) {
    for (const partition of before.partitions) {
      expect(after.partitions.has(partition), 'a partition is lost').toBe(true)
    }
  }
}

/**
 * Checks that every record is followed by a marker of its producer, and that the first one is the
 * decided outcome.
 */
function expectEnded(events: readonly Event[]): void {
  for (const [index, event] of events.entries()) {
    if (event.type === 'marker') continue
    const marker = events
      .slice(index)
      .find((each) => each.type === 'marker' && each.producerId === event.producerId)
    expect(marker, 'a transaction is open for ever').toBeDefined()
    expect(marker).toMatchObject({ committed: event.of.committed })
  }
}
