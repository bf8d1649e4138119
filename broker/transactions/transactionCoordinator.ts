// All transactional ids of one coordinator, as a state machine: requests, and what has become
// durable, go in; what to write and whom to answer comes out. It never touches a log or a clock;
// transactionService.ts does what the effects say.
//
// How a transaction ends is decided once its Prepare record is durable, and not before: markers
// follow it, and after a crash the record is all that remains. One step of an id is under way at a
// time, and every other request meanwhile is told to come again (CONCURRENT_TRANSACTIONS).
//
// Times are wall-clock milliseconds, because they are kept across restarts.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { TransactionStatus } from '../../protocol/kafka/transactionRecords.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { decideEndTxn, type EndTxnRequest } from './endTxnRules.ts'
import type { PartitionSet, TopicPartition } from './partitionSet.ts'
import {
  type InitProducerIdRequest,
  isFenced,
  isPartOf,
  refuseToAdd,
  refuseToVerify,
} from './producerRules.ts'
import {
  type Entry,
  isBusy,
  isKnown,
  type KnownEntry,
  newEntry,
  type Step,
} from './transactionEntry.ts'
import type { TransactionRecord } from './transactionLogRecords.ts'
import {
  type ClientTransactionVersion,
  completed,
  initialized,
  initializedAgain,
  isCommitting,
  isExhausted,
  isPreparing,
  noEpoch,
  noProducerId,
  prepared,
  type TransactionEnd,
  type TransactionMetadata,
  withPartitions,
} from './transactionMetadata.ts'
import { failed, succeeded, succeededAs, type TransactionOutcome } from './transactionOutcome.ts'
import type { ProducerIdentity } from './transactionVerifier.ts'

export interface TransactionLimits {
  readonly maxTimeoutMs: number
  /** How long an id that nothing is heard of is remembered. */
  readonly expirationMs: number
  readonly maxTransactionalIds: number
}

/** Ends a producer's transaction in the partitions it wrote to. */
export interface TransactionMarker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly committed: boolean
}

export type TransactionEffect =
  /** Get a producer id that nobody has had, then call `allocated`. */
  | { readonly type: 'allocate'; readonly allocationId: number }
  /** Append this, in order for each transactional id, then call `appended`. */
  | { readonly type: 'append'; readonly appendId: number; readonly record: TransactionRecord }
  /** Write the marker to each of the partitions, then call `markersWritten`. */
  | {
      readonly type: 'writeMarkers'
      readonly transactionalId: string
      readonly marker: TransactionMarker
      readonly partitions: PartitionSet
    }
  | { readonly type: 'answer'; readonly requestId: number; readonly outcome: TransactionOutcome }
  /** Ending the transaction did not succeed: call `resume` after a while. */
  | { readonly type: 'resumeLater'; readonly transactionalId: string }
  /** No step of this id is under way any more: who was told to come again may. */
  | { readonly type: 'settled'; readonly transactionalId: string }

/** The rest goes next time: each waits in memory for its record to be durable. */
const maxRemovedAtOnce = 10_000

type Identity = Pick<TransactionMetadata, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>

type Answer = (outcome: TransactionOutcome) => void

export class TransactionCoordinator {
  readonly #limits: TransactionLimits
  readonly #entries = new Map<string, Entry>()
  readonly #allocations = new Map<number, (nowMs: number, producerId: number | undefined) => void>()
  readonly #appends = new Map<number, (nowMs: number, errorCode: number) => void>()
  /** Since the start: ends that became durable, and those among them that nobody asked for. */
  readonly ended = { committed: 0, aborted: 0, timedOut: 0 }
  #nextId = 1
  #effects: TransactionEffect[] = []

  constructor(limits: TransactionLimits) {
    this.#limits = limits
  }

  /** What is to be done since the last call, in this order. */
  takeEffects(): TransactionEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  // Loading

  /** Takes in one record of the log; all of them, in their order, before `start`. */
  restore({ transactionalId, metadata }: TransactionRecord): void {
    if (metadata === null) this.#entries.delete(transactionalId)
    else this.#entries.set(transactionalId, newEntry(transactionalId, metadata))
  }

