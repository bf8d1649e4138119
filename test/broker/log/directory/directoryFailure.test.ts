// A data directory that fails while in use: all its logs are offline immediately, with one line in
// the log, and the other directories stay in use. Acknowledged records exist when the directory can
// be used again.

import { describe, expect, test } from 'vitest'
import { LogManager, type LogManagerOptions } from '../../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { believedForMs } from '../../../../broker/log/segment/checkedRange.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'
import { type FailingDisk, failingDisk } from '../failingDisk.ts'
import { append, readAll, readValues, smallConfig } from '../logFixture.ts'

const checkMs = 5_000

interface World {
  readonly memory: MemoryDisk
  readonly disk: FailingDisk
  readonly clock: ManualClock
  readonly logger: MemoryLogger
  readonly manager: LogManager
  /** Partitions 0 and 2 of `t` are in /one, 1 and 3 in /two. */
  readonly logs: readonly PartitionLog[]
}

function open(options: Partial<LogManagerOptions> & Pick<LogManagerOptions, 'disk'>) {
  return LogManager.open({
    clock: new ManualClock(),
    scheduler: systemScheduler,
    logger: new MemoryLogger(),
    directories: ['/one', '/two'],
    config: smallConfig,
    journal: { random: seededRandom(1), fileBytes: 4096 },
    ...options,
  })
}

/** With a record `there` in every partition. */
async function world(options: Partial<LogManagerOptions> = {}): Promise<World> {
  const memory = new MemoryDisk()
  const disk = failingDisk(memory)
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  const manager = await open({ disk, clock, logger, ...options })
  const logs: PartitionLog[] = []
  for (const partition of [0, 1, 2, 3]) logs.push(await manager.create('t', partition))
  for (const log of logs) await append(log, { records: 1, label: 'there' })
  return { memory, disk, clock, logger, manager, logs }
}

function errorsOf({ logger }: World): (readonly [string, string])[] {
  return logger.lines
    .filter(({ level }) => level === 'error')
    .map(({ message, fields }) => [message, String((fields.error as Error).message)])
}

async function write(log: PartitionLog): Promise<number> {
  return (await append(log, { records: 1, label: 'more' })).errorCode
}

/** Nothing in /two can be written or read, which was logged once; /one is still in use. */
async function expectTwoFailed(all: World, reason: string): Promise<void> {
  const { manager, logs, disk } = all
  expect(errorsOf(all)).toEqual([
    ['a data directory has failed', expect.stringContaining(`/two cannot be used (${reason}`)],
  ])
  for (const number of [1, 3]) {
    const log = logs[number]!
    expect(await write(log)).toBe(ErrorCode.kafkaStorageError)
    await expect(log.read(0, 1000)).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
    await expect(log.offsetForTimestamp(0)).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
    expect(manager.get('t', number)).toBeUndefined()
  }
  for (const number of [0, 2]) expect(await write(logs[number]!)).toBe(ErrorCode.none)
  const [one, two] = await manager.describeDirectories()
  expect(one).toMatchObject({ path: '/one', error: undefined })
  expect(two).toMatchObject({
    path: '/two',
    error: { code: 'LOG_DIRECTORY_FAILED' },
    partitions: [],
  })
  const made = await Promise.all([0, 1, 2].map((partition) => manager.create('new', partition)))
  expect(made.map(({ directory }) => directory)).toEqual(['/one/new-0', '/one/new-1', '/one/new-2'])
  await manager.checkpoint()
  await manager.close()
  expect(errorsOf(all)).toHaveLength(1)
  expect(all.clock.pendingTimers).toBe(0)
  disk.repair()
}

describe('a directory whose disk returns an error', () => {
  test.each(['EIO', 'EROFS', 'ENODEV', 'ENXIO', 'ESTALE'])(
    '%s at a write of one partition takes all partitions offline',
    async (code) => {
      const all = await world()
      all.disk.fail('/two', code)
      expect(await write(all.logs[1]!)).toBe(ErrorCode.kafkaStorageError)
      await expectTwoFailed(all, code)
    },
  )

  test('keeps acknowledged records, in its segments or its journal', async () => {
    const all = await world()
    const { memory, disk, logs } = all
    for (let number = 0; number < 20; number++) expect(await write(logs[3]!)).toBe(ErrorCode.none)
    disk.fail('/two', 'EIO')
    const refused = await Promise.all([write(logs[1]!), write(logs[3]!)])
    expect(refused).toEqual([ErrorCode.kafkaStorageError, ErrorCode.kafkaStorageError])
    await expectTwoFailed(all, 'EIO')
    memory.crash()
    const again = await open({ disk })
    expect(await readValues(again.get('t', 1)!)).toContain('there/0')
    const kept = await readValues(again.get('t', 3)!)
    expect(kept.slice(0, 21)).toEqual(['there/0', ...Array<string>(20).fill('more/0')])
    await again.close()
  })

  test('is detected by a read', async () => {
    const all = await world()
    // Until no read is served from memory.
    await all.clock.advanceAndSettle(1000)
    all.disk.fail('/two', 'EIO', ['read'])
    await expect(all.logs[1]!.read(0, 1000)).rejects.toMatchObject({ code: /LOG_/ })
    await expectTwoFailed(all, 'EIO')
  })

  test('is detected by a checkpoint, which continues in the other directories', async () => {
    const all = await world()
    all.disk.fail('/two', 'EROFS')
    await all.manager.checkpoint()
    expect(String(await all.memory.readFile('/one/recovery-point-offset-checkpoint'))).toContain(
      't 0 1',
    )
    await expectTwoFailed(all, 'EROFS')
  })

  test('is detected by the creation of a partition, which is reported as lost', async () => {
    const all = await world()
    await all.manager.create('other', 0)
    const lost: string[] = []
    all.manager.onDirectoryFailure(({ partitions }) => {
      for (const { topic, partition } of partitions) lost.push(`${topic}-${partition}`)
    })
    all.disk.fail('/two', 'EIO')
    const making = all.manager.create('other', 1)
    await expect(making).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
    expect(lost.sort()).toEqual(['other-1', 't-1', 't-3'])
    await expectTwoFailed(all, 'EIO')
  })

  test('is detected by the periodic check', async () => {
    const all = await world()
    all.disk.fail('/two', 'EIO')
    await all.clock.advanceAndSettle(checkMs)
    await expectTwoFailed(all, 'EIO')
  })

  test('pending and held appends are refused', async () => {
    const all = await world()
    const { disk, logs } = all
    const pending = Array.from({ length: 50 }, () => write(logs[1]!))
    disk.fail('/two', 'EIO')
    const codes = new Set(await Promise.all(pending))
    expect([...codes]).toEqual([ErrorCode.kafkaStorageError])
    await expectTwoFailed(all, 'EIO')
  })
})

