// The producers of a partition: detects batches that are sent again, and keeps at most one
// transaction open per producer (KIP-98; the rules are those of Kafka's ProducerAppendInfo).
// Sans-IO: receives the headers of batches, and the records of markers, in log order. Invariant: a
// replay of the log gives the same state as the appends did.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  type EndTransactionMarker,
  readEndTransactionMarker,
} from '../../../protocol/kafka/records/endTransactionMarker.ts'
import { type RecordBatch, sequenceAfter } from '../../../protocol/kafka/records/recordBatch.ts'
import type { VerificationGuard } from './transactionVerification.ts'
import { UnstableTransactions } from './unstableTransactions.ts'

/** Number of batches remembered per producer: a client has at most 5 in flight. */
export const rememberedBatches = 5
export const noProducerId = -1
const noOffset = -1
const maxSequence = 2 ** 31 - 1
const noProducers: ReadonlyMap<number, ProducerEntry> = new Map()

/** One appended batch. The first offset is `lastOffset - offsetDelta`. */
export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  readonly offsetDelta: number
  /** As in the log: the time of the append, if the log sets record timestamps. */
  readonly maxTimestampMs: number
}

export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  /** Epoch of the coordinator that wrote the last marker; -1 without one. */
  readonly coordinatorEpoch: number
  /** The largest timestamp of the last batch or marker; -1 without one. */
  readonly lastTimestampMs: number
  /** First offset of the open transaction; -1 without one. */
  readonly currentTxnFirstOffset: number
  /**
   * When the log last received a batch of the producer, by the clock. Record timestamps are not
   * used: a producer of old records is not idle, and expiring it would append its retries twice.
   */
  readonly seenMs: number
  /** Oldest first, at most `rememberedBatches`. */
  readonly batches: readonly ProducerBatch[]
}

/** A transaction that ended in the log. */
export interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of its marker. */
  readonly lastOffset: number
  /**
   * The first offset of the earliest transaction that is open after it; otherwise the offset after
   * the marker.
   */
  readonly lastStableOffset: number
  readonly isCommit: boolean
}

export class ProducerState {
  readonly #expirationMs: number
  /** Created lazily: with thousands of logs, most have no producers. */
  #producers: Map<number, ProducerEntry> | undefined
  /** The transactions that hold back the last stable offset. */
  readonly transactions = new UnstableTransactions()

  /** `expirationMs`: how long a producer is remembered after its last batch. */
  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs
  }

  get size(): number {
    return this.#producers?.size ?? 0
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#producers?.get(producerId)
  }

  /** All producers in the order of their last appends. */
  entries(): IterableIterator<ProducerEntry> {
    return (this.#producers ?? noProducers).values()
  }

  /** Restores an entry from a snapshot or from `get`; undefined removes the producer. */
  restore(producerId: number, entry: ProducerEntry | undefined): void {
    const began = this.#producers?.get(producerId)?.currentTxnFirstOffset ?? noOffset
    const begins = entry?.currentTxnFirstOffset ?? noOffset
    if (began !== begins) {
      if (began !== noOffset) this.transactions.takeBack(began)
      if (begins !== noOffset) this.transactions.begin(begins)
    }
    if (entry === undefined) this.#producers?.delete(producerId)
    else this.#all().set(producerId, entry)
  }

  /** Whether the producer has an open transaction in this log in this epoch. */
  isInTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#producers?.get(producerId)
    return entry?.producerEpoch === producerEpoch && entry.currentTxnFirstOffset !== noOffset
  }

  /** The batch in the log of which this one is a retry; undefined if it is new. */
  findDuplicate(batch: RecordBatch): ProducerBatch | undefined {
    const entry = this.#producers?.get(batch.producerId)
    if (entry?.producerEpoch !== batch.producerEpoch || batch.baseSequence < 0) return undefined
    return entry.batches.find(
      ({ lastSequence, offsetDelta }) =>
        lastSequence === batch.lastSequence &&
        sequenceBefore(lastSequence, offsetDelta) === batch.baseSequence,
    )
  }

  /** Why the batch of a client must not be appended next; 0 if it may. Changes nothing. */
  checkClient(batch: RecordBatch, guard: VerificationGuard | undefined): number {
    const { producerId, baseSequence } = batch
    if (producerId === noProducerId) return ErrorCode.none
    if (baseSequence < 0) return ErrorCode.invalidRecord
    const entry = this.#producers?.get(producerId)
    if (entry && batch.producerEpoch < entry.producerEpoch) return ErrorCode.invalidProducerEpoch
    if (!isInSequence(entry, batch, guard)) return ErrorCode.outOfOrderSequenceNumber
    return checkTransaction(entry, batch)
  }

  /** The same check for batches of this broker: markers, and records without sequence numbers. */
  checkCoordinator(batch: RecordBatch): number {
    if (batch.producerId === noProducerId) return ErrorCode.none
    const entry = this.#producers?.get(batch.producerId)
    if (entry && batch.producerEpoch < entry.producerEpoch) return ErrorCode.invalidProducerEpoch
    return batch.isControl ? checkMarker(entry, batch) : checkTransaction(entry, batch)
  }

  /**
   * Adds a batch of the log with its final offsets. Returns the transaction that it ends; a marker
   * ends none if its producer has written nothing.
   */
  append(batch: RecordBatch, nowMs: number): CompletedTransaction | undefined {
    const { producerId } = batch
    if (producerId === noProducerId) return undefined
    const before = this.#producers?.get(producerId)
    if (!batch.isControl) {
      this.#appendData(before, batch, nowMs)
      return undefined
    }
    const marker = readEndTransactionMarker(batch)
    return marker && this.#appendMarker(before, batch, marker, nowMs)
  }

  /**
   * Removes producers that have been idle for longer than `expirationMs` and have no open
   * transaction.
   */
  expire(nowMs: number): void {
    for (const [producerId, entry] of this.#producers ?? noProducers) {
      const idle = nowMs - entry.seenMs >= this.#expirationMs
      if (idle && entry.currentTxnFirstOffset === noOffset) this.#producers?.delete(producerId)
    }
  }

  #appendData(before: ProducerEntry | undefined, batch: RecordBatch, nowMs: number): void {
    const entry = afterData(before, batch, nowMs)
    const begins = entry.currentTxnFirstOffset
    if (begins !== (before?.currentTxnFirstOffset ?? noOffset)) this.transactions.begin(begins)
    this.#put(entry)
  }

  #appendMarker(
    before: ProducerEntry | undefined,
    batch: RecordBatch,
    { isCommit, coordinatorEpoch }: EndTransactionMarker,
    nowMs: number,
  ): CompletedTransaction | undefined {
    this.#put(afterMarker(before, batch, coordinatorEpoch, nowMs))
    const firstOffset = before?.currentTxnFirstOffset ?? noOffset
    if (firstOffset === noOffset) return undefined
    const { producerId, lastOffset } = batch
    this.transactions.end(firstOffset, lastOffset)
    const lastStableOffset = this.transactions.firstOpenOffset ?? lastOffset + 1
    return { producerId, firstOffset, lastOffset, lastStableOffset, isCommit }
  }

  #put(entry: ProducerEntry): void {
    // Deleted first, so that the order of the map is that of the last appends, oldest first.
    const all = this.#all()
    all.delete(entry.producerId)
    all.set(entry.producerId, entry)
  }

  #all(): Map<number, ProducerEntry> {
    this.#producers ??= new Map()
    return this.#producers
  }
}

