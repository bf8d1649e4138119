// The answers of a log: assigned offsets, refusals with their reasons, whole batches within limits,
// records found by time, and held appends.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { RecordBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import {
  append,
  diskWithData,
  makeBatch,
  openLog,
  openReplica,
  readAll,
  smallConfig,
  stored,
} from './logFixture.ts'

describe('append', () => {
  test('sets offsets and the leader epoch in place, and changes nothing else', async () => {
    const log = await openLog(await diskWithData())
    const [a, b] = [makeBatch({ records: 3, label: 'a' }), makeBatch({ records: 2, label: 'b' })]
    const [storedA, storedB] = [stored(a, 0, 5), stored(b, 3, 5)]
    const result = await append(log, Buffer.concat([a, b]), 5)
    expect(result).toEqual({
      errorCode: 0,
      errorMessage: undefined,
      recordErrors: [],
      baseOffset: 0,
      lastOffset: 4,
      logAppendTimeMs: -1,
      logStartOffset: 0,
      duplicate: false,
    })
    expect(await readAll(log)).toEqual(Buffer.concat([storedA, storedB]))
    expect(log.endOffsetForEpoch(6)).toEqual({ epoch: 5, endOffset: 5 })
    await log.close()
  })

  const broken: [what: string, change: (batch: Buffer) => void, errorCode: number][] = [
    ['a wrong CRC', (batch) => batch.writeUInt8(1, batch.length - 1), ErrorCode.corruptMessage],
    ['another magic', (batch) => batch.writeInt8(1, 16), ErrorCode.invalidRecord],
    ['a length beyond its end', (batch) => batch.writeInt32BE(5000, 8), ErrorCode.corruptMessage],
    ['a negative length', (batch) => batch.writeInt32BE(-9, 8), ErrorCode.corruptMessage],
  ]
  test.each(broken)('refuses a batch with %s', async (_, change, errorCode) => {
    const log = await openLog(await diskWithData())
    const batch = makeBatch({ records: 1 })
    change(batch)
    expect(await append(log, batch)).toMatchObject({ errorCode, baseOffset: -1 })
    expect(await append(log, Buffer.concat([makeBatch({ records: 1 }), batch]))).toMatchObject({
      errorCode,
    })
    expect(log.logEndOffset).toBe(0)
    await log.close()
  })

  test('refuses oversized and empty batches, and control batches of clients', async () => {
    const config = { ...smallConfig, maxMessageBytes: 120 }
    const log = await openLog(await diskWithData(), { config })
    const large = await append(log, { records: 20 })
    expect(large.errorCode).toBe(ErrorCode.messageTooLarge)
    const many = Buffer.concat(Array.from({ length: 20 }, () => makeBatch({ records: 1 })))
    expect((await append(log, many)).errorCode).toBe(ErrorCode.recordListTooLarge)
    expect((await append(log, Buffer.alloc(0))).errorCode).toBe(ErrorCode.invalidRecord)
    const control = new RecordBatch(makeBatch({ records: 1 }))
    control.bytes.writeInt16BE(0x20, 21)
    control.setProducer(1, 0, 0)
    expect((await append(log, control.bytes)).errorCode).toBe(ErrorCode.invalidRecord)
    await log.close()
  })

  test('appends all batches of an append or none of them', async () => {
    const log = await openLog(await diskWithData())
    const of = (baseSequence: number) =>
      makeBatch({ records: 1, producerId: 4, producerEpoch: 0, baseSequence })
    const refused = await append(log, Buffer.concat([of(0), of(1), of(3)]))
    expect(refused.errorCode).toBe(ErrorCode.outOfOrderSequenceNumber)
    expect(await append(log, Buffer.concat([of(0), of(1)]))).toMatchObject({ duplicate: false })
    expect(await append(log, Buffer.concat([of(0), of(1)]))).toMatchObject({
      duplicate: true,
      baseOffset: 0,
      lastOffset: 1,
    })
    await log.close()
  })

  test('of a replica keeps offsets and epochs, and refuses offsets that decrease', async () => {
    const log = await openLog(await diskWithData())
    const batch = stored(makeBatch({ records: 2 }), 10, 3)
    expect(await log.appendAsFollower(Buffer.from(batch))).toMatchObject({ baseOffset: 10 })
    expect(await readAll(log)).toEqual(batch)
    const again = await log.appendAsFollower(Buffer.from(batch))
    expect(again.errorCode).toBe(ErrorCode.invalidRecord)
    await log.close()
  })

  test('sets the log append time if the topic requires it', async () => {
    const config = { ...smallConfig, messageTimestampType: 'LogAppendTime' as const }
    const log = await openLog(await diskWithData(), { config })
    const result = await append(log, { records: 1, timestampMs: 5 })
    const [batch] = [new RecordBatch(await readAll(log))]
    expect(result.logAppendTimeMs).toBe(Date.UTC(2026, 0, 1))
    expect(batch).toMatchObject({
      timestampType: 'logAppend',
      maxTimestamp: result.logAppendTimeMs,
    })
    expect(batch.isCrcValid()).toBe(true)
    await log.close()
  })

  test('answers a retry with the time of the first append, also after a restart', async () => {
    const config = { ...smallConfig, messageTimestampType: 'LogAppendTime' as const }
    const disk = await diskWithData()
    const clock = new ManualClock()
    const sent = (baseSequence: number) => ({
      ...{ records: 2, producerId: 4, producerEpoch: 0 },
      baseSequence,
    })
    const log = await openLog(disk, { config, clock })
    const first = await append(log, sent(0))
    clock.advance(1000)
    const second = await append(log, sent(2))
    expect(second.logAppendTimeMs).toBe(first.logAppendTimeMs + 1000)
    clock.advance(1000)
    const expectRetries = async (from: PartitionLog) => {
      expect(await append(from, sent(0))).toEqual({ ...first, duplicate: true })
      expect(await append(from, sent(2))).toEqual({ ...second, duplicate: true })
    }
    await expectRetries(log)
    await log.close()
    const { recoveryPoint } = log
    const reopened = await openLog(disk, { config, clock, recoveryPoint })
    await expectRetries(reopened)
    reopened.updateConfig(smallConfig)
    expect((await append(reopened, sent(0))).logAppendTimeMs).toBe(-1)
    await reopened.close()
  })

  test('holds appends while too many bytes are pending, and keeps the order', async () => {
    const config = { ...smallConfig, maxPendingBytes: 200 }
    const log = await openLog(await diskWithData(), { config })
    const appends = Array.from({ length: 30 }, async (_, number) => {
      const { baseOffset } = await append(log, { records: 1, label: `${number}` })
      expect(baseOffset).toBe(number)
      expect(log.pendingBytes).toBeLessThan(400)
    })
    expect(log.pendingBytes).toBeLessThan(400)
    await Promise.all(appends)
    expect(log.logEndOffset).toBe(30)
    await log.close()
    expect((await append(log, { records: 1 })).errorCode).toBe(ErrorCode.notLeaderOrFollower)
    await expect(log.read(0, 100)).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })
})

