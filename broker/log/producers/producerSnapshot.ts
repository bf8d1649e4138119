// The file format of the producer state (<offset>.snapshot): the state after all batches below the
// offset, in Kafka's format. Kafka writes one entry per producer, and so knows only its last batch
// after a restart; Millrace writes one entry per remembered batch, oldest first. In Kafka's reader
// the last entry of a producer wins, so Kafka reads these files correctly. The last entry has the
// producer's timestamp, which is that of its last marker if that came after its last batch.

import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { ByteWriter } from '../../../protocol/bytes/writer.ts'
import {
  type ProducerBatch,
  type ProducerEntry,
  ProducerState,
  rememberedBatches,
} from './producerState.ts'

const snapshotVersion = 1
const headerBytes = 6
const entryBytes = 46
const noSequence = -1

export function encodeProducerSnapshot(state: ProducerState): Buffer {
  const writer = new ByteWriter(headerBytes + 4 + state.size * entryBytes)
  writer.int16(snapshotVersion)
  writer.uint32(0)
  writer.int32(0)
  let count = 0
  for (const entry of state.entries()) count += writeProducer(writer, entry)
  writer.patchInt32(headerBytes, count)
  const bytes = writer.take()
  bytes.writeUInt32BE(crc32c(bytes, headerBytes), 2)
  return bytes
}

/**
 * Undefined if the bytes are not a sound snapshot; the caller uses an older one. The producers in
 * it count as seen at `nowMs`.
 */
export function decodeProducerSnapshot(
  bytes: Buffer,
  expirationMs: number,
  nowMs: number,
): ProducerState | undefined {
  if (bytes.length < headerBytes + 4) return undefined
  const reader = new ByteReader(bytes)
  if (reader.int16() !== snapshotVersion) return undefined
  if (reader.uint32() !== crc32c(bytes, headerBytes)) return undefined
  const count = reader.int32()
  if (count < 0 || reader.remaining !== count * entryBytes) return undefined
  const state = new ProducerState(expirationMs)
  try {
    for (let read = 0; read < count; read++) readEntry(reader, state, nowMs)
  } catch (error) {
    // A number outside the range of safe integers.
    if (error instanceof MalformedError) return undefined
    throw error
  }
  return state
}

function writeProducer(writer: ByteWriter, entry: ProducerEntry): number {
  if (entry.batches.length === 0) {
    writeEntry(writer, entry, noBatch, entry.lastTimestampMs)
    return 1
  }
  const last = entry.batches.at(-1)
  for (const batch of entry.batches) {
    const timestampMs = batch === last ? entry.lastTimestampMs : batch.maxTimestampMs
    writeEntry(writer, entry, batch, timestampMs)
  }
  return entry.batches.length
}

const noBatch = { lastSequence: noSequence, lastOffset: -1, offsetDelta: 0 }

function writeEntry(
  writer: ByteWriter,
  entry: ProducerEntry,
  batch: Omit<ProducerBatch, 'maxTimestampMs'>,
  timestampMs: number,
): void {
  writer.int64(entry.producerId)
  writer.int16(entry.producerEpoch)
  writer.int32(batch.lastSequence)
  writer.int64(batch.lastOffset)
  writer.int32(batch.offsetDelta)
  writer.int64(timestampMs)
  writer.int32(entry.coordinatorEpoch)
  writer.int64(entry.currentTxnFirstOffset)
}

function readEntry(reader: ByteReader, state: ProducerState, nowMs: number): void {
  const producerId = reader.int64()
  const producerEpoch = reader.int16()
  const lastSequence = reader.int32()
  const lastOffset = reader.int64()
  const offsetDelta = reader.int32()
  const lastTimestampMs = reader.int64()
  const coordinatorEpoch = reader.int32()
  const currentTxnFirstOffset = reader.int64()
  const before = state.get(producerId)
  const kept = before?.producerEpoch === producerEpoch ? before.batches : []
  const batch = { lastSequence, lastOffset, offsetDelta, maxTimestampMs: lastTimestampMs }
  state.restore(producerId, {
    producerId,
    producerEpoch,
    coordinatorEpoch,
    lastTimestampMs,
    currentTxnFirstOffset,
    seenMs: nowMs,
    batches:
      lastSequence === noSequence && lastOffset < 0
        ? kept
        : [...kept.slice(1 - rememberedBatches), batch],
  })
}
