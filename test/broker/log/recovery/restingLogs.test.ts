// The saved state of idle logs: a start uses it, after a clean shutdown or a crash, and reads no
// file of a log that has not changed.

import { expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import {
  decodeRestingLogs,
  encodeRestingLog,
  encodeRestingLogs,
  type RestingLog,
} from '../../../../broker/log/recovery/restingLog.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { DiskFile, DiskMode } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, readValues, smallConfig } from '../logFixture.ts'

const config = { ...smallConfig, retentionMs: -1 }
const topicId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
const segment = '/data/orders-0/00000000000000000000.log'

/** Records which paths in the partition's directory are opened, listed or read. */
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

function open(disk: MemoryDisk, clock = new ManualClock()): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock,
    logger: silentLogger,
    scheduler: systemScheduler,
    directories: ['/data'],
    config,
  })
}

/** A partition with records, closed cleanly. */
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

test('logs that were closed cleanly are not read by a start, nor by periodic tasks', async () => {
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

test('a producer continues in a log that was opened from its saved state', async () => {
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

test('idle logs are not read by a start after a crash either', async () => {
  const disk = await closed()
  const before = await open(disk)
  await append(before.get('orders', 0)!, { records: 2, label: 'e' }, 5)
  await before.create('orders', 1, config, topicId)
  await before.checkpoint()
  // Every file system syncs a directory automatically after a while.
  await disk.syncDirectory('/data/orders-0')
  disk.touched = []
  disk.crash()
  const manager = await open(disk)
  expect(manager.wasCleanShutdown).toBe(false)
  expect(disk.touched).toEqual([])
  const log = manager.get('orders', 0)!
  expect([log.logEndOffset, log.highWatermark, log.segmentCount]).toEqual([93, 93, 4])
  expect([...manager.partitions()]).toMatchObject([{ topicId }, { topicId }])
  expect(await readValues(log)).toHaveLength(93)
  const batch = { records: 1, label: 'd', producerId: 7, producerEpoch: 0 }
  expect(await append(log, { ...batch, baseSequence: 0 }, 5)).toMatchObject({ duplicate: true })
  expect(await append(log, { ...batch, baseSequence: 1 }, 5)).toMatchObject({ baseOffset: 93 })
  await manager.close()
})

test('a topic deleted while its log is saved does not keep others from being saved', async () => {
  const clock = new ManualClock(1e12)
  const disk = new WatchedDisk({ nowMs: () => clock.nowMs() })
  const manager = await open(disk, clock)
  for (const topic of ['left', 'orders', 'right']) {
    await append(await manager.create(topic, 0, config, topicId), { records: 1 })
  }
  // Too recent to be saved.
  await manager.checkpoint()
  clock.advance(10_000)
  const list = disk.list.bind(disk)
  const deleted: string[] = []
  disk.list = async (path) => {
    if (path === '/data/orders-0' && deleted.length === 0) {
      deleted.push(path)
      await manager.delete({ name: 'orders', id: topicId, partitions: 1 })
    }
    return await list(path)
  }
  await manager.checkpoint()
  expect(deleted).toEqual(['/data/orders-0'])
  const noted = decodeRestingLogs((await disk.readFile('/data/resting-logs'))!)
  expect([...noted.keys()].sort()).toEqual(['left-0', 'right-0'])
  await manager.close()
})

test('the state saved by a clean shutdown survives the next start', async () => {
  const disk = await closed()
  await open(disk)
  disk.crash()
  disk.touched = []
  const manager = await open(disk)
  expect(disk.touched).toEqual([])
  expect(await readValues(manager.get('orders', 0)!)).toHaveLength(91)
  await manager.close()
})

test.each<[string, (log: PartitionLog) => Promise<unknown>, offsets: number[]]>([
  ['appended to', (log) => append(log, { records: 2 }, 5), [0, 93]],
  ['rolled', (log) => log.roll(), [0, 91]],
  ['truncated', (log) => log.truncateTo(90), [0, 90]],
  ['truncated by whole segments', (log) => log.truncateTo(60), [0, 60]],
  ['shortened by a deletion', (log) => log.deleteRecordsBefore(10), [10, 91]],
])('a log that was %s before the crash is recovered', async (_, change, offsets) => {
  const disk = await closed()
  const before = await open(disk)
  await change(before.get('orders', 0)!)
  disk.crash()
  disk.touched = []
  const manager = await open(disk)
  expect(disk.touched).toContain('/data/orders-0')
  const log = manager.get('orders', 0)!
  expect([log.logStartOffset, log.logEndOffset]).toEqual(offsets)
  await manager.close()
})

test('a recreated partition is not mistaken for the earlier one', async () => {
  const disk = await closed()
  const before = await open(disk)
  await before.delete({ name: 'orders', id: topicId, partitions: 1 })
  await before.create('orders', 0, config, topicId.replace('0f', '1f'))
  disk.crash()
  const manager = await open(disk)
  expect(manager.get('orders', 0)!.logEndOffset).toBe(0)
  expect([...manager.partitions()]).toMatchObject([{ topicId: topicId.replace('0f', '1f') }])
  await manager.close()
})

test.each([
  ['milliseconds', 1, 101],
  ['whole seconds', 1000, 2001],
])(
  'with file times in %s, the saved state of a log that has just been changed is not used',
  async (_, unitMs, marginMs) => {
    for (const [waitMs, isBelieved] of [
      [marginMs - 1, false],
      [marginMs, true],
    ] as const) {
      const clock = new ManualClock(unitMs === 1 ? 1e12 + 1 : 1e12)
      const disk = new WatchedDisk({ nowMs: () => Math.floor(clock.nowMs() / unitMs) * unitMs })
      const before = await open(disk, clock)
      await append(await before.create('orders', 0, config, topicId), { records: 3 })
      await before.checkpoint()
      clock.advance(waitMs)
      await before.checkpoint()
      disk.touched = []
      disk.crash()
      const manager = await open(disk, clock)
      expect(disk.touched.length === 0).toBe(isBelieved)
      expect(await readValues(manager.get('orders', 0)!)).toHaveLength(3)
      await manager.close()
    }
  },
)

test('a state saved at the last moment is used by the next start only', async () => {
  const clock = new ManualClock(1e12 + 1)
  const disk = new WatchedDisk({ nowMs: () => clock.nowMs() })
  const first = await open(disk, clock)
  await append(await first.create('orders', 0, config, topicId), { records: 3 })
  await first.close()
  disk.touched = []
  const second = await open(disk, clock)
  expect(disk.touched).toEqual([])
  // In the same tick of the file system's clock: leaves no visible trace.
  await second.get('orders', 0)!.roll()
  disk.crash()
  const third = await open(disk, clock)
  expect(disk.touched).toContain('/data/orders-0')
  expect(third.get('orders', 0)!.segmentCount).toBe(2)
  await third.close()
})

test('a log whose directory has changed names is recovered', async () => {
  const disk = await closed()
  await disk.remove('/data/orders-0/00000000000000000000.index')
  const manager = await open(disk)
  expect(disk.touched).toContain('/data/orders-0')
  expect(await readValues(manager.get('orders', 0)!)).toHaveLength(91)
  await manager.close()
})

test('a partition whose directory was removed is not opened', async () => {
  const disk = await closed()
  await disk.remove('/data/orders-0')
  const manager = await open(disk)
  expect(manager.get('orders', 0)).toBeUndefined()
  await manager.close()
})

test('a last segment that does not end where it did is damage, found before any write', async () => {
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

test('a saved state is read back unchanged, or not at all', () => {
  const log: RestingLog = {
    topicId: undefined,
    directoryModifiedMs: 1234.5,
    fileModifiedMs: 1233.25,
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
  const bytes = encodeRestingLogs([...logs].map(([name, each]) => encodeRestingLog(name, each)))
  expect(decodeRestingLogs(bytes)).toEqual(logs)
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 4
    expect(decodeRestingLogs(damaged).size).toBe(0)
    expect(decodeRestingLogs(bytes.subarray(0, at)).size).toBe(0)
  }
})