describe('read', () => {
  test('returns whole batches within the limit, at least one, and reports offsets out of range', async () => {
    const log = await openLog(await diskWithData())
    const size = makeBatch({ records: 2, label: 'x' }).length
    for (let number = 0; number < 4; number++) await append(log, { records: 2, label: 'x' })
    expect((await log.read(1, 2 * size)).bytes.length).toBe(2 * size)
    expect((await log.read(0, 3 * size - 1)).bytes.length).toBe(2 * size)
    expect((await log.read(3, 1)).bytes.length).toBe(size)
    expect((await log.read(3, 1, { minOneBatch: false })).bytes.length).toBe(0)
    expect(await log.read(8, 1000)).toMatchObject({ errorCode: 0, highWatermark: 8 })
    expect((await log.read(9, 1000)).errorCode).toBe(ErrorCode.offsetOutOfRange)
    expect((await log.read(-1, 1000)).errorCode).toBe(ErrorCode.offsetOutOfRange)
    await log.close()
  })

  test('ends at the high watermark that replication has set', async () => {
    const log = await openReplica(await diskWithData())
    let moves = 0
    const stop = log.onHighWatermark(() => moves++)
    await append(log, { records: 2 })
    expect(log.highWatermark).toBe(0)
    log.advanceHighWatermark(2)
    await append(log, { records: 2 })
    expect([moves, log.highWatermark, log.logEndOffset]).toEqual([1, 2, 4])
    expect((await log.read(2, 1000)).bytes.length).toBe(0)
    expect((await log.read(2, 1000, { upTo: 'logEnd' })).bytes.length).toBeGreaterThan(0)
    log.advanceHighWatermark(4)
    stop()
    expect(() => log.advanceHighWatermark(1)).toThrow('decreases only in a truncation')
    expect(() => log.advanceHighWatermark(5)).toThrow('does not exceed the durable end')
    await append(log, { records: 1 })
    log.advanceHighWatermark(5)
    expect([moves, log.highWatermark]).toEqual([2, 5])
    await log.close()
  })
})

test('records are found by time as a linear search finds them', async () => {
  const timestamps = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(timestamps, fc.integer({ min: 0, max: 70 }), async (times, wanted) => {
      const log = await openLog(await diskWithData(), {
        config: { ...smallConfig, segmentBytes: 700 },
      })
      for (const timestampMs of times) await append(log, { records: 2, timestampMs })
      const all = [...everyRecord(await readAll(log, 100_000))]
      const found = await log.offsetForTimestamp(wanted)
      const expected = all.find((record) => record.timestampMs >= wanted)
      expect(found).toEqual(expected && { ...expected, leaderEpoch: 0 })
      const newest = Math.max(...all.map((record) => record.timestampMs))
      const first = all.find((record) => record.timestampMs === newest)
      expect(await log.offsetOfMaxTimestamp()).toEqual({ ...first, leaderEpoch: 0 })
      await log.close()
    }),
    { numRuns: 200 },
  )
})

function* everyRecord(bytes: Buffer): Iterable<{ offset: number; timestampMs: number }> {
  for (let at = 0; at < bytes.length; ) {
    const batch = new RecordBatch(bytes, at)
    for (const { offset, timestamp } of records(batch, 1_000_000)) {
      yield { offset, timestampMs: timestamp }
    }
    at += batch.sizeInBytes
  }
}
