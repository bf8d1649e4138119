// Where the next batch goes: checks what is to be appended, gives it offsets and the leader epoch in
// place, and decides when a new segment begins. A state machine that runs ahead of the disk: what it
// has accepted may still be waiting to be written, so nothing it says may be shown to a reader.

import { MalformedError } from '../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  recordBatchOverheadBytes,
  validateBatch,
} from '../../protocol/kafka/recordBatch.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { AppendOptions } from './appendResult.ts'
import type { LeaderEpochs } from './leaderEpochs.ts'
import type { LogConfig } from './logConfig.ts'
import { encodeProducerSnapshot } from './producerSnapshot.ts'
import type { ProducerEntry, ProducerState } from './producerState.ts'
import { type ActiveSegment, type Incoming, shouldRoll } from './rollPolicy.ts'

/** A new segment begins: its base offset, and the producer state at that offset for a snapshot. */
export interface Roll {
  readonly baseOffset: number
  readonly snapshot: Buffer
}

export type AppendDecision =
  | { readonly kind: 'refused'; readonly errorCode: number; readonly message: string }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly lastOffset: number }
  | {
      readonly kind: 'accepted'
      readonly baseOffset: number
      readonly lastOffset: number
      readonly logAppendTimeMs: number
      /** Set when the bytes begin a new segment. */
      readonly roll: Roll | undefined
      /** The text of the leader epoch checkpoint, when it has to be written first. */
      readonly leaderEpochs: Buffer | undefined
    }

type Refusal = Extract<AppendDecision, { kind: 'refused' }>
type SizedBatches = { readonly batches: RecordBatch[]; readonly incoming: Incoming }

export class LogTail {
  #config: LogConfig
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  #nextOffset: number
  #segment: ActiveSegment

  constructor(
    config: LogConfig,
    nextOffset: number,
    segment: ActiveSegment,
    producers: ProducerState,
    epochs: LeaderEpochs,
  ) {
    this.#config = config
    this.#nextOffset = nextOffset
    this.#segment = segment
    this.producers = producers
    this.epochs = epochs
  }

  /** The offset that the next record gets. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Counts from the next append on. */
  updateConfig(config: LogConfig): void {
    this.#config = config
  }

  /** Told when the indexes of the segment at `baseOffset` have no room left. */
  indexesFull(baseOffset: number): void {
    if (this.#segment.baseOffset === baseOffset) {
      this.#segment = { ...this.#segment, indexesFull: true }
    }
  }

  /** Begins a new segment now; undefined when the active one is empty. */
  roll(nowMs: number): Roll | undefined {
    if (this.#segment.sizeBytes === 0) return undefined
    return this.#startSegment(this.#nextOffset, nowMs)
  }

  append(bytes: Buffer, options: AppendOptions, nowMs: number): AppendDecision {
    const checked = this.#checkHeaders(bytes, options)
    if ('kind' in checked) return checked
    const { batches, incoming } = checked
    const repeated = options.origin === 'client' ? this.#checkFirst(batches) : undefined
    if (repeated) return repeated
    const stampMs = this.#stampMs(options, nowMs)
    const timed = stampMs < 0 ? incoming : { ...incoming, maxTimestampMs: stampMs }
    const roll = shouldRoll(this.#segment, timed, this.#config, nowMs)
      ? { baseOffset: this.#baseOffset(batches, options), snapshot: this.#snapshot(nowMs) }
      : undefined
    const refusal = this.#apply(batches, options, stampMs, nowMs)
    if (refusal) return refusal
    if (roll) this.#segment = emptySegment(roll.baseOffset, nowMs)
    return this.#accept(batches, incoming, stampMs, roll)
  }

  /** The headers alone: sizes, magic, CRC, counts, offsets where they are given. */
  #checkHeaders(bytes: Buffer, options: AppendOptions): Refusal | SizedBatches {
    const batches: RecordBatch[] = []
    let nextOffset = this.#nextOffset
    let maxTimestampMs = -1
    for (let at = 0; at < bytes.length; ) {
      if (bytes.length - at < recordBatchOverheadBytes) {
        return refuse(ErrorCode.corruptMessage, 'record batch cut short')
      }
      const batch = new RecordBatch(bytes, at)
      const refusal = this.#checkHeader(batch, options, nextOffset)
      if (refusal) return refusal
      nextOffset =
        options.origin === 'replication' ? batch.nextOffset : nextOffset + batch.lastOffsetDelta + 1
      if (batch.maxTimestamp > maxTimestampMs) maxTimestampMs = batch.maxTimestamp
      batches.push(batch)
      at += batch.sizeInBytes
    }
    if (batches.length === 0) return refuse(ErrorCode.invalidRecord, 'no record batch')
    if (bytes.length > this.#config.segmentBytes) {
      return refuse(ErrorCode.recordListTooLarge, `${bytes.length} bytes do not fit in a segment`)
    }
    const lastOffset = nextOffset - 1
    return { batches, incoming: { sizeBytes: bytes.length, lastOffset, maxTimestampMs } }
  }

  #checkHeader(
    batch: RecordBatch,
    { origin }: AppendOptions,
    nextOffset: number,
  ): Refusal | undefined {
    const { maxMessageBytes, messageTimestampType } = this.#config
    if (origin === 'client' && batch.isComplete() && batch.sizeInBytes > maxMessageBytes) {
      const size = `${batch.sizeInBytes} bytes, max.message.bytes is ${maxMessageBytes}`
      return refuse(ErrorCode.messageTooLarge, `record batch of ${size}`)
    }
    try {
      validateBatch(batch, { maxBytes: Number.MAX_SAFE_INTEGER })
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      const code = batch.isCrcValid() ? ErrorCode.invalidRecord : ErrorCode.corruptMessage
      return refuse(code, error.message)
    }
    if (origin === 'replication') {
      if (batch.baseOffset >= nextOffset) return undefined
      return refuse(ErrorCode.invalidRecord, `offset ${batch.baseOffset} after ${nextOffset - 1}`)
    }
    return origin === 'client' ? checkClientBatch(batch, messageTimestampType) : undefined
  }

  /**
   * The first batch decides what the whole append is: new, or sent before. A client repeats what it
   * sent as it was, so an append that is partly new is nothing any client sends.
   */
  #checkFirst(batches: RecordBatch[]): AppendDecision | undefined {
    const { errorCode, duplicate } = this.producers.check(batches[0]!)
    if (errorCode !== ErrorCode.none) return this.#refuseSequence(batches[0]!, errorCode)
    if (duplicate === undefined) return undefined
    let lastOffset = duplicate.lastOffset
    for (const batch of batches.slice(1)) {
      const check = this.producers.check(batch)
      if (!check.duplicate) {
        return this.#refuseSequence(batch, ErrorCode.outOfOrderSequenceNumber)
      }
      lastOffset = check.duplicate.lastOffset
    }
    return {
      kind: 'duplicate',
      baseOffset: duplicate.lastOffset - duplicate.offsetDelta,
      lastOffset,
    }
  }

