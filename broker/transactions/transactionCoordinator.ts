// The transaction coordinator of one partition of __transaction_state, as a state machine: an event
// goes in, effects come out. It is synchronous and must never touch a log or a clock. Times are
// wall-clock milliseconds, because they survive restarts.
//
// The contract with the driver (transactionShard.ts): effects are performed in the order in which
// they are returned, and an answer is sent only when it is returned. The records of one
// transactional id go to the log in the order of `append`, and `appended` reports each one when it
// is durable or has failed. `writeMarkers` is returned only after the Prepare record before it was
// reported durable, because after a crash that record is all that remains of the decision;
// `markersWritten` reports the partitions that still lack the marker. `allocate` is reported by
// `allocated`, without a producer id when it failed. A failed step changes nothing: it ends, its
// request is answered with an error, and the ends of transactions are retried on `resumed`.
// `loaded` comes once, after all records and before any request.
//
// One step of a transactional id is in progress at a time. Meanwhile other requests for the id are
// refused with CONCURRENT_TRANSACTIONS. Steps are plain data: `pending` can be printed, compared
// and saved.

import { TransactionStatus } from '../../protocol/kafka/coordinators/transactionRecords.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import { assert, unreachable } from '../../protocol/runtime/assert.ts'
import { decideEndTxn, type EndTxnRequest } from './endTxnRules.ts'
import type { PartitionSet } from './partitionSet.ts'
import {
  type InitProducerIdRequest,
  isFenced,
  isPartOf,
  refuseToAdd,
  refuseToVerify,
} from './producerRules.ts'
import {
  type AllocationStep,
  type AppendStep,
  type EndCause,
  type Entry,
  isBusy,
  isKnown,
  type KnownEntry,
  newEntry,
  type Step,
} from './transactionEntry.ts'
import type { TransactionEffect, TransactionEvent } from './transactionEvents.ts'
import type { TransactionRecord } from './transactionLogRecords.ts'
import {
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
  /** Retention of an unused transactional id, in ms. */
  readonly expirationMs: number
  /** Maximum number of transactional ids of this broker. */
  readonly maxTransactionalIds: number
}

/** Counts of the transactions whose end is durable, and of those that timed out among them. */
export interface EndedTransactions {
  committed: number
  aborted: number
  timedOut: number
}

/** Maximum number of ids removed at a time: each one takes memory until its record is durable. */
const maxRemovedAtOnce = 10_000

type Identity = Pick<TransactionMetadata, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>

export class TransactionCoordinator {
  readonly #limits: TransactionLimits
  readonly #isFull: () => boolean
  readonly #entries = new Map<string, Entry>()
  /** The transactional id of each step in progress, by step id. */
  readonly #steps = new Map<number, string>()
  /**
   * The transactional id with a transaction that is open or not completely ended, by producer id.
   */
  readonly #open = new Map<number, string>()
  readonly ended: EndedTransactions = { committed: 0, aborted: 0, timedOut: 0 }
  #nextStepId = 1
  #effects: TransactionEffect[] = []

  /**
   * `isFull`: whether the coordinators of this broker have the maximum number of transactional ids.
   */
  constructor(limits: TransactionLimits, isFull?: () => boolean) {
    this.#limits = limits
    this.#isFull = isFull ?? (() => this.#entries.size >= limits.maxTransactionalIds)
  }

  /** Restores one record of the log. All of them are restored, in their order, before `loaded`. */
  restore({ transactionalId, metadata }: TransactionRecord): void {
    if (metadata === null) this.#entries.delete(transactionalId)
    else this.#entries.set(transactionalId, newEntry(transactionalId, metadata))
  }

  /** Handles an event. Returns its effects in the order in which they are to be performed. */
  handle(nowMs: number, event: TransactionEvent): TransactionEffect[] {
    this.#effects = []
    this.#apply(nowMs, event)
    return this.#effects
  }

  // Queries

