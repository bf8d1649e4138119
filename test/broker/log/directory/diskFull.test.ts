// A full disk: a log on a disk that is nearly full, after a write that failed in part for lack of
// space, and when space is free again. Nothing acknowledged is lost, and nothing else appears in
// the log.

import { describe, expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { MemoryDisk, type MemoryDiskOptions } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, diskWithData, makeBatch, openLog, readValues, smallConfig } from '../logFixture.ts'

const spaceCheckMs = 5_000

/** A disk without space for the operations that `isFull` names. */
class SmallDisk extends MemoryDisk {
  isFull: (operation: string, path: string) => boolean = () => false
  code = 'ENOSPC'

  constructor(options: MemoryDiskOptions = {}) {
    super({
      ...options,
      beforeChange: (operation, path) => {
        if (this.isFull(operation, path)) {
          throw Object.assign(new Error(`${this.code}: ${path}`), { code: this.code })
        }
      },
    })
  }
}

async function smallDisk(): Promise<SmallDisk> {
  const disk = new SmallDisk()
  await diskWithData(disk)
  return disk
}

async function write(log: PartitionLog, label: string): Promise<number> {
  return (await append(log, { records: 1, label })).errorCode
}

describe('a write without space', () => {
  test('is refused; reads continue, and with space the log continues where it was', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    await write(log, 'before')
    disk.isFull = (operation) => operation === 'write'
    const refused = await append(log, { records: 1, label: 'refused' })
    expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
    expect(refused.errorMessage).toContain('the disk is full')
    expect(log.offline).toMatchObject({ code: 'LOG_DISK_FULL' })
    expect(await readValues(log)).toEqual(['before/0'])
    disk.isFull = () => false
    await log.regainSpace()
    expect(log.offline).toBeUndefined()
    expect(await write(log, 'after')).toBe(ErrorCode.none)
    expect(await readValues(log)).toEqual(['before/0', 'after/0'])
    await log.close()
    const again = await openLog(disk)
    expect(await readValues(again)).toEqual(['before/0', 'after/0'])
    await again.close()
  })

  test('leaves none of its bytes, not even whole batches', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    await write(log, 'before')
    const path = '/data/orders-0/00000000000000000000.log'
    disk.isFull = (operation) => operation === 'write'
    expect(await write(log, 'refused')).toBe(ErrorCode.kafkaStorageError)
    // What a real disk may have written before it returned the error: a whole batch, and more.
    const partly = Buffer.concat([makeBatch({ records: 1, label: 'refused' }), Buffer.alloc(20, 1)])
    partly.writeBigInt64BE(1n, 0)
    disk.isFull = () => false
    const file = await disk.open(path, 'write')
    await file.write([partly], log.size)
    await file.close()
    await log.regainSpace()
    expect(log.logEndOffset).toBe(1)
    expect(await write(log, 'after')).toBe(ErrorCode.none)
    disk.crash()
    const again = await openLog(disk)
    expect(await readValues(again)).toEqual(['before/0', 'after/0'])
    await again.close()
  })

  test('is not remembered as appended: the retry is appended', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    const batch = (baseSequence: number) => {
      return makeBatch({ records: 1, producerId: 4, producerEpoch: 0, baseSequence })
    }
    await append(log, batch(0))
    disk.isFull = (operation) => operation === 'write'
    expect((await append(log, batch(1))).errorCode).toBe(ErrorCode.kafkaStorageError)
    disk.isFull = () => false
    await log.regainSpace()
    expect(await append(log, batch(1))).toMatchObject({ errorCode: 0, duplicate: false })
    expect(await append(log, batch(0))).toMatchObject({ errorCode: 0, duplicate: true })
    await log.close()
  })

  test('may be that of a new segment or of an index', async () => {
    for (const suffix of ['2.log', '.index', '.snapshot', 'leader-epoch-checkpoint']) {
      const disk = await smallDisk()
      const log = await openLog(disk)
      await write(log, 'a')
      await write(log, 'b')
      disk.isFull = (_, path) => path.includes(suffix)
      await log.roll().catch(() => {})
      await append(log, { records: 1, label: 'c' }, 7)
      await log.flush().catch(() => {})
      disk.isFull = () => false
      const end = log.logEndOffset
      await log.regainSpace()
      expect(log.offline).toBeUndefined()
      expect(log.logEndOffset).toBe(end)
      const written = await append(log, { records: 1, label: 'd' }, 7)
      expect(written.errorCode).toBe(ErrorCode.none)
      const values = await readValues(log)
      disk.crash()
      const again = await openLog(disk)
      expect(await readValues(again)).toEqual(values)
      expect(values.slice(0, 2)).toEqual(['a/0', 'b/0'])
      expect(values.at(-1)).toBe('d/0')
      await again.close()
    }
  })

  test('is refused as long as the disk is full', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    await write(log, 'before')
    disk.isFull = () => true
    await write(log, 'refused')
    await log.regainSpace()
    expect(log.offline).toMatchObject({ code: 'LOG_DISK_FULL' })
    expect(await readValues(log)).toEqual(['before/0'])
    disk.isFull = () => false
    await log.close()
  })
})

