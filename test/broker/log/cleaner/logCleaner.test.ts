// Which log is compacted when, and what happens to logs that cannot be compacted.

import { describe, expect, test } from 'vitest'
import { LogCleaner, type LogCleanerOptions } from '../../../../broker/log/cleaner/logCleaner.ts'
import {
  CleanerCheckpoint,
  cleanerCheckpointFile,
} from '../../../../broker/log/directory/cleanerCheckpoint.ts'
import { readOffsetCheckpoint } from '../../../../broker/log/directory/offsetCheckpoint.ts'
import type { LogConfig } from '../../../../broker/log/logConfig.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { Compression } from '../../../../protocol/bytes/compression.ts'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'
import { diskWithData, openLog } from '../logFixture.ts'
import {
  appendWhole,
  compactConfig,
  type KeyedRecord,
  keyedBatch,
  readRecords,
} from './cleaningFixture.ts'

const backoffMs = 15_000

async function cleaning(config: Partial<LogConfig>, options: Partial<LogCleanerOptions> = {}) {
  let isFull = false
  let cleanedWrites = 0
  const beforeChange = (operation: string, path: string) => {
    if (operation !== 'write' || !path.endsWith('.log.cleaned')) return
    cleanedWrites++
    if (!isFull) return
    throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
  }
  const disk = await diskWithData(new MemoryDisk({ beforeChange }))
  const fill = (full: boolean) => {
    isFull = full
  }
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  const { lines } = logger
  const managed: { topic: string; partition: number; log: PartitionLog }[] = []
  const checkpoint = new CleanerCheckpoint(disk, '/data', new Map(), () => managed)
  const directory = { cleanerCheckpoint: checkpoint, partitions: () => managed }
  /** The settings of the cleaner: tests change them while it runs. */
  const settings = {
    disk,
    clock,
    logger,
    directories: [directory],
    backoffMs,
    dedupeBufferBytes: 1_000_000,
    ioBufferBytes: 512 * 1024,
    ioMaxBytesPerSecond: Number.POSITIVE_INFINITY,
    ...options,
  }
  const cleaner = new LogCleaner(settings)
  /** A log with this many values of one key, each in a batch, in one sealed segment. */
  const addLog = async (topic: string, values: number, onDisk: Disk = disk) => {
    const log = await openLog(onDisk, {
      clock,
      directory: `/data/${topic}-0`,
      config: { ...compactConfig, segmentBytes: 10_000, ...config },
    })
    managed.push({ topic, partition: 0, log })
    await addValues(log, values)
    return log
  }
  const addValues = async (log: PartitionLog, values: number) => {
    const timestampMs = clock.nowMs()
    for (let value = 0; value < values; value++) {
      await appendWhole(log, keyedBatch([['key', String(value)]], { timestampMs }))
    }
    await log.roll()
  }
  const writes = () => cleanedWrites
  return { disk, clock, lines, checkpoint, settings, cleaner, addLog, addValues, fill, writes }
}

async function values(log: PartitionLog): Promise<number> {
  return (await readRecords(log)).length
}

