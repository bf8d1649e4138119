// Decides each append: checks its batches against producers and transactions, assigns offsets and
// the leader epoch in place, and decides when a new segment starts. Sans-IO. Runs ahead of the
// disk: what it has accepted may not be written yet, so nothing it returns may be shown to a
// reader.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { LeaderEpochs } from '../leaderEpochs.ts'
import type { LogConfig } from '../logConfig.ts'
import { encodeProducerSnapshot } from '../producers/producerSnapshot.ts'
import type { ProducerEntry, ProducerState } from '../producers/producerState.ts'
import {
  type TransactionalProducer,
  TransactionVerification,
  type VerificationGuard,
} from '../producers/transactionVerification.ts'
import type { AbortedTransactionEntry } from '../segment/indexes/transactionIndex.ts'
import { type ActiveSegment, type Roll, shouldRoll } from '../segment/rollPolicy.ts'
import type { AppendedBatches, AppendOptions } from './appendResult.ts'
import { type AdmittedBatches, admitBatches } from './batchAdmission.ts'
import { type Refusal, refuse } from './refusal.ts'

export type AppendDecision =
  | Refusal
  | (AppendedBatches & { readonly kind: 'duplicate' })
  | (AppendedBatches & {
      readonly kind: 'accepted'
      /** The bytes to write: the batches as given, or converted to the topic's compression. */
      readonly bytes: Buffer
      /** Set if the bytes start a new segment. */
      readonly roll: Roll | undefined
      /** The content of the leader epoch checkpoint, if it has to be written first. */
      readonly leaderEpochs: Buffer | undefined
      /** Transactions that are aborted by these batches. */
      readonly aborted: readonly AbortedTransactionEntry[]
    })

type Applied = { readonly aborted: readonly AbortedTransactionEntry[] }

export class LogTail {
  #config: LogConfig
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  readonly #verification = new TransactionVerification()
  #nextOffset: number
  #segment: ActiveSegment
  readonly #random: Random | undefined
  readonly #rarePoints: RarePoints | undefined
  /** Drawn for each segment, so that logs that were created together do not roll together. */
  #jitter = 0

  constructor(
    config: LogConfig,
    nextOffset: number,
    segment: ActiveSegment,
    producers: ProducerState,
    epochs: LeaderEpochs,
    {
      random,
      rarePoints,
    }: { random?: Random | undefined; rarePoints?: RarePoints | undefined } = {},
  ) {
    this.#random = random
    this.#rarePoints = rarePoints
    this.#jitter = random?.float() ?? 0
    this.#config = config
    this.#nextOffset = nextOffset
    this.#segment = segment
    this.producers = producers
    this.epochs = epochs
  }

  /** The offset of the next record. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** The largest timestamp of the first batch of the active segment, if it has one. */
  get firstTimestampMs(): number | undefined {
    return this.#segment.firstTimestampMs
  }

  /** Takes effect with the next append. */
  updateConfig(config: LogConfig): void {
    this.#config = config
  }

  /** The indexes of the segment at `baseOffset` are full. */
  indexesFull(baseOffset: number): void {
    if (this.#segment.baseOffset === baseOffset) {
      this.#segment = { ...this.#segment, indexesFull: true }
    }
  }