describe('a directory that was removed', () => {
  test('is detected although its open files still accept writes', async () => {
    const all = await world()
    await all.memory.rename('/two', '/elsewhere')
    expect(await write(all.logs[1]!)).toBe(ErrorCode.none)
    await all.clock.advanceAndSettle(checkMs)
    await expectTwoFailed(all, 'the directory was removed')
  })

  test('is detected if another one replaces it', async () => {
    const all = await world()
    await all.memory.rename('/two', '/elsewhere')
    await all.memory.makeDirectory('/two')
    await all.clock.advanceAndSettle(checkMs)
    await expectTwoFailed(all, 'the directory was removed')
  })

  test('is detected by a missing file', async () => {
    const all = await world()
    await all.memory.rename('/two', '/elsewhere')
    await all.logs[1]!.roll().catch(() => {})
    await settle()
    expect(await write(all.logs[3]!)).toBe(ErrorCode.kafkaStorageError)
    expect(all.manager.directories).toHaveLength(1)
    await all.manager.close()
  })

  test('a single removed partition does not fail the directory', async () => {
    const all = await world()
    await all.memory.remove('/two/t-1')
    await all.logs[1]!.roll().catch(() => {})
    await settle()
    expect(await write(all.logs[1]!)).toBe(ErrorCode.kafkaStorageError)
    expect(await write(all.logs[3]!)).toBe(ErrorCode.none)
    expect(all.manager.directories).toHaveLength(2)
    await all.manager.close().catch(() => {})
  })
})

test('damage in one partition does not fail the directory', async () => {
  const all = await world()
  await all.clock.advanceAndSettle(believedForMs)
  const file = await all.memory.open('/two/t-1/00000000000000000000.log', 'write')
  await file.write([Buffer.from('?')], 65)
  await file.close()
  await expect(all.logs[1]!.read(0, 1000)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  expect(await write(all.logs[1]!)).toBe(ErrorCode.kafkaStorageError)
  expect(await write(all.logs[3]!)).toBe(ErrorCode.none)
  expect(all.manager.directories).toHaveLength(2)
  await all.manager.close()
})

describe('too few open files', () => {
  test.each(['EMFILE', 'ENFILE'])('%s refuses writes until files can be opened', async (code) => {
    const all = await world()
    const { disk, clock, manager, logs } = all
    const log = logs[1]!
    disk.fail('/two', code, ['open'])
    await expect(log.roll()).rejects.toMatchObject({ code: 'LOG_OUT_OF_FILES' })
    expect(await write(log)).toBe(ErrorCode.kafkaStorageError)
    expect(log.offline).toMatchObject({ code: 'LOG_OUT_OF_FILES' })
    expect(log.offline!.message).toContain('limit of open files')
    expect(manager.directories).toHaveLength(2)
    expect((await readAll(log)).length).toBeGreaterThan(0)
    await clock.advanceAndSettle(checkMs)
    expect(log.offline).toMatchObject({ code: 'LOG_OUT_OF_FILES' })
    disk.repair()
    await clock.advanceAndSettle(checkMs)
    await log.regainSpace()
    expect(await write(log)).toBe(ErrorCode.none)
    expect(await readValues(log)).toEqual(['there/0', 'more/0'])
    await manager.close()
  })
})

test('no partition can be created after the last directory has failed', async () => {
  const all = await world()
  all.disk.fail('/two', 'EIO')
  await write(all.logs[1]!)
  all.disk.fail('/one', 'EIO')
  await write(all.logs[0]!)
  expect(all.manager.directories).toEqual([])
  await expect(all.manager.create('new', 0)).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
  await all.manager.close()
})

test('a directory that fails while its logs are opened leaves the others in use', async () => {
  const { memory, disk, manager } = await world()
  await manager.close()
  memory.crash()
  disk.fail('/two/t-3', 'EIO')
  const again = await open({ disk })
  expect([...again.partitions()].map(({ partition }) => partition).sort()).toEqual([0, 2])
  expect(again.hasFailedDirectory).toBe(true)
  await again.close()
})