describe('the chosen log', () => {
  test('is the dirtiest one; none if all are clean enough', async () => {
    const { cleaner, checkpoint, addLog, addValues } = await cleaning({})
    const half = await addLog('half', 4)
    await cleaner.cleanDirtiest()
    expect(await values(half)).toBe(1)
    await addValues(half, 2)
    const all = await addLog('all', 4)
    expect(await cleaner.cleanDirtiest()).toBe(true)
    expect([await values(half), await values(all)]).toEqual([3, 1])
    expect(await cleaner.cleanDirtiest()).toBe(true)
    expect([await values(half), await values(all)]).toEqual([1, 1])
    expect(await cleaner.cleanDirtiest()).toBe(false)
    expect(checkpoint.get({ topic: 'half', partition: 0 })).toBe(6)
  })

  test('is never a log without compaction, or one that is not dirty enough', async () => {
    const { cleaner, addLog } = await cleaning({ minCleanableDirtyRatio: 1 })
    await addLog('all-new', 4)
    expect(await cleaner.cleanDirtiest()).toBe(false)
    const other = await cleaning({ cleanupPolicy: { delete: true, compact: false } })
    await other.addLog('deleted', 4)
    expect(await other.cleaner.cleanDirtiest()).toBe(false)
  })

  test('is none before min.compaction.lag.ms', async () => {
    const { cleaner, clock, addLog } = await cleaning({ minCompactionLagMs: 1000 })
    const log = await addLog('young', 4)
    clock.advance(999)
    expect(await cleaner.cleanDirtiest()).toBe(false)
    clock.advance(1)
    expect(await cleaner.cleanDirtiest()).toBe(true)
    expect(await values(log)).toBe(1)
  })

  test('is an almost clean one after max.compaction.lag.ms', async () => {
    const config = { minCleanableDirtyRatio: 1, maxCompactionLagMs: 1000 }
    const { cleaner, clock, addLog } = await cleaning(config)
    const log = await addLog('old', 4)
    clock.advance(1000)
    expect(await cleaner.cleanDirtiest()).toBe(false)
    clock.advance(1)
    expect(await cleaner.cleanDirtiest()).toBe(true)
    expect(await values(log)).toBe(1)
  })

  test('is chosen every log.cleaner.backoff.ms, until the cleaner is closed', async () => {
    const { cleaner, clock, addLog, addValues } = await cleaning({})
    cleaner.start()
    await clock.advanceAndSettle(0)
    const log = await addLog('topic', 3)
    await clock.advanceAndSettle(backoffMs - 1)
    expect(await values(log)).toBe(3)
    await clock.advanceAndSettle(1)
    expect(await values(log)).toBe(1)
    await cleaner.close()
    await addValues(log, 5)
    await clock.advanceAndSettle(10 * backoffMs)
    expect(await values(log)).toBe(6)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a log that cannot be compacted', () => {
  test('is logged once, with file and position, and does not block others', async () => {
    const { cleaner, disk, lines, addLog } = await cleaning({})
    const damaged = await addLog('damaged', 9)
    const sound = await addLog('sound', 3)
    const path = '/data/damaged-0/00000000000000000000.log'
    const file = await disk.open(path, 'write')
    await file.write([Buffer.from('?')], 70)
    while (await cleaner.cleanDirtiest());
    expect([await values(sound), damaged.segmentCount]).toEqual([1, 2])
    const errors = lines.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]!.fields).toMatchObject({ topic: 'damaged', partition: 0 })
    expect(String(errors[0]!.fields.error)).toContain(`${path} is damaged at byte 0`)
    expect(damaged.offline).toMatchObject({ code: 'LOG_CORRUPT' })
  })

  test('is not set aside if the disk was full', async () => {
    const { cleaner, lines, addLog, fill } = await cleaning({})
    const log = await addLog('large', 9)
    fill(true)
    for (let round = 0; round < 3; round++) expect(await cleaner.cleanDirtiest()).toBe(false)
    const logged = () => lines.map(({ level, message }) => [level, message])
    const begun = ['warn', 'failed to compact a log; retried']
    expect(logged()).toEqual([begun])
    fill(false)
    expect(await cleaner.cleanDirtiest()).toBe(true)
    expect(await values(log)).toBe(1)
    const over = ['info', 'logs are compacted again']
    expect(logged()).toEqual([begun, over, ['info', 'log compacted']])
    expect(lines[1]!.fields).toMatchObject({ times: 3 })
  })

  test('is not set aside if it was deleted, closed or truncated meanwhile', async () => {
    for (const end of ['retire', 'close', 'truncate'] as const) {
      const { cleaner, lines, addLog } = await cleaning({})
      const log = await addLog('gone', 200)
      const cleaned = cleaner.cleanDirtiest()
      await Promise.resolve()
      if (end === 'truncate') await log.truncateTo(5)
      else await log[end]()
      // Another attempt would give the same result.
      expect(await cleaned).toBe(false)
      expect(lines.filter(({ level }) => level === 'error')).toEqual([])
      if (end === 'truncate') expect(await values(log)).toBe(5)
    }
  })
})

test('reads continue while a segment is replaced', async () => {
  const { cleaner, addLog } = await cleaning({})
  const log = await addLog('read', 50)
  const cleaned = cleaner.cleanDirtiest()
  let reading = true
  const readers = [0, 10, 49].map(async (offset) => {
    let reads = 0
    while (reading) {
      const { errorCode, bytes } = await log.read(offset, 100)
      expect(errorCode).toBe(0)
      expect(bytes.length).toBeGreaterThan(0)
      expect(await log.offsetForTimestamp(0)).toBeDefined()
      reads++
    }
    return reads
  })
  await cleaned
  reading = false
  for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(3)
  expect(await values(log)).toBe(1)
})

test('reads and writes stay below log.cleaner.io.max.bytes.per.second', async () => {
  const { cleaner, clock, addLog } = await cleaning({}, { ioMaxBytesPerSecond: 1000 })
  const log = await addLog('slow', 50)
  const startMs = clock.monotonicMs()
  const { size } = log
  const cleaned = cleaner.cleanDirtiest()
  while ((await Promise.race([cleaned, clock.advanceAndSettle(10)])) === undefined);
  // Read once for the keys, and once to be rewritten; the last read is not waited for.
  expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(size)
})