describe('a disk with another failure', () => {
  test('takes the log offline until the next start, but not its reads', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    await write(log, 'before')
    disk.code = 'EIO'
    disk.isFull = (operation) => operation === 'write'
    expect(await write(log, 'refused')).toBe(ErrorCode.kafkaStorageError)
    disk.isFull = () => false
    await log.regainSpace()
    expect(log.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
    expect(log.offline?.message).toContain('orders-0/00000000000000000000.log')
    expect(await readValues(log)).toEqual(['before/0'])
    await log.close()
  })

  test('includes a sync that reports a full disk', async () => {
    const disk = await smallDisk()
    const log = await openLog(disk)
    await write(log, 'before')
    disk.isFull = (operation) => operation === 'sync'
    await write(log, 'refused')
    expect(log.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
    await log.close()
  })
})

describe('the reserve', () => {
  test('is not used by records, and is restored without a restart', async () => {
    const space = { freeBytes: 10_000 }
    const disk = new MemoryDisk(space)
    const clock = new ManualClock()
    const manager = await LogManager.open({
      disk,
      clock,
      scheduler: systemScheduler,
      logger: silentLogger,
      directories: ['/data'],
      config: smallConfig,
      reservedBytes: 9_900,
    })
    const log = await manager.create('orders', 0)
    expect(await write(log, 'fits')).toBe(ErrorCode.none)
    // More than 100 bytes have been written: the free space is read again immediately.
    space.freeBytes = 9_899
    await write(log, 'noticed')
    const refused = await append(log, { records: 1 })
    expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
    expect(refused.errorMessage).toContain('log.dir.reserved.bytes')
    expect(await readValues(log)).toContain('fits/0')
    const ours = await log.appendAsLeader(makeBatch({ records: 1 }), {
      leaderEpoch: 0,
      origin: 'coordinator',
    })
    expect(ours.errorCode).toBe(ErrorCode.none)
    space.freeBytes = 20_000
    await clock.advanceAndSettle(spaceCheckMs)
    expect(await write(log, 'again')).toBe(ErrorCode.none)
    await manager.close()
  })

  test('a log on a full disk accepts writes again without a request', async () => {
    const disk = new SmallDisk()
    const clock = new ManualClock()
    const manager = await LogManager.open({
      disk,
      clock,
      scheduler: systemScheduler,
      logger: silentLogger,
      directories: ['/data'],
      config: smallConfig,
    })
    const log = await manager.create('orders', 0)
    disk.isFull = (operation) => operation === 'write'
    expect(await write(log, 'refused')).toBe(ErrorCode.kafkaStorageError)
    disk.isFull = () => false
    await clock.advanceAndSettle(spaceCheckMs)
    await log.regainSpace()
    expect(await write(log, 'taken')).toBe(ErrorCode.none)
    disk.isFull = (_, path) => path.includes('recovery-point')
    await expect(manager.checkpoint()).rejects.toMatchObject({ code: 'ENOSPC' })
    disk.isFull = () => false
    await manager.checkpoint()
    await manager.close()
  })
})

describe('a disk that other programs have filled', () => {
  /** A log that accepts no writes, on a disk without a free byte except for its reserve. */
  async function fullLog(reservedBytes = 64 * 1024) {
    const disk = new MemoryDisk({ sizeBytes: 512 * 1024 })
    const clock = new ManualClock()
    const options = {
      disk,
      clock,
      scheduler: systemScheduler,
      logger: silentLogger,
      directories: ['/data'],
    }
    const config = { ...smallConfig, fileDeleteDelayMs: 0 }
    const manager = await LogManager.open({ ...options, config, reservedBytes })
    await clock.advanceAndSettle(spaceCheckMs)
    const log = await manager.create('orders', 0)
    for (let number = 0; number < 50; number++) expect(await write(log, `${number}`)).toBe(0)
    const filler = await disk.open('/filler', 'write')
    await expect(filler.write([Buffer.alloc(512 * 1024)], 0)).rejects.toThrow('ENOSPC')
    const ours = { leaderEpoch: 0, origin: 'coordinator' } as const
    while (
      (await log.appendAsLeader(makeBatch({ records: 1 }), ours)).errorCode === ErrorCode.none
    );
    expect(log.offline).toMatchObject({ code: 'LOG_DISK_FULL' })
    return { disk, clock, manager, log }
  }

  test('allows deletions, and accepts records when the reserve is restored', async () => {
    const { disk, clock, manager, log } = await fullLog()
    expect(await disk.freeBytes()).toBe(0)
    expect(await log.deleteRecordsBefore(45)).toEqual({ errorCode: 0, lowWatermark: 45 })
    expect(await disk.list('/data')).not.toContain('__reserve')
    expect(await write(log, 'refused')).toBe(ErrorCode.kafkaStorageError)
    await clock.advanceAndSettle(spaceCheckMs)
    expect(await disk.list('/data')).toContain('__reserve')
    await disk.remove('/filler')
    await clock.advanceAndSettle(spaceCheckMs)
    expect(await write(log, 'taken')).toBe(ErrorCode.none)
    await manager.close()
    disk.crash()
    const again = await openLog(disk, { logStartOffset: 45 })
    expect((await readValues(again)).at(-1)).toBe('taken/0')
    await again.close()
  })

  test('is freed by retention', async () => {
    const { disk, manager, log } = await fullLog()
    log.updateConfig({ ...log.config, retentionBytes: 2000 })
    await manager.applyRetention()
    expect(log.offline).toBeUndefined()
    expect(log.logStartOffset).toBeGreaterThan(0)
    expect(await disk.freeBytes()).toBeGreaterThan(0)
    await manager.close()
  })

  test('without a reserve keeps all records, and refuses deletions', async () => {
    const { manager, log } = await fullLog(0)
    const refused = { errorCode: ErrorCode.kafkaStorageError, lowWatermark: -1 }
    expect(await log.deleteRecordsBefore(45)).toEqual(refused)
    expect((await readValues(log)).slice(0, 50)).toHaveLength(50)
    await expect(manager.close()).rejects.toMatchObject({ code: 'LOG_DISK_FULL' })
  })
})

test('a deletion of records that could not be saved is saved when it is requested again', async () => {
  const disk = new SmallDisk()
  const options = {
    disk,
    clock: new ManualClock(),
    scheduler: systemScheduler,
    logger: silentLogger,
    directories: ['/data'],
  }
  const manager = await LogManager.open({ ...options, config: smallConfig })
  const log = await manager.create('orders', 0)
  for (let number = 0; number < 9; number++) await write(log, `${number}`)
  disk.code = 'EACCES'
  disk.isFull = (_, path) => path.includes('log-start-offset')
  const { errorCode } = await log.deleteRecordsBefore(5)
  expect(errorCode).toBe(ErrorCode.kafkaStorageError)
  disk.isFull = () => false
  expect(await log.deleteRecordsBefore(5)).toEqual({ errorCode: 0, lowWatermark: 5 })
  disk.crash()
  const again = await LogManager.open({ ...options, config: smallConfig })
  expect(again.get('orders', 0)!.logStartOffset).toBe(5)
  await again.close()
})