  /** Gives offsets and remembers the producers: of all batches, or, when one is refused, of none. */
  #apply(
    batches: RecordBatch[],
    options: AppendOptions,
    stampMs: number,
    nowMs: number,
  ): Refusal | undefined {
    const before: [producerId: number, entry: ProducerEntry | undefined][] = []
    let offset = this.#nextOffset
    for (const [number, batch] of batches.entries()) {
      if (number > 0 && options.origin === 'client') {
        const { errorCode, duplicate } = this.producers.check(batch)
        if (errorCode !== ErrorCode.none || duplicate !== undefined) {
          for (const [producerId, entry] of before.reverse()) {
            this.producers.restore(producerId, entry)
          }
          return this.#refuseSequence(batch, errorCode || ErrorCode.outOfOrderSequenceNumber)
        }
      }
      if (options.origin !== 'replication') {
        batch.baseOffset = offset
        batch.partitionLeaderEpoch = options.leaderEpoch
        if (stampMs >= 0) batch.setMaxTimestamp('logAppend', stampMs)
      }
      if (batches.length > 1 && batch.producerId >= 0) {
        before.push([batch.producerId, this.producers.get(batch.producerId)])
      }
      this.producers.append(batch, nowMs)
      offset = batch.nextOffset
    }
    return undefined
  }

  #accept(
    batches: RecordBatch[],
    incoming: Incoming,
    stampMs: number,
    roll: Roll | undefined,
  ): AppendDecision {
    const first = batches[0]!
    const { lastOffset, sizeBytes } = incoming
    assert(lastOffset === batches.at(-1)!.lastOffset, 'offsets were given as they were counted')
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
      baseOffset: first.baseOffset,
      lastOffset,
      logAppendTimeMs: stampMs,
      roll,
      leaderEpochs: epochsChanged ? this.epochs.encode() : undefined,
    }
  }

  #startSegment(baseOffset: number, nowMs: number): Roll {
    this.#segment = emptySegment(baseOffset, nowMs)
    return { baseOffset, snapshot: this.#snapshot(nowMs) }
  }

  #snapshot(nowMs: number): Buffer {
    this.producers.expire(nowMs)
    return encodeProducerSnapshot(this.producers)
  }

  #baseOffset(batches: RecordBatch[], { origin }: AppendOptions): number {
    return origin === 'replication' ? batches[0]!.baseOffset : this.#nextOffset
  }

  #stampMs({ origin }: AppendOptions, nowMs: number): number {
    const own = this.#config.messageTimestampType === 'LogAppendTime' && origin !== 'replication'
    return own ? nowMs : -1
  }

  #refuseSequence(batch: RecordBatch, errorCode: number): Refusal {
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

function checkClientBatch(
  batch: RecordBatch,
  timestampType: LogConfig['messageTimestampType'],
): Refusal | undefined {
  if (batch.isControl) return refuse(ErrorCode.invalidRecord, 'clients write no control batches')
  if (batch.recordCount !== batch.lastOffsetDelta + 1) {
    const counts = `${batch.recordCount} records in ${batch.lastOffsetDelta + 1} offsets`
    return refuse(ErrorCode.invalidRecord, counts)
  }
  if (batch.timestampType === 'logAppend' && timestampType === 'CreateTime') {
    return refuse(ErrorCode.invalidTimestamp, 'a client must not send log append times')
  }
  return undefined
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

function refuse(errorCode: number, message: string): Refusal {
  return { kind: 'refused', errorCode, message }
}
