// What a partition remembers of the producers that wrote to it, so that a batch sent twice is kept
// once and a transaction has one beginning and one end (KIP-98; rules in Kafka's
// ProducerAppendInfo). A state machine: it sees the headers of batches, and the records of markers,
// in log order and does no I/O. It must say the same after a replay as it said at first.

import {
  type EndTransactionMarker,
  readEndTransactionMarker,
} from '../../../protocol/kafka/endTransactionMarker.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type RecordBatch, sequenceAfter } from '../../../protocol/kafka/recordBatch.ts'
import type { VerificationGuard } from './transactionVerification.ts'
import { UnstableTransactions } from './unstableTransactions.ts'

/** How many batches per producer are known by sequence number: a client has at most 5 in flight. */
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
  /** As it is in the log: when it was appended, if the log stamps records itself. */
  readonly maxTimestampMs: number
}

export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of the coordinator that wrote the last marker; -1 before the first one. */
  readonly coordinatorEpoch: number
  /** The largest timestamp of its last batch or marker; -1 when that has none. */
  readonly lastTimestampMs: number
  /** First offset of the open transaction; -1 when there is none. */
  readonly currentTxnFirstOffset: number
  /**
   * When the log last saw the producer, by the clock and not by its records' timestamps: one that
   * sends old records is not idle, and forgetting it would let its retries in twice.
   */
  readonly seenMs: number
  /** Oldest first, at most `rememberedBatches`. */
  readonly batches: readonly ProducerBatch[]
}

/** A transaction that has come to its end in the log. */
export interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of its marker. */
  readonly lastOffset: number
  /**
   * Where the first transaction begins that is still open then; else the offset after the marker.
   */
  readonly lastStableOffset: number
  readonly isCommit: boolean
}

export class ProducerState {
  readonly #expirationMs: number
  /** Made for the first one: most of thousands of logs know none. */
  #producers: Map<number, ProducerEntry> | undefined
  /** What holds back the last stable offset. */
  readonly transactions = new UnstableTransactions()

  /** `expirationMs`: how long after its last batch came a producer may be forgotten. */
  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs
  }

  get size(): number {
    return this.#producers?.size ?? 0
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#producers?.get(producerId)
  }

  /** Every producer, in the order in which they last became known. */
  entries(): IterableIterator<ProducerEntry> {
    return (this.#producers ?? noProducers).values()
  }

  /** Puts back what a snapshot or `get` gave; undefined forgets the producer. */
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

  /** Whether the producer has opened a transaction in this log, and in this epoch. */
  isInTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#producers?.get(producerId)
    return entry?.producerEpoch === producerEpoch && entry.currentTxnFirstOffset !== noOffset
  }

  /** The batch in the log that the client sends again with this one; undefined when it is new. */
  findDuplicate(batch: RecordBatch): ProducerBatch | undefined {
    const entry = this.#producers?.get(batch.producerId)
    if (entry?.producerEpoch !== batch.producerEpoch || batch.baseSequence < 0) return undefined
    return entry.batches.find(
      ({ lastSequence, offsetDelta }) =>
        lastSequence === batch.lastSequence &&
        sequenceBefore(lastSequence, offsetDelta) === batch.baseSequence,
    )
  }

  /** Why the client's batch must not be appended next; 0 when it may. Changes nothing. */
  checkClient(batch: RecordBatch, guard: VerificationGuard | undefined): number {
    const { producerId, baseSequence } = batch
    if (producerId === noProducerId) return ErrorCode.none
    if (baseSequence < 0) return ErrorCode.invalidRecord
    const entry = this.#producers?.get(producerId)
    if (entry && batch.producerEpoch < entry.producerEpoch) return ErrorCode.invalidProducerEpoch
    if (!isInSequence(entry, batch, guard)) return ErrorCode.outOfOrderSequenceNumber
    return checkTransaction(entry, batch)
  }

  /** The same for what this broker writes itself: markers, and records without sequence numbers. */
  checkCoordinator(batch: RecordBatch): number {
    if (batch.producerId === noProducerId) return ErrorCode.none
    const entry = this.#producers?.get(batch.producerId)
    if (entry && batch.producerEpoch < entry.producerEpoch) return ErrorCode.invalidProducerEpoch
    return batch.isControl ? checkMarker(entry, batch) : checkTransaction(entry, batch)
  }

  /**
   * Takes note of a batch that is in the log, under the offsets that its header now has. Returns
   * the transaction that it ends: a marker ends none when its producer has written nothing.
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

  /** Forgets the producers that have been idle for too long and have no open transaction. */
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
    // Deleted first, so that the map's order is that of the last appends: oldest first.
    const all = this.#all()
    all.delete(entry.producerId)
    all.set(entry.producerId, entry)
  }

  #all(): Map<number, ProducerEntry> {
    this.#producers ??= new Map()
    return this.#producers
  }
}

/** The sequence number `distance` before `sequence`. */
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
  // Transaction version 2 gives each transaction an epoch, so that a first batch is known as such.
  if (guard?.supportsEpochBump && last === undefined && first !== 0) return false
  if (entry === undefined) return true
  if (batch.producerEpoch > entry.producerEpoch || last === undefined) return first === 0
  return first === sequenceAfter(last.lastSequence, 1)
}

/** A producer whose transaction is open writes nothing beside it: that would end with it. */
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

/** A marker ends the transaction; it has no sequence number of its own. */
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