  /** Returns the steps in progress, as plain data. */
  pending(): { readonly transactionalId: string; readonly step: Step }[] {
    return [...this.#steps.values()].map((transactionalId) => ({
      transactionalId,
      step: this.#entries.get(transactionalId)!.step!,
    }))
  }

  /**
   * Returns an error code for each partition: 0 if it is part of the producer's open transaction.
   */
  verifyPartitions(producer: ProducerIdentity, partitions: readonly TopicPartition[]): number[] {
    const entry = this.#entries.get(producer.transactionalId)
    const error = refuseToVerify(entry, producer)
    return partitions.map((partition) => {
      if (error !== ErrorCode.none || !isKnown(entry)) return error
      const isPart = entry.metadata.partitions.has(partition)
      return isPart ? ErrorCode.none : ErrorCode.transactionAbortable
    })
  }

  /** Returns the durable metadata of the id; undefined for an unknown id. */
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

  // Events

  #apply(nowMs: number, event: TransactionEvent): void {
    switch (event.type) {
      case 'initProducerId':
        this.#initProducerId(nowMs, event.requestId, event.transactionalId, event.request)
        break
      case 'addPartitions':
        this.#addPartitions(nowMs, event)
        break
      case 'endTxn':
        this.#endTxn(nowMs, event.requestId, event.transactionalId, event.request)
        break
      case 'loaded':
        this.#loaded(nowMs)
        break
      case 'allocated':
        this.#allocated(nowMs, event.stepId, event.producerId)
        break
      case 'appended':
        this.#appended(nowMs, event.stepId, event.errorCode)
        break
      case 'markersWritten':
        this.#markersWritten(nowMs, event.transactionalId, event.missing)
        break
      case 'resumed':
        this.#resume(nowMs, event.transactionalId)
        break
      case 'abortTimedOut':
        this.#abortTimedOut(nowMs)
        break
      case 'removeExpired':
        this.#removeExpired(nowMs)
        break
      default:
        unreachable(event)
    }
  }

  /**
   * Continues every transaction whose end was decided before the coordinator moved or restarted.
   */
  #loaded(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry)) continue
      if (entry.metadata.status === TransactionStatus.ongoing) this.#noteOpen(entry)
      if (!isPreparing(entry.metadata)) continue
      this.#noteOpen(entry)
      entry.unmarked = entry.metadata.partitions
      this.#finish(nowMs, entry)
    }
  }

  #initProducerId(
    nowMs: number,
    requestId: number,
    transactionalId: string,
    request: InitProducerIdRequest,
  ): void {
    const error = this.#refuseInit(transactionalId, request)
    const entry = this.#entries.get(transactionalId)
    if (error !== ErrorCode.none) {
      this.#answer(requestId, failed(error))
    } else if (!isKnown(entry)) {
      const first = newEntry(transactionalId, undefined)
      this.#entries.set(transactionalId, first)
      const { timeoutMs } = request
      this.#allocate(first, { type: 'allocateFirst', requestId, timeoutMs })
    } else if (entry.metadata.status === TransactionStatus.ongoing) {
      this.#end(nowMs, entry, fence, { by: 'initProducerId', requestId })
    } else {
      this.#initAgain(nowMs, entry, requestId, request)
    }
  }

  #refuseInit(transactionalId: string, request: InitProducerIdRequest): number {
    if (transactionalId === '') return ErrorCode.invalidRequest
    const { timeoutMs } = request
    if (timeoutMs <= 0 || timeoutMs > this.#limits.maxTimeoutMs) {
      return ErrorCode.invalidTransactionTimeout
    }
    const entry = this.#entries.get(transactionalId)
    if (!entry) return this.#isFull() ? ErrorCode.policyViolation : ErrorCode.none
    if (!isKnown(entry) || isBusy(entry)) return ErrorCode.concurrentTransactions
    return isFenced(entry.metadata, request) ? ErrorCode.producerFenced : ErrorCode.none
  }

  #initAgain(
    nowMs: number,
    entry: KnownEntry,
    requestId: number,
    { timeoutMs, expected }: InitProducerIdRequest,
  ): void {
    const { producerId, producerEpoch, lastProducerEpoch } = entry.metadata
    const last = expected ? producerEpoch : noEpoch
    if (expected && expected.producerEpoch !== producerEpoch) {
      // A retry whose answer was lost, while no other producer came: it gets the same answer.
      const same = { producerId, producerEpoch, lastProducerEpoch }
      this.#initialize(nowMs, entry, requestId, same, timeoutMs)
    } else if (isExhausted(producerEpoch)) {
      this.#allocate(entry, {
        ...{ type: 'allocateAgain', requestId, timeoutMs, lastProducerEpoch: last },
      })
    } else {
      const bumped = { producerId, producerEpoch: producerEpoch + 1, lastProducerEpoch: last }
      this.#initialize(nowMs, entry, requestId, bumped, timeoutMs)
    }
  }

  #addPartitions(
    nowMs: number,
    {
      requestId,
      producer,
      partitions,
      version,
    }: Extract<TransactionEvent, { type: 'addPartitions' }>,
  ): void {
    const entry = this.#entries.get(producer.transactionalId)
    const error = refuseToAdd(entry, producer)
    if (error !== ErrorCode.none || !isKnown(entry)) {
      this.#answer(requestId, failed(error))
    } else if (isPartOf(entry.metadata, partitions)) {
      this.#answer(requestId, succeeded)
    } else {
      const metadata = withPartitions(entry.metadata, partitions, version, nowMs)
      this.#append(entry, { type: 'add', requestId, metadata })
    }
  }

  #endTxn(nowMs: number, requestId: number, transactionalId: string, request: EndTxnRequest): void {
    const entry = this.#entries.get(transactionalId)
    if (!isKnown(entry)) {
      this.#answer(requestId, failed(ErrorCode.invalidProducerIdMapping))
      return
    }
    const { metadata } = entry
    const decision = decideEndTxn(metadata, isBusy(entry), request)
    if (decision.kind === 'begin') this.#end(nowMs, entry, request, { by: 'endTxn', requestId })
    else if (decision.kind === 'refused') this.#answer(requestId, failed(decision.errorCode))
    else {
      const hasNewEpoch = request.clientTransactionVersion === 2
      this.#answer(requestId, hasNewEpoch ? succeededAs(metadata) : succeeded)
    }
  }

  #abortTimedOut(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry) || isBusy(entry)) continue
      const { status, startTimestampMs, timeoutMs } = entry.metadata
      const isLate = startTimestampMs + timeoutMs < nowMs
      if (status !== TransactionStatus.ongoing || !isLate) continue
      this.#end(nowMs, entry, fence, { by: 'timeout' })
    }
  }

  /** Removes transactional ids that have expired and have no open transaction. */
  #removeExpired(nowMs: number): void {
    let removed = 0
    for (const entry of this.#entries.values()) {
      if (!isKnown(entry) || isBusy(entry)) continue
      const { status, lastUpdateTimestampMs } = entry.metadata
      const isExpired = lastUpdateTimestampMs <= nowMs - this.#limits.expirationMs
      if (!isExpired || status === TransactionStatus.ongoing) continue
      this.#append(entry, { type: 'remove', metadata: null })
      if (++removed === maxRemovedAtOnce) break
    }
  }

  #markersWritten(nowMs: number, transactionalId: string, missing: PartitionSet): void {
    const entry = this.#entries.get(transactionalId)
    assert(
      isKnown(entry) && entry.markersUnderWay,
      `markers of ${transactionalId} are being written`,
    )
    entry.markersUnderWay = false
    entry.unmarked = missing
    if (missing.isEmpty) this.#complete(nowMs, entry)
    else this.#effects.push({ type: 'resumeLater', transactionalId })
  }

  #resume(nowMs: number, transactionalId: string): void {
    const entry = this.#entries.get(transactionalId)
    assert(
      isKnown(entry) && isPreparing(entry.metadata),
      `the end of ${transactionalId} is decided`,
    )
    assert(
      !entry.step && !entry.markersUnderWay,
      `the end of ${transactionalId} waits to be resumed`,
    )
    this.#finish(nowMs, entry)
  }

  // Steps

  #initialize(
    nowMs: number,
    entry: KnownEntry,
    requestId: number,
    identity: Identity,
    timeoutMs: number,
  ): void {
    const metadata = initializedAgain(entry.metadata, identity, timeoutMs, nowMs)
    this.#append(entry, { type: 'initialize', requestId, metadata })
  }

  /** Decides the end of a transaction. */
  #end(nowMs: number, entry: KnownEntry, end: TransactionEnd, cause: EndCause): void {
    const { committed, clientTransactionVersion } = end
    const changesId = clientTransactionVersion === 2 && isExhausted(entry.metadata.producerEpoch)
    if (changesId) {
      const plain = { committed, clientTransactionVersion }
      this.#allocate(entry, { type: 'allocateForEnd', end: plain, cause })
    } else {
      const metadata = prepared(entry.metadata, end, noProducerId, nowMs)
      this.#append(entry, { type: 'prepare', cause, metadata })
    }
  }

  /** Continues a decided end: writes the missing markers, or completes the transaction. */
  #finish(nowMs: number, entry: KnownEntry): void {
    if (entry.unmarked.isEmpty) this.#complete(nowMs, entry)
    else this.#writeMarkers(entry)
  }

  #writeMarkers(entry: KnownEntry): void {
    const { transactionalId, metadata, unmarked: partitions } = entry
    assert(isPreparing(metadata), 'markers are written only for an end that is durable')
    const { producerId, producerEpoch } = metadata
    const marker = { producerId, producerEpoch, committed: isCommitting(metadata) }
    entry.markersUnderWay = true
    this.#effects.push({ type: 'writeMarkers', transactionalId, marker, partitions })
  }

  #complete(nowMs: number, entry: KnownEntry): void {
    this.#append(entry, { type: 'complete', metadata: completed(entry.metadata, nowMs) })
  }

  #allocate(entry: Entry, step: AllocationStep): void {
    const stepId = this.#begin(entry, step)
    this.#effects.push({ type: 'allocate', stepId })
  }

  /**
   * Appends the record of a step, which takes effect once it is durable. A failed step changes
   * nothing.
   */
  #append(entry: Entry, step: AppendStep): void {
    const stepId = this.#begin(entry, step)
    const { transactionalId } = entry
    const record = { transactionalId, metadata: step.metadata }
    this.#effects.push({ type: 'append', stepId, record })
  }

  #begin(entry: Entry, step: AllocationStep | AppendStep): number {
    const { transactionalId } = entry
    assert(!entry.step, `one step of ${transactionalId} is in progress at a time`)
    assert(!entry.markersUnderWay, `${transactionalId} takes no step while markers are written`)
    const stepId = this.#nextStepId++
    entry.step = { ...step, stepId }
    this.#steps.set(stepId, transactionalId)
    return stepId
  }

  /** Ends a step. Returns it with its entry. */
  #takeStep(stepId: number): { readonly entry: Entry; readonly step: Step } {
    const transactionalId = this.#steps.get(stepId)
    assert(transactionalId !== undefined, `step ${stepId} is in progress, and is reported once`)
    this.#steps.delete(stepId)
    const entry = this.#entries.get(transactionalId)
    assert(entry?.step?.stepId === stepId, `step ${stepId} is the one in progress for its id`)
    const { step } = entry
    entry.step = undefined
    return { entry, step }
  }

  #allocated(nowMs: number, stepId: number, producerId: number | undefined): void {
    const { entry, step } = this.#takeStep(stepId)
    if (producerId === undefined) this.#stepFailed(step, ErrorCode.coordinatorNotAvailable)
    else if (step.type === 'allocateFirst') {
      const { requestId, timeoutMs } = step
      const metadata = initialized(producerId, timeoutMs, nowMs)
      this.#append(entry, { type: 'initialize', requestId, metadata })
    } else {
      assert(isKnown(entry), 'only the first step of an id has no durable metadata')
      if (step.type === 'allocateAgain') {
        const { requestId, timeoutMs, lastProducerEpoch } = step
        const identity = { producerId, producerEpoch: 0, lastProducerEpoch }
        this.#initialize(nowMs, entry, requestId, identity, timeoutMs)
      } else {
        assert(step.type === 'allocateForEnd', `step ${stepId} waits for a producer id`)
        const metadata = prepared(entry.metadata, step.end, producerId, nowMs)
        this.#append(entry, { type: 'prepare', cause: step.cause, metadata })
      }
    }
    this.#settle(entry)
  }

  #appended(nowMs: number, stepId: number, errorCode: number): void {
    const { entry, step } = this.#takeStep(stepId)
    assert('metadata' in step, `step ${stepId} waits for an append`)
    if (errorCode === ErrorCode.none) {
      this.#take(entry, step.metadata ?? undefined)
      this.#stepTaken(nowMs, entry, step)
    } else if (step.type === 'complete') {
      this.#effects.push({ type: 'resumeLater', transactionalId: entry.transactionalId })
    } else {
      this.#stepFailed(step, errorCode)
    }
    this.#settle(entry)
  }

  /** Continues after a step whose record is durable and whose metadata is in effect. */
  #stepTaken(nowMs: number, entry: Entry, step: AppendStep): void {
    if (step.type === 'initialize') this.#answer(step.requestId, succeededAs(step.metadata))
    else if (step.type === 'add') this.#answer(step.requestId, succeeded)
    else if (step.type === 'prepare') this.#decided(nowMs, entry as KnownEntry, step)
  }

  /** Continues after the decision of an end is durable: it is final, and its markers follow. */
  #decided(
    nowMs: number,
    entry: KnownEntry,
    { cause, metadata }: Extract<AppendStep, { type: 'prepare' }>,
  ): void {
    if (isCommitting(metadata)) this.ended.committed++
    else this.ended.aborted++
    if (cause.by === 'timeout') this.ended.timedOut++
    else if (cause.by === 'initProducerId') {
      this.#answer(cause.requestId, failed(ErrorCode.concurrentTransactions))
    } else {
      const hasNewEpoch = metadata.clientTransactionVersion === 2
      const outcome = hasNewEpoch ? succeededAs(completed(metadata, nowMs)) : succeeded
      this.#answer(cause.requestId, outcome)
    }
    entry.unmarked = metadata.partitions
    this.#finish(nowMs, entry)
  }

  /** Answers the request of a failed step. */
  #stepFailed(step: Step, errorCode: number): void {
    const waiting = 'cause' in step ? step.cause : step
    if ('requestId' in waiting) this.#answer(waiting.requestId, failed(errorCode))
  }

  #take(entry: Entry, after: TransactionMetadata | undefined): void {
    const before = entry.metadata
    if (before && after) {
      const isSameId = after.producerId === before.producerId
      assert(
        !isSameId || after.producerEpoch >= before.producerEpoch,
        `the producer epoch of ${entry.transactionalId} never decreases`,
      )
    }
    if (before && this.#open.get(before.producerId) === entry.transactionalId) {
      this.#open.delete(before.producerId)
    }
    entry.metadata = after
    const isOpen = after && (after.status === TransactionStatus.ongoing || isPreparing(after))
    if (isOpen) this.#noteOpen(entry as KnownEntry)
  }

  #noteOpen({ transactionalId, metadata: { producerId } }: KnownEntry): void {
    const other = this.#open.get(producerId)
    assert(
      other === undefined || other === transactionalId,
      `producer ${producerId} has one open transaction: of ${transactionalId}, not of ${other}`,
    )
    this.#open.set(producerId, transactionalId)
  }

  #settle(entry: Entry): void {
    if (isBusy(entry)) return
    const { transactionalId } = entry
    if (!entry.metadata) this.#entries.delete(transactionalId)
    this.#effects.push({ type: 'settled', transactionalId })
  }

  #answer(requestId: number, outcome: TransactionOutcome): void {
    this.#effects.push({ type: 'answer', requestId, outcome })
  }
}

/**
 * The end that the coordinator itself decides: an abort after which the producer's epoch is fenced.
 */
const fence: TransactionEnd = { committed: false, clientTransactionVersion: 2 }
