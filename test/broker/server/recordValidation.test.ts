// Batches whose records contradict their header: those that no consumer could read are refused, in
// every codec, and the largest timestamp is computed from the records.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Compression, compress } from '../../../protocol/bytes/compression.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  RecordBatchField,
  recordBatchOverheadBytes,
  validateBatch,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { withRecords } from '../../fuzz/forgedBatches.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'

const hourMs = 3_600_000
const codecs = Object.entries(Compression)

describe('records that clients send', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    await broker.clock.advance(1000 * hourMs)
    client = await broker.client()
    await create('t')
  })

  afterEach(() => broker.stop())

  const create = async (name: string, configs: Record<string, string> = {}) => {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const counts = { numPartitions: 1, replicationFactor: -1, assignments: [] }
    const topics = [{ name, ...counts, configs: entries }]
    await client.send(createTopics, 7, { topics, timeoutMs: 1000 })
  }

  const send = async (batch: Buffer, topic = 't') => {
    const topicData = [{ name: topic, partitionData: [{ index: 0, records: batch }] }]
    const answer = await client.send(produce, 9, { acks: -1, timeoutMs: 1000, topicData })
    return answer.responses[0]!.partitionResponses[0]!
  }

  const offsetAt = async (timestamp: number, topic = 't') => {
    const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }]
    const answer = await client.send(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics })
    return answer.topics[0]!.partitions[0]!
  }

  const stored = async (topic = 't', fetchOffset = 0) => {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000 }]
    const topics = [{ topic, partitions }]
    const answer = await client.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, topics })
    const batch = new RecordBatch(answer.responses[0]!.partitions[0]!.records!)
    validateBatch(batch, { maxBytes: 10_000 })
    return batch
  }

  describe('that no consumer could read', () => {
    const forged: [name: string, forge: (records: Buffer, header: Buffer) => Buffer][] = [
      ['random bytes', () => Buffer.from('e5a9f0c41b', 'hex')],
      ['no records at all', () => Buffer.alloc(0)],
      ['fewer records than the header counts', (bytes) => bytes.subarray(0, bytes.length / 3)],
      ['more records than the header counts', (bytes) => Buffer.concat([bytes, bytes])],
      ['bytes after the last record', (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
      ['a record cut short', (bytes) => bytes.subarray(0, -1)],
      ['a record shorter than its fields', (bytes) => changed(bytes, 0, 2 * 8)],
      ['offset deltas with a gap', (bytes) => changed(bytes, bytes.length / 3 + 3, 2 * 2)],
      ['the same offset delta twice', (bytes) => changed(bytes, bytes.length / 3 + 3, 0)],
      ['a key longer than its record', (bytes) => changed(bytes, 4, 2 * 60)],
      ['a value longer than its record', (bytes) => changed(bytes, 7, 2 * 60)],
      ['a negative number of headers', (bytes) => changed(bytes, 10, 1)],
      ['more headers than there are', (bytes) => changed(bytes, 10, 2 * 2)],
      ['a header without a name', (bytes) => changed(bytes, 11, 1)],
      [
        'another number of offsets than of records',
        (bytes, header) => {
          header.writeInt32BE(3, RecordBatchField.lastOffsetDelta)
          return bytes
        },
      ],
    ]

    it.each(codecs)('are refused in %s', async (_, codec) => {
      const now = broker.clock.nowMs()
      for (const [name, forge] of forged) {
        const batch = Buffer.from(batchAt(now, now, now))
        const bytes = forge(Buffer.from(batch.subarray(recordBatchOverheadBytes)), batch)
        const answer = await send(withRecords(batch, codec, compress(codec, bytes)))
        expect({ name, ...answer }).toMatchObject({
          name,
          errorCode: ErrorCode.invalidRecord,
          baseOffset: -1,
          errorMessage: expect.stringMatching(/./),
        })
      }
      const batch = batchAt(now, now, now)
      const compressed = compress(codec, batch.subarray(recordBatchOverheadBytes))
      expect(await send(withRecords(batch, codec, compressed))).toMatchObject({
        errorCode: 0,
        baseOffset: 0,
      })
    })

    it('are refused when they cannot be decompressed', async () => {
      const now = broker.clock.nowMs()
      for (const [, codec] of codecs.slice(1)) {
        const sound = compress(codec, batchAt(now).subarray(recordBatchOverheadBytes))
        for (const bytes of [
          Buffer.from('no such stream'),
          sound.subarray(0, -3),
          Buffer.alloc(0),
        ]) {
          const answer = await send(withRecords(batchAt(now), codec, bytes))
          expect({ codec, ...answer }).toMatchObject({ codec, errorCode: ErrorCode.invalidRecord })
        }
      }
    })

    it('are named by their index in the batch', async () => {
      const now = broker.clock.nowMs()
      const batch = batchAt(now, now, now)
      const bytes = Buffer.from(batch.subarray(recordBatchOverheadBytes))
      const third = changed(bytes, (2 * bytes.length) / 3 + 4, 2 * 60)
      expect(await send(withRecords(batch, Compression.none, third))).toMatchObject({
        errorCode: ErrorCode.invalidRecord,
        recordErrors: [{ batchIndex: 2, batchIndexErrorMessage: expect.stringMatching(/field/) }],
      })
    })

    it('are refused as corrupt when the CRC does not match', async () => {
      const batch = Buffer.from(batchAt(broker.clock.nowMs()))
      batch[batch.length - 1]! ^= 1
      expect(await send(batch)).toMatchObject({ errorCode: ErrorCode.corruptMessage })
    })
  })

  describe('with a false largest timestamp in the header', () => {
    it.each(codecs)('are found by time, in %s', async (_, codec) => {
      const now = broker.clock.nowMs()
      const batch = compressed(codec, batchAt(now - 30, now - 10, now - 20))
      expect(await send(claiming(batch, -1))).toMatchObject({ errorCode: 0 })
      expect(await offsetAt(now - 15)).toMatchObject({ offset: 1, timestamp: now - 10 })
      expect(await offsetAt(-3)).toMatchObject({ timestamp: now - 10 })
      const found = await stored()
      expect(found).toMatchObject({ maxTimestamp: now - 10, timestampType: 'create' })
      expect([...records(found, 1000)].map(({ timestamp }) => timestamp)).toEqual([
        now - 30,
        now - 10,
        now - 20,
      ])
      await broker.crash()
      client = await broker.client()
      expect(await offsetAt(now - 15)).toMatchObject({ offset: 1, timestamp: now - 10 })
    })

    it('do not get a largest timestamp that no record has', async () => {
      const now = broker.clock.nowMs()
      expect(await send(claiming(batchAt(now - 10), now + 1000 * hourMs))).toMatchObject({
        errorCode: 0,
      })
      expect(await stored()).toMatchObject({ maxTimestamp: now - 10 })
      expect(await offsetAt(now)).toMatchObject({ offset: -1 })
    })

    it('are refused for a record too far in the future', async () => {
      const now = broker.clock.nowMs()
      const answer = await send(claiming(batchAt(now, now + 2 * hourMs), now))
      expect(answer).toMatchObject({
        errorCode: ErrorCode.invalidTimestamp,
        recordErrors: [{ batchIndex: 1 }],
      })
    })

    it('are refused for a record too far in the past', async () => {
      await create('recent', { 'message.timestamp.before.max.ms': '1000' })
      const now = broker.clock.nowMs()
      expect(await send(claiming(batchAt(now, now - 1001), now), 'recent')).toMatchObject({
        errorCode: ErrorCode.invalidTimestamp,
        recordErrors: [{ batchIndex: 1 }],
      })
      expect(await send(claiming(batchAt(now, now - 1000, -1), now), 'recent')).toMatchObject({
        errorCode: 0,
      })
    })

    it('are retained by the timestamps of their records', async () => {
      const configs = { 'retention.ms': `${10 * hourMs}`, 'segment.ms': `${hourMs}` }
      await create('old', configs)
      await create('new', configs)
      const now = broker.clock.nowMs()
      await send(claiming(batchAt(now - 20 * hourMs), now), 'old')
      await send(claiming(batchAt(now), -1), 'new')
      await broker.clock.advance(6 * 60_000)
      expect(await offsetAt(-2, 'old')).toMatchObject({ offset: 1 })
      expect(await offsetAt(-2, 'new')).toMatchObject({ offset: 0 })
    })

    it('get the time of the append with LogAppendTime', async () => {
      await create('stamped', { 'message.timestamp.type': 'LogAppendTime' })
      const now = broker.clock.nowMs()
      expect(await send(claiming(batchAt(5, 7), -1), 'stamped')).toMatchObject({
        errorCode: 0,
        logAppendTimeMs: now,
      })
      expect(await stored('stamped')).toMatchObject({
        maxTimestamp: now,
        timestampType: 'logAppend',
      })
      const [name, unreadable] = ['stamped', withRecords(batchAt(5), 0, Buffer.alloc(9))]
      expect(await send(unreadable, name)).toMatchObject({ errorCode: ErrorCode.invalidRecord })
    })
  })
})

/** Returns records of equal length: key "k", value "v", one header "h" of "x". */
function batchAt(...timestamps: number[]): Buffer {
  const builder = new RecordBatchBuilder()
  for (const timestampMs of timestamps) {
    const headers = [{ key: 'h', value: Buffer.from('x') }]
    builder.append(timestampMs, Buffer.from('kk'), Buffer.from('vv'), headers)
  }
  return builder.build()
}

function compressed(codec: Compression, batch: Buffer): Buffer {
  return withRecords(batch, codec, compress(codec, batch.subarray(recordBatchOverheadBytes)))
}

/** Returns the batch with another largest timestamp in its header. */
function claiming(batch: Buffer, maxTimestamp: number): Buffer {
  new RecordBatch(batch).setMaxTimestamp('create', maxTimestamp)
  return batch
}

function changed(bytes: Buffer, at: number, byte: number): Buffer {
  bytes[at] = byte
  return bytes
}
