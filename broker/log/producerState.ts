// What a partition remembers of the producers that wrote to it, so that a batch sent twice is kept
// once (KIP-98; rules in Kafka's ProducerAppendInfo). A state machine: it sees the headers of
// batches in log order and does no I/O. It must say the same after a replay as it said at first.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, sequenceAfter } from '../../protocol/kafka/recordBatch.ts'

/** How many batches per producer are known by sequence number: a client has at most 5 in flight. */
export const rememberedBatches = 5
export const noProducerId = -1
const noOffset = -1
const maxSequence = 2 ** 31 - 1

/** One appended batch. The first offset is `lastOffset - offsetDelta`. */
export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  readonly offsetDelta: number
  readonly timestampMs: number
}

export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
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

/** A sequence check's outcome: `duplicate` is set when the batch is in the log already. */
export interface SequenceCheck {
  readonly errorCode: number
  readonly duplicate: ProducerBatch | undefined
}

const accepted: SequenceCheck = { errorCode: ErrorCode.none, duplicate: undefined }
const outOfOrder = refused(ErrorCode.outOfOrderSequenceNumber)
const oldEpoch = refused(ErrorCode.invalidProducerEpoch)
const noSequenceGiven = refused(ErrorCode.invalidRecord)

export class ProducerState {
  readonly #expirationMs: number
  readonly #producers = new Map<number, ProducerEntry>()

  /** `expirationMs`: how long after its last batch came a producer may be forgotten. */
  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs
  }

  get size(): number {
    return this.#producers.size
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#producers.get(producerId)
  }

  /** Every producer, in the order in which they last became known. */
  entries(): IterableIterator<ProducerEntry> {
    return this.#producers.values()
  }

  /** Puts back what a snapshot or `get` gave; undefined forgets the producer. */
  restore(producerId: number, entry: ProducerEntry | undefined): void {
    if (entry === undefined) this.#producers.delete(producerId)
    else this.#producers.set(producerId, entry)
  }

  /** Whether a client's batch may be appended next. Changes nothing. */
  check(batch: RecordBatch): SequenceCheck {
    const { producerId } = batch
    if (producerId === noProducerId) return accepted
    const first = batch.baseSequence
    if (first < 0) return noSequenceGiven
    const entry = this.#producers.get(producerId)
    if (entry === undefined) return accepted
    if (batch.producerEpoch < entry.producerEpoch) return oldEpoch
    if (batch.producerEpoch > entry.producerEpoch) return first === 0 ? accepted : outOfOrder
    const last = entry.batches.at(-1)
    if (last === undefined || first === sequenceAfter(last.lastSequence, 1)) return accepted
    const duplicate = findDuplicate(entry.batches, first, batch.lastSequence)
    return duplicate === undefined ? outOfOrder : { errorCode: ErrorCode.none, duplicate }
  }

  /** Takes note of a batch that is in the log, under the offsets that its header now has. */
  append(batch: RecordBatch, nowMs: number): void {
    const { producerId } = batch
    if (producerId === noProducerId) return
    const before = this.#producers.get(producerId)
    const entry = batch.isControl
      ? afterMarker(before, batch, nowMs)
      : afterData(before, batch, nowMs)
    // Deleted first, so that the map's order is that of the last appends: oldest first.
    this.#producers.delete(producerId)
    this.#producers.set(producerId, entry)
  }

  /** Forgets the producers that have been idle for too long and have no open transaction. */
  expire(nowMs: number): void {
    for (const [producerId, entry] of this.#producers) {
      const idle = nowMs - entry.seenMs >= this.#expirationMs
      if (idle && entry.currentTxnFirstOffset === noOffset) this.#producers.delete(producerId)
    }
  }
}

/** The sequence number `distance` before `sequence`. */
export function sequenceBefore(sequence: number, distance: number): number {
  return sequence >= distance ? sequence - distance : sequence - distance + maxSequence + 1
}

function findDuplicate(
  batches: readonly ProducerBatch[],
  first: number,
  last: number,
): ProducerBatch | undefined {
  for (const batch of batches) {
    if (batch.lastSequence !== last) continue
    if (sequenceBefore(batch.lastSequence, batch.offsetDelta) === first) return batch
  }
  return undefined
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
    timestampMs: batch.maxTimestamp,
  }
  const open = before?.currentTxnFirstOffset ?? noOffset
  return {
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    coordinatorEpoch: before?.coordinatorEpoch ?? -1,
    currentTxnFirstOffset: batch.isTransactional && open === noOffset ? batch.baseOffset : open,
    seenMs: nowMs,
    batches: [...kept.slice(1 - rememberedBatches), appended],
  }
}

/** A transaction marker ends the transaction; it has no sequence number of its own. */
function afterMarker(
  before: ProducerEntry | undefined,
  batch: RecordBatch,
  nowMs: number,
): ProducerEntry {
  return {
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    coordinatorEpoch: before?.coordinatorEpoch ?? -1,
    currentTxnFirstOffset: noOffset,
    seenMs: nowMs,
    batches: before?.producerEpoch === batch.producerEpoch ? before.batches : [],
  }
}

function refused(errorCode: number): SequenceCheck {
  return { errorCode, duplicate: undefined }
}
