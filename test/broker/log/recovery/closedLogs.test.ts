// What an orderly end writes down of all logs: the next start believes it, and touches no log, unless
// something has changed.

import { expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import {
  type ClosedLog,
  decodeClosedLogs,
  encodeClosedLogs,
} from '../../../../broker/log/recovery/closedLog.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { DiskFile, DiskMode } from '../../../../protocol/runtime/disk.ts'
import { silentLogger } from '../../../../protocol/telemetry/logger.ts'
import { ManualClock } from '../../../manualClock.ts'
import { MemoryDisk } from '../../../memoryDisk.ts'
import { append, readValues, smallConfig } from '../logFixture.ts'

const config = { ...smallConfig, retentionMs: -1 }
const topicId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
const segment = '/data/orders-0/00000000000000000000.log'

/** Notes what is opened, listed or read in the partition's directory. */
class WatchedDisk extends MemoryDisk {
  touched: string[] = []

  override open(path: string, mode: DiskMode): Promise<DiskFile> {
    this.#note(path)
    return super.open(path, mode)
  }

  override list(path: string): Promise<string[]> {
    this.#note(path)
    return super.list(path)
  }

  override readFile(path: string): Promise<Buffer | undefined> {
    this.#note(path)
    return super.readFile(path)
  }

  #note(path: string): void {
    if (path.startsWith('/data/orders')) this.touched.push(path)
  }
}

function open(disk: MemoryDisk): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock: new ManualClock(),
    logger: silentLogger,
    directories: ['/data'],
    config,
  })
}

/** A partition with records, closed in order. */
async function closed(): Promise<WatchedDisk> {
  const disk = new WatchedDisk()
  const manager = await open(disk)
  const log = await manager.create('orders', 0, config, topicId)
  for (const label of ['a', 'b', 'c']) {
    await append(log, { records: 30, label }, 5)
    await log.roll()
  }
  await append(log, { records: 1, label: 'd', producerId: 7, producerEpoch: 0, baseSequence: 0 }, 5)
  await manager.close()
  disk.touched = []
  return disk
}

test('logs closed in order are not touched by a start, nor by what is done from time to time', async () => {
  const disk = await closed()
  const manager = await open(disk)
  const log = manager.get('orders', 0)!
  expect([log.logEndOffset, log.highWatermark, log.segmentCount]).toEqual([91, 91, 4])
  expect(log.endOffsetForEpoch(5)).toEqual({ epoch: 5, endOffset: 91 })
  expect([...log.producers()]).toMatchObject([{ producerId: 7 }])
  expect([...manager.partitions()]).toMatchObject([{ topicId }])
  await manager.checkpoint()
  await manager.applyRetention()
  expect((await log.read(91, 100)).bytes).toHaveLength(0)
  expect(disk.touched).toEqual([])
  expect(await readValues(log)).toHaveLength(91)
  await manager.close()
})

test('a producer goes on in a log that was taken up again', async () => {
  const manager = await open(await closed())
  const log = manager.get('orders', 0)!
  const batch = { records: 1, label: 'd', producerId: 7, producerEpoch: 0 }
  expect(await append(log, { ...batch, baseSequence: 0 }, 5)).toMatchObject({ duplicate: true })
  expect(await append(log, { ...batch, baseSequence: 1 }, 5)).toMatchObject({ baseOffset: 91 })
  await log.roll()
  expect(await readValues(log)).toHaveLength(92)
  expect(await log.offsetOfMaxTimestamp()).toMatchObject({ offset: 29 })
  await manager.close()
})

test('a crash after the start is recovered as any other', async () => {
  const disk = await closed()
  const before = await open(disk)
  await append(before.get('orders', 0)!, { records: 2, label: 'e' }, 5)
  disk.crash()
  const manager = await open(disk)
  expect(manager.wasCleanShutdown).toBe(false)
  expect(await readValues(manager.get('orders', 0)!)).toHaveLength(93)
  await manager.close()
})

test('a directory whose names have changed is looked into', async () => {
  const disk = await closed()
  await disk.remove('/data/orders-0/00000000000000000000.index')
  const manager = await open(disk)
  expect(disk.touched).toContain('/data/orders-0')
  expect(await readValues(manager.get('orders', 0)!)).toHaveLength(91)
  await manager.close()
})

test('a partition whose directory is gone is gone', async () => {
  const disk = await closed()
  await disk.remove('/data/orders-0')
  const manager = await open(disk)
  expect(manager.get('orders', 0)).toBeUndefined()
  await manager.close()
})

test('a last segment that does not end where it did is damage, before anything is written', async () => {
  const disk = await closed()
  const last = (await disk.list('/data/orders-0')).filter((name) => name.endsWith('.log')).at(-1)!
  const file = await disk.open(`/data/orders-0/${last}`, 'write')
  const { sizeBytes } = await file.stat()
  await file.write([Buffer.from('more')], sizeBytes)
  const manager = await open(disk)
  const log = manager.get('orders', 0)!
  expect(await append(log, { records: 1 }, 5)).toMatchObject({
    errorCode: ErrorCode.kafkaStorageError,
  })
  expect(log.offline).toMatchObject({ code: 'LOG_CORRUPT' })
  expect((await file.stat()).sizeBytes).toBe(sizeBytes + 4)
  await manager.close()
})

test('a new partition has its first segment durably', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  const log = await manager.create('orders', 0, config, topicId)
  await append(log, { records: 1, label: 'kept' })
  disk.crash()
  expect(await disk.stat(segment)).toBeDefined()
  const again = await open(disk)
  expect([...again.partitions()]).toMatchObject([{ topicId }])
  expect(await readValues(again.get('orders', 0)!)).toEqual(['kept/0'])
  await again.close()
})

test('what is written down is read again, or not at all', () => {
  const log: ClosedLog = {
    topicId: undefined,
    directoryModifiedMs: 1234.5,
    logStartOffset: 3,
    logEndOffset: 12,
    segments: [
      { baseOffset: 0, sizeBytes: 100, largestTimestampMs: undefined },
      { baseOffset: 10, sizeBytes: 20, largestTimestampMs: 77 },
    ],
    firstTimestampMs: 70,
    epochs: [{ epoch: 2, startOffset: 3 }],
    producers: Buffer.from('bytes'),
  }
  const logs = new Map([
    ['orders-0', log],
    ['orders-1', { ...log, topicId, producers: undefined, firstTimestampMs: undefined }],
  ])
  const bytes = encodeClosedLogs(logs)
  expect(decodeClosedLogs(bytes)).toEqual(logs)
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 4
    expect(decodeClosedLogs(damaged).size).toBe(0)
    expect(decodeClosedLogs(bytes.subarray(0, at)).size).toBe(0)
  }
})