  /** Starts a new segment; undefined if the active one is empty. */
  roll(nowMs: number): Roll | undefined {
    if (this.#segment.sizeBytes === 0) return undefined
    return this.#startSegment(this.#nextOffset, nowMs)
  }

  /** The producer state after all accepted appends, without expired producers. */
  snapshot(nowMs: number): Buffer {
    this.producers.expire(nowMs)
    this.#verification.expire(nowMs, this.#config.producerIdExpirationMs)
    return encodeProducerSnapshot(this.producers)
  }

  /**
   * Returns the guard that a batch needs to open a transaction here. Undefined if the transaction
   * is open already, or need not be verified.
   */
  verificationFor(producer: TransactionalProducer, nowMs: number): VerificationGuard | undefined {
    const { producerId, producerEpoch, supportsEpochBump } = producer
    // In transaction version 2 the broker adds the partition to the transaction.
    if (!this.#config.transactionVerification && !supportsEpochBump) return undefined
    if (this.producers.isInTransaction(producerId, producerEpoch)) return undefined
    return this.#verification.begin(producer, nowMs)
  }

  append(bytes: Buffer, options: AppendOptions, nowMs: number): AppendDecision {
    const admitted = admitBatches(bytes, options, this.#nextOffset, this.#config, nowMs)
    if ('kind' in admitted) return admitted
    const { batches, incoming } = admitted
    const decided = this.#checkFirst(batches, options)
    if (decided) return decided
    const stampMs = this.#stampMs(options, nowMs)
    const timed = stampMs < 0 ? incoming : { ...incoming, maxTimestampMs: stampMs }
    const isForced = this.#segment.sizeBytes > 0 && this.#rarePoints?.isForced('segment rolled')
    const isDue = shouldRoll(this.#segment, timed, this.#config, nowMs, this.#jitter)
    const roll =
      isDue || isForced
        ? { baseOffset: this.#nextOffset, snapshot: this.snapshot(nowMs) }
        : undefined
    const applied = this.#apply(batches, options, stampMs, nowMs)
    if ('kind' in applied) return applied
    if (roll) this.#beginSegment(roll.baseOffset, nowMs)
    return this.#accept(admitted, stampMs, roll, applied.aborted)
  }

  /**
   * The first batch decides whether the append is new or a retry. A client retries an append
   * unchanged, so an append that is partly new is refused.
   */
  #checkFirst(batches: readonly RecordBatch[], options: AppendOptions): AppendDecision | undefined {
    if (options.origin === 'replication') return undefined
    const first = batches[0]!
    const duplicate = options.origin === 'client' ? this.producers.findDuplicate(first) : undefined
    if (duplicate === undefined) return this.#checkNext(first, options)
    let { lastOffset } = duplicate
    for (const batch of batches.slice(1)) {
      const next = this.producers.findDuplicate(batch)
      if (!next) return this.#refuseBatch(batch, ErrorCode.outOfOrderSequenceNumber)
      lastOffset = next.lastOffset
    }
    return {
      kind: 'duplicate',
      baseOffset: duplicate.lastOffset - duplicate.offsetDelta,
      lastOffset,
      logAppendTimeMs: this.#stampsRecords ? duplicate.maxTimestampMs : -1,
    }
  }

  /** The refusal if the producer must not write this batch now. */
  #checkNext(batch: RecordBatch, options: AppendOptions): Refusal | undefined {
    if (batch.producerId < 0) return undefined
    const guard = this.#verification.guardOf(batch.producerId)
    if (!this.#isVerified(batch, options, guard)) {
      return refuse(
        ErrorCode.invalidTxnState,
        `producer ${batch.producerId} has no open transaction in this partition, and none was verified`,
      )
    }
    const errorCode =
      options.origin === 'client'
        ? this.producers.checkClient(batch, guard)
        : this.producers.checkCoordinator(batch)
    return errorCode === ErrorCode.none ? undefined : this.#refuseBatch(batch, errorCode)
  }

  #isVerified(
    batch: RecordBatch,
    { verification }: AppendOptions,
    guard: VerificationGuard | undefined,
  ): boolean {
    if (!batch.isTransactional || batch.isControl || !this.#config.transactionVerification) {
      return true
    }
    if (this.producers.isInTransaction(batch.producerId, batch.producerEpoch)) return true
    return verification !== undefined && verification === guard
  }

  /** Assigns offsets and updates the producers: for all batches or, if one is refused, for none. */
  #apply(
    batches: readonly RecordBatch[],
    options: AppendOptions,
    stampMs: number,
    nowMs: number,
  ): Refusal | Applied {
    const before: [producerId: number, entry: ProducerEntry | undefined][] = []
    const aborted: AbortedTransactionEntry[] = []
    let offset = this.#nextOffset
    for (const [number, batch] of batches.entries()) {
      const isChecked = number === 0 || options.origin === 'replication'
      const refusal = isChecked ? undefined : this.#checkNext(batch, options)
      if (refusal) {
        for (const [id, entry] of before.reverse()) this.producers.restore(id, entry)
        return refusal
      }
      if (options.origin !== 'replication') {
        batch.baseOffset = offset
        batch.partitionLeaderEpoch = options.leaderEpoch
        if (stampMs >= 0) batch.setMaxTimestamp('logAppend', stampMs)
      }
      if (batches.length > 1 && batch.producerId >= 0) {
        before.push([batch.producerId, this.producers.get(batch.producerId)])
      }
      const completed = this.producers.append(batch, nowMs)
      if (completed && !completed.isCommit) aborted.push(completed)
      if (batch.isTransactional) this.#verification.end(batch.producerId)
      offset = batch.nextOffset
    }
    return { aborted }
  }

  #accept(
    { bytes, batches, incoming }: AdmittedBatches,
    stampMs: number,
    roll: Roll | undefined,
    aborted: readonly AbortedTransactionEntry[],
  ): AppendDecision {
    const first = batches[0]!
    const { lastOffset, sizeBytes } = incoming
    assert(lastOffset === batches.at(-1)!.lastOffset, 'offsets are assigned as they were counted')
    this.#nextOffset = lastOffset + 1
    const segment = this.#segment
    this.#segment = {
      ...segment,
      sizeBytes: segment.sizeBytes + sizeBytes,
      firstTimestampMs: segment.firstTimestampMs ?? first.maxTimestamp,
    }
    let epochsChanged = false
    for (const batch of batches) {
      if (this.epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)) epochsChanged = true
    }
    return {
      kind: 'accepted',
      bytes,
      baseOffset: first.baseOffset,
      lastOffset,
      logAppendTimeMs: stampMs,
      roll,
      leaderEpochs: epochsChanged ? this.epochs.encode() : undefined,
      aborted,
    }
  }

  #startSegment(baseOffset: number, nowMs: number): Roll {
    this.#beginSegment(baseOffset, nowMs)
    return { baseOffset, snapshot: this.snapshot(nowMs) }
  }

  #beginSegment(baseOffset: number, nowMs: number): void {
    this.#segment = emptySegment(baseOffset, nowMs)
    this.#jitter = this.#random?.float() ?? 0
  }

  #stampMs({ origin }: AppendOptions, nowMs: number): number {
    return this.#stampsRecords && origin !== 'replication' ? nowMs : -1
  }

  get #stampsRecords(): boolean {
    return this.#config.messageTimestampType === 'LogAppendTime'
  }

  #refuseBatch(batch: RecordBatch, errorCode: number): Refusal {
    const { producerId, producerEpoch, baseSequence } = batch
    const entry = this.producers.get(producerId)
    const last = entry?.batches.at(-1)?.lastSequence ?? -1
    return refuse(
      errorCode,
      `producer ${producerId} sent epoch ${producerEpoch}, sequence ${baseSequence}; ` +
        `the log has epoch ${entry?.producerEpoch ?? -1}, last sequence ${last}`,
    )
  }
}

function emptySegment(baseOffset: number, nowMs: number): ActiveSegment {
  return {
    baseOffset,
    sizeBytes: 0,
    createdMs: nowMs,
    firstTimestampMs: undefined,
    indexesFull: false,
  }
}