  /** Goes on with every transaction whose end had been decided. */
  start(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry) || !isPreparing(entry.metadata)) continue
      entry.unmarked = entry.metadata.partitions
      this.#finish(nowMs, entry)
    }
  }

  // Requests

  initProducerId(
    nowMs: number,
    requestId: number,
    transactionalId: string,
    request: InitProducerIdRequest,
  ): void {
    const answer = this.#answerTo(requestId)
    const error = this.#refuseInit(transactionalId, request)
    const entry = this.#entries.get(transactionalId)
    if (error !== ErrorCode.none) {
      answer(failed(error))
    } else if (!isKnown(entry)) {
      this.#initFirst(transactionalId, request, answer)
    } else if (entry.metadata.status === TransactionStatus.ongoing) {
      // The producer asks again once the transaction of the one before it has been aborted.
      this.#end(nowMs, entry, fence, ({ errorCode }) =>
        answer(failed(errorCode || ErrorCode.concurrentTransactions)),
      )
    } else {
      this.#initAgain(nowMs, entry, request, answer)
    }
  }

  addPartitions(
    nowMs: number,
    requestId: number,
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    version: ClientTransactionVersion,
  ): void {
    const answer = this.#answerTo(requestId)
    const entry = this.#entries.get(producer.transactionalId)
    const error = refuseToAdd(entry, producer)
    if (error !== ErrorCode.none || !isKnown(entry)) {
      answer(failed(error))
    } else if (isPartOf(entry.metadata, partitions)) {
      answer(succeeded)
    } else {
      const added = withPartitions(entry.metadata, partitions, version, nowMs)
      this.#append(entry, 'add', added, (_, errorCode) => answer(failed(errorCode)))
    }
  }

  /** An error code for each partition: whether it is part of the producer's open transaction. */
  verifyPartitions(producer: ProducerIdentity, partitions: readonly TopicPartition[]): number[] {
    const entry = this.#entries.get(producer.transactionalId)
    const error = refuseToVerify(entry, producer)
    return partitions.map((partition) => {
      if (error !== ErrorCode.none || !isKnown(entry)) return error
      const isPart = entry.metadata.partitions.has(partition)
      return isPart ? ErrorCode.none : ErrorCode.transactionAbortable
    })
  }

  endTxn(nowMs: number, requestId: number, transactionalId: string, request: EndTxnRequest): void {
    const answer = this.#answerTo(requestId)
    const entry = this.#entries.get(transactionalId)
    if (!isKnown(entry)) {
      answer(failed(ErrorCode.invalidProducerIdMapping))
      return
    }
    const { metadata } = entry
    const decision = decideEndTxn(metadata, isBusy(entry), request)
    if (decision.kind === 'begin') this.#end(nowMs, entry, request, answer)
    else if (decision.kind === 'refused') answer(failed(decision.errorCode))
    else answer(request.clientTransactionVersion === 2 ? succeededAs(metadata) : succeeded)
  }

  // Administration

  /** What is durable; undefined for an id that is not known. */
  describe(transactionalId: string): TransactionMetadata | undefined {
    return this.#entries.get(transactionalId)?.metadata
  }

  *transactions(): Generator<{ transactionalId: string; metadata: TransactionMetadata }> {
    for (const { transactionalId, metadata } of this.#entries.values()) {
      if (metadata) yield { transactionalId, metadata }
    }
  }

  get size(): number {
    return this.#entries.size
  }

  // Time

  /** Aborts what has been open for longer than its producer allowed. */
  abortTimedOut(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry) || isBusy(entry)) continue
      const { status, startTimestampMs, timeoutMs } = entry.metadata
      const isLate = startTimestampMs + timeoutMs < nowMs
      if (status !== TransactionStatus.ongoing || !isLate) continue
      this.#end(nowMs, entry, fence, ({ errorCode }) => {
        if (errorCode === ErrorCode.none) this.ended.timedOut++
      })
    }
  }

  /** Forgets ids that nothing has been heard of for long and that have no open transaction. */
  removeExpired(nowMs: number): void {
    let removed = 0
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry) || isBusy(entry)) continue
      const { status, lastUpdateTimestampMs } = entry.metadata
      const isExpired = lastUpdateTimestampMs <= nowMs - this.#limits.expirationMs
      if (!isExpired || status === TransactionStatus.ongoing) continue
      this.#append(entry, 'remove', null, () => {})
      if (++removed === maxRemovedAtOnce) break
    }
  }

  // What has been done

  /** Answers `allocate`; undefined when there is none to be had. */
  allocated(nowMs: number, allocationId: number, producerId: number | undefined): void {
    take(this.#allocations, allocationId)(nowMs, producerId)
  }

  /** Answers `append`: the record is durable, or has an error code. */
  appended(nowMs: number, appendId: number, errorCode: number): void {
    take(this.#appends, appendId)(nowMs, errorCode)
  }

  /** Answers `writeMarkers`: the marker is durable in all partitions but these. */
  markersWritten(nowMs: number, transactionalId: string, missing: PartitionSet): void {
    const entry = this.#entries.get(transactionalId)
    assert(isKnown(entry) && entry.markersUnderWay, `no markers of ${transactionalId} are awaited`)
    entry.markersUnderWay = false
    entry.unmarked = missing
    if (missing.isEmpty) this.#complete(nowMs, entry)
    else this.#effects.push({ type: 'resumeLater', transactionalId })
  }

  /** Tries again to end a transaction. */
  resume(nowMs: number, transactionalId: string): void {
    const entry = this.#entries.get(transactionalId)
    assert(isKnown(entry) && isPreparing(entry.metadata), `${transactionalId} is not being ended`)
    assert(!entry.step && !entry.markersUnderWay, `${transactionalId} is being ended already`)
    this.#finish(nowMs, entry)
  }

  // Steps

  #refuseInit(transactionalId: string, request: InitProducerIdRequest): number {
    const { maxTimeoutMs, maxTransactionalIds } = this.#limits
    if (transactionalId === '') return ErrorCode.invalidRequest
    const { timeoutMs } = request
    if (timeoutMs <= 0 || timeoutMs > maxTimeoutMs) return ErrorCode.invalidTransactionTimeout
    const entry = this.#entries.get(transactionalId)
    if (!entry) {
      return this.#entries.size < maxTransactionalIds ? ErrorCode.none : ErrorCode.policyViolation
    }
    if (!isKnown(entry) || isBusy(entry)) return ErrorCode.concurrentTransactions
    return isFenced(entry.metadata, request) ? ErrorCode.producerFenced : ErrorCode.none
  }

  #initFirst(transactionalId: string, { timeoutMs }: InitProducerIdRequest, answer: Answer): void {
    const entry: Entry = newEntry(transactionalId, undefined)
    this.#entries.set(transactionalId, entry)
    this.#allocate(entry, 'initialize', answer, (nowMs, producerId) =>
      this.#initialize(entry, initialized(producerId, timeoutMs, nowMs), answer),
    )
  }

  #initAgain(
    nowMs: number,
    entry: KnownEntry,
    { timeoutMs, expected }: InitProducerIdRequest,
    answer: Answer,
  ): void {
    const { producerId, producerEpoch, lastProducerEpoch } = entry.metadata
    const initialize = (now: number, identity: Identity) =>
      this.#initialize(entry, initializedAgain(entry.metadata, identity, timeoutMs, now), answer)
    const last = expected ? producerEpoch : noEpoch
    if (expected && expected.producerEpoch !== producerEpoch) {
      // It repeats a request whose answer got lost, and nobody else has come meanwhile: the same.
      initialize(nowMs, { producerId, producerEpoch, lastProducerEpoch })
    } else if (isExhausted(producerEpoch)) {
      this.#allocate(entry, 'initialize', answer, (now, next) =>
        initialize(now, { producerId: next, producerEpoch: 0, lastProducerEpoch: last }),
      )
    } else {
      const bumped = producerEpoch + 1
      initialize(nowMs, { producerId, producerEpoch: bumped, lastProducerEpoch: last })
    }
  }

  #initialize(entry: Entry, begun: TransactionMetadata, answer: Answer): void {
    this.#append(entry, 'initialize', begun, (_, errorCode) =>
      answer(errorCode ? failed(errorCode) : succeededAs(begun)),
    )
  }

  /** Decides how the transaction ends. Answered when that is durable. */
  #end(nowMs: number, entry: KnownEntry, end: TransactionEnd, answer: Answer): void {
    const usedUp = isExhausted(entry.metadata.producerEpoch)
    if (end.clientTransactionVersion === 2 && usedUp) {
      this.#allocate(entry, 'end', answer, (now, next) =>
        this.#prepare(entry, prepared(entry.metadata, end, next, now), answer),
      )
    } else {
      this.#prepare(entry, prepared(entry.metadata, end, noProducerId, nowMs), answer)
    }
  }

  #prepare(entry: KnownEntry, decided: TransactionMetadata, answer: Answer): void {
    this.#append(entry, 'end', decided, (now, errorCode) => {
      if (errorCode !== ErrorCode.none) {
        answer(failed(errorCode))
        return
      }
      if (isCommitting(decided)) this.ended.committed++
      else this.ended.aborted++
      const hasNewEpoch = decided.clientTransactionVersion === 2
      answer(hasNewEpoch ? succeededAs(completed(decided, now)) : succeeded)
      entry.unmarked = decided.partitions
      this.#finish(now, entry)
    })
  }

  /** Does what is missing for a decided transaction to be over. */
  #finish(nowMs: number, entry: KnownEntry): void {
    if (entry.unmarked.isEmpty) this.#complete(nowMs, entry)
    else this.#writeMarkers(entry)
  }

  #writeMarkers(entry: KnownEntry): void {
    const { transactionalId, metadata, unmarked: partitions } = entry
    const { producerId, producerEpoch } = metadata
    const marker = { producerId, producerEpoch, committed: isCommitting(metadata) }
    entry.markersUnderWay = true
    this.#effects.push({ type: 'writeMarkers', transactionalId, marker, partitions })
  }

  #complete(nowMs: number, entry: KnownEntry): void {
    const { transactionalId } = entry
    this.#append(entry, 'end', completed(entry.metadata, nowMs), (_, errorCode) => {
      if (errorCode) this.#effects.push({ type: 'resumeLater', transactionalId })
    })
  }

  // Waiting for what a step needs

  #allocate(
    entry: Entry,
    step: Step,
    answer: Answer,
    then: (nowMs: number, producerId: number) => void,
  ): void {
    const allocationId = this.#nextId++
    entry.step = step
    this.#effects.push({ type: 'allocate', allocationId })
    this.#allocations.set(allocationId, (nowMs, producerId) => {
      entry.step = undefined
      if (producerId === undefined) answer(failed(ErrorCode.coordinatorNotAvailable))
      else then(nowMs, producerId)
      this.#settle(entry)
    })
  }

  /** Makes a step durable and takes it. When it cannot be made durable, nothing has happened. */
  #append(
    entry: Entry,
    step: Step,
    metadata: TransactionMetadata | null,
    done: (nowMs: number, errorCode: number) => void,
  ): void {
    const { transactionalId } = entry
    const appendId = this.#nextId++
    entry.step = step
    this.#effects.push({ type: 'append', appendId, record: { transactionalId, metadata } })
    this.#appends.set(appendId, (nowMs, errorCode) => {
      entry.step = undefined
      if (errorCode === ErrorCode.none) entry.metadata = metadata ?? undefined
      done(nowMs, errorCode)
      this.#settle(entry)
    })
  }

  #settle(entry: Entry): void {
    if (isBusy(entry)) return
    const { transactionalId } = entry
    if (!entry.metadata) this.#entries.delete(transactionalId)
    this.#effects.push({ type: 'settled', transactionalId })
  }

  #answerTo(requestId: number): Answer {
    return (outcome) => this.#effects.push({ type: 'answer', requestId, outcome })
  }
}

/** How the coordinator itself ends a transaction: its producer must not go on under its epoch. */
const fence: TransactionEnd = { committed: false, clientTransactionVersion: 2 }

function take<Value>(values: Map<number, Value>, id: number): Value {
  const value = values.get(id)
  assert(value, `${id} was answered twice, or never asked for`)
  values.delete(id)
  return value
}