describe('settings that change while the cleaner runs', () => {
  test('log.cleaner.backoff.ms takes effect immediately, also for the wait in progress', async () => {
    const { cleaner, clock, settings, addLog } = await cleaning({}, { backoffMs: 3_600_000 })
    cleaner.start()
    await clock.advanceAndSettle(0)
    const log = await addLog('topic', 3)
    await clock.advanceAndSettle(1000)
    expect(await values(log)).toBe(3)
    settings.backoffMs = 50
    cleaner.settingsChanged()
    await settle()
    expect(await values(log)).toBe(1)
    const later = await addLog('later', 3)
    await clock.advanceAndSettle(50)
    expect(await values(later)).toBe(1)
    await cleaner.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test('log.cleaner.io.max.bytes.per.second takes effect for the cleaning in progress', async () => {
    const { cleaner, clock, settings, addLog } = await cleaning({}, { ioMaxBytesPerSecond: 1 })
    const log = await addLog('slow', 50)
    const { size } = log
    const cleaned = cleaner.cleanDirtiest()
    await clock.advanceAndSettle(1000)
    expect(await values(log)).toBe(50)
    settings.ioMaxBytesPerSecond = size
    const startMs = clock.monotonicMs()
    while ((await Promise.race([cleaned, clock.advanceAndSettle(10)])) === undefined);
    expect(clock.monotonicMs() - startMs).toBeLessThan(4000)
    expect(await values(log)).toBe(1)
  })

  test('log.cleaner.dedupe.buffer.size takes effect for the next log', async () => {
    const { cleaner, checkpoint, settings, addLog } = await cleaning({})
    const keys = Array.from({ length: 300 }, (_, key): KeyedRecord => [`key ${key}`, 'value'])
    const add = async (topic: string) => {
      const log = await addLog(topic, 0)
      for (const keyed of keys) await appendWhole(log, keyedBatch([keyed]))
      await log.roll()
    }
    await add('whole')
    await cleaner.cleanDirtiest()
    expect(checkpoint.get({ topic: 'whole', partition: 0 })).toBe(300)
    settings.dedupeBufferBytes = 1000
    await add('in part')
    await cleaner.cleanDirtiest()
    expect(checkpoint.get({ topic: 'in part', partition: 0 })).toBeLessThan(300)
  })

  test('log.cleaner.io.buffer.size takes effect for the next log', async () => {
    const { cleaner, settings, addLog, writes } = await cleaning({})
    const add = async (topic: string) => {
      const log = await addLog(topic, 0)
      for (let key = 0; key < 50; key++) await appendWhole(log, keyedBatch([[`${key}`, 'value']]))
      await log.roll()
    }
    await add('large')
    await cleaner.cleanDirtiest()
    expect(writes()).toBe(1)
    settings.ioBufferBytes = 1024
    await add('small')
    await cleaner.cleanDirtiest()
    expect(writes()).toBeGreaterThan(5)
  })
})

test('the event loop serves others between batches of many records', async () => {
  const { cleaner, clock, addLog } = await cleaning({ segmentBytes: 1_000_000 })
  const log = await addLog('many', 0)
  const keyed = Array.from({ length: 1500 }, (): KeyedRecord => ['key', 'value'])
  const compression = Compression.gzip
  for (let batch = 0; batch < 4; batch++) await appendWhole(log, keyedBatch(keyed, { compression }))
  await log.roll()
  let isCleaned = false
  const cleaned = cleaner.cleanDirtiest().then(() => {
    isCleaned = true
  })
  let turns = 0
  for (await settle(); !isCleaned; await settle()) {
    expect(clock.nextTimerInMs).toBe(0)
    clock.advance(0)
    turns++
  }
  await cleaned
  // Once while the keys are read, and once while the batches are written.
  expect(turns).toBe(2)
  expect(await values(log)).toBe(1)
})

describe('the checkpoint', () => {
  const orders = { topic: 'orders', partition: 3, log: { recoveryPoint: 100 } }
  const payments = { topic: 'my-payments', partition: 0, log: { recoveryPoint: 100 } }
  const path = `/data/${cleanerCheckpointFile}`

  async function checkpointOf(disk: Disk, logs: readonly (typeof orders)[]) {
    return new CleanerCheckpoint(disk, '/data', await readOffsetCheckpoint(disk, path), () => logs)
  }

  test("is read back, in Kafka's format", async () => {
    const disk = await diskWithData()
    const checkpoint = await checkpointOf(disk, [orders, payments])
    await checkpoint.set(orders, 42)
    await checkpoint.set(payments, 7)
    expect(String(await disk.readFile(path))).toBe('0\n2\norders 3 42\nmy-payments 0 7\n')
    const again = await checkpointOf(disk, [orders, payments])
    expect(again.get(orders)).toBe(42)
    expect(again.get({ topic: 'orders', partition: 4 })).toBeUndefined()
  })

  test('is lowered by a truncation, durably, and removed with its log', async () => {
    const disk = await diskWithData()
    const cut = { ...orders, log: { recoveryPoint: 100 } }
    const logs = [cut, payments]
    const checkpoint = await checkpointOf(disk, logs)
    await checkpoint.set(cut, 42)
    await checkpoint.set(payments, 7)
    cut.log.recoveryPoint = 30
    logs.pop()
    await checkpoint.follow()
    cut.log.recoveryPoint = 100
    logs.push(payments)
    expect([checkpoint.get(cut), checkpoint.get(payments)]).toEqual([30, undefined])
    expect(String(await disk.readFile(path))).toBe('0\n1\norders 3 30\n')
  })
})