/** The sequence number `distance` before `sequence`, which wraps around. */
export function sequenceBefore(sequence: number, distance: number): number {
  return sequence >= distance ? sequence - distance : sequence - distance + maxSequence + 1
}

function isInSequence(
  entry: ProducerEntry | undefined,
  batch: RecordBatch,
  guard: VerificationGuard | undefined,
): boolean {
  const first = batch.baseSequence
  if (guard && first > guard.lowestSequence) return false
  const last = entry?.batches.at(-1)
  // Transaction version 2 gives each transaction an epoch, so the first batch of one is recognized.
  if (guard?.supportsEpochBump && last === undefined && first !== 0) return false
  if (entry === undefined) return true
  if (batch.producerEpoch > entry.producerEpoch || last === undefined) return first === 0
  return first === sequenceAfter(last.lastSequence, 1)
}

/** A producer with an open transaction must not write outside it: the batch would end with it. */
function checkTransaction(entry: ProducerEntry | undefined, batch: RecordBatch): number {
  const isOpen = entry !== undefined && entry.currentTxnFirstOffset !== noOffset
  return isOpen && !batch.isTransactional ? ErrorCode.invalidTxnState : ErrorCode.none
}

function checkMarker(entry: ProducerEntry | undefined, batch: RecordBatch): number {
  const marker = readEndTransactionMarker(batch)
  if (marker === undefined) return ErrorCode.invalidRecord
  const isFenced = entry !== undefined && marker.coordinatorEpoch < entry.coordinatorEpoch
  return isFenced ? ErrorCode.transactionCoordinatorFenced : ErrorCode.none
}

function afterData(
  before: ProducerEntry | undefined,
  batch: RecordBatch,
  nowMs: number,
): ProducerEntry {
  const kept = before?.producerEpoch === batch.producerEpoch ? before.batches : []
  const appended: ProducerBatch = {
    lastSequence: batch.lastSequence,
    lastOffset: batch.lastOffset,
    offsetDelta: batch.lastOffsetDelta,
    maxTimestampMs: batch.maxTimestamp,
  }
  const open = before?.currentTxnFirstOffset ?? noOffset
  return {
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    coordinatorEpoch: before?.coordinatorEpoch ?? -1,
    lastTimestampMs: batch.maxTimestamp,
    currentTxnFirstOffset: batch.isTransactional && open === noOffset ? batch.baseOffset : open,
    seenMs: nowMs,
    batches: [...kept.slice(1 - rememberedBatches), appended],
  }
}

/** The state after a marker, which ends the transaction and has no sequence number. */
function afterMarker(
  before: ProducerEntry | undefined,
  batch: RecordBatch,
  coordinatorEpoch: number,
  nowMs: number,
): ProducerEntry {
  return {
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    coordinatorEpoch,
    lastTimestampMs: batch.maxTimestamp,
    currentTxnFirstOffset: noOffset,
    seenMs: nowMs,
    batches: before?.producerEpoch === batch.producerEpoch ? before.batches : [],
  }
}
