// Builds the record batch of one send. The same take with the same stamp must give the same bytes:
// after a crash the broker recognizes the batch by producer, sequence number and record count.

import type { Compression } from '../../../protocol/bytes/compression.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { RecordHeader } from '../../../protocol/kafka/records/recordCursor.ts'
import type { EventBatch } from '../../event.ts'
import { encodeAvroFlumeEvent } from './avroFlumeEvent.ts'
import { keyHeader } from './eventRouting.ts'
import type { KafkaSinkSettings } from './kafkaSinkOptions.ts'
import type { KafkaStamp, Piece, StampedSend } from './kafkaStamp.ts'
import { pieceHeaders } from './splitSends.ts'

/** Approximate bytes of a record besides its value, for the initial size of the buffer. */
const recordOverheadBytes = 16

export function encodeSend(
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  stamp: KafkaStamp,
  send: StampedSend,
): Buffer {
  const builder = builderFor(settings.compression, batches, stamp, send)
  if (send.events === undefined) {
    for (const batch of batches) appendAll(builder, settings, batch, stamp.timestampMs)
  } else {
    appendSome(builder, settings, batches, stamp.timestampMs, send.events, send.piece)
  }
  return builder.build()
}

function builderFor(
  compression: Compression,
  batches: readonly EventBatch[],
  { producerId, producerEpoch }: KafkaStamp,
  { baseSequence }: StampedSend,
): RecordBatchBuilder {
  let capacityBytes = 128
  for (const batch of batches) {
    const stretch = batch.end(batch.count - 1) - batch.start(0)
    capacityBytes += stretch + batch.count * recordOverheadBytes
  }
  return new RecordBatchBuilder({
    compression,
    producerId,
    producerEpoch,
    baseSequence,
    capacityBytes,
  })
}

/**
 * The hot path: if no event has a key, headers or a timestamp of its own, a record is one range.
 */
function appendAll(
  builder: RecordBatchBuilder,
  settings: KafkaSinkSettings,
  batch: EventBatch,
  timestampMs: number,
): void {
  if (!isPlain(settings, batch)) {
    for (let index = 0; index < batch.count; index++) {
      appendEvent(builder, settings, batch, index, timestampMs)
    }
    return
  }
  const { bytes, ranges, first, count } = batch
  for (let at = first * 2, end = at + count * 2; at < end; at += 2) {
    builder.appendRange(timestampMs, bytes, ranges[at]!, ranges[at + 1]!)
  }
}

function isPlain(settings: KafkaSinkSettings, { headers, eventHeaders }: EventBatch): boolean {
  const { timestampHeader, recordHeaders, isAvro } = settings
  if (isAvro) return false
  if (eventHeaders !== undefined || keyHeader in headers || recordHeaders.size > 0) return false
  return timestampHeader === undefined || !(timestampHeader in headers)
}

function appendSome(
  builder: RecordBatchBuilder,
  settings: KafkaSinkSettings,
  batches: readonly EventBatch[],
  timestampMs: number,
  events: readonly number[],
  piece: Piece | undefined,
): void {
  let at = 0
  let firstOfBatch = 0
  for (const batch of batches) {
    for (; at < events.length && events[at]! < firstOfBatch + batch.count; at++) {
      appendEvent(builder, settings, batch, events[at]! - firstOfBatch, timestampMs, piece)
    }
    firstOfBatch += batch.count
  }
}

function appendEvent(
  builder: RecordBatchBuilder,
  settings: KafkaSinkSettings,
  batch: EventBatch,
  index: number,
  timestampMs: number,
  piece?: Piece,
): void {
  const headers = batch.headersOf(index)
  const key = headers[keyHeader]
  const recordHeaders: RecordHeader[] = []
  for (const [name, source] of settings.recordHeaders) {
    const value = headers[source]
    if (value !== undefined) recordHeaders.push({ key: name, value: Buffer.from(value) })
  }
  const partHeaders = piece === undefined ? {} : pieceHeaders(piece)
  for (const [name, value] of Object.entries(partHeaders)) {
    recordHeaders.push({ key: name, value: Buffer.from(value) })
  }
  const body = batch.body(index).subarray(piece?.from, piece?.until)
  const ownTime = Number(settings.timestampHeader && headers[settings.timestampHeader])
  builder.append(
    Number.isSafeInteger(ownTime) && ownTime > 0 ? ownTime : timestampMs,
    key === undefined ? null : Buffer.from(key),
    settings.isAvro ? encodeAvroFlumeEvent({ ...headers, ...partHeaders }, body) : body,
    recordHeaders,
  )
}
