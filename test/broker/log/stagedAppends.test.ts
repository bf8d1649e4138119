// Appends that are durable in the commit journal but not in their segment file yet, when something
// fails in between: nothing acknowledged is lost, and nothing is visible that could be lost.

import { beforeEach, expect, test } from 'vitest'
import { LogManager } from '../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { append, diskWithData, readValues } from './logFixture.ts'

const deletedId = '00000000-0000-4000-8000-000000000001'

const path = '/data/orders-0/00000000000000000000.log'
const writtenWithinMs = 1000

let clock: ManualClock
let disk: MemoryDisk
/** The operation on the segment's file that fails, and all operations so far. */
let failing: { readonly operation: string; readonly code: string } | undefined
let operations: string[]
let lives = 0
let logger: MemoryLogger

beforeEach(async () => {
  clock = new ManualClock()
  failing = undefined
  operations = []
  logger = new MemoryLogger()
  const beforeChange = (operation: string, changed: string) => {
    if (changed !== path) return
    operations.push(operation)
    if (failing?.operation !== operation) return
    throw Object.assign(new Error(`${failing.code}: not now`), { code: failing.code })
  }
  disk = await diskWithData(new MemoryDisk({ beforeChange }))
})

function start(): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock,
    scheduler: systemScheduler,
    logger,
    directories: ['/data'],
    journal: { random: seededRandom(lives++), fileBytes: 4000 },
  })
}

async function withOne(label: string): Promise<{ manager: LogManager; log: PartitionLog }> {
  const manager = await start()
  const log = await manager.create('orders', 0)
  expect((await append(log, { records: 1, label })).errorCode).toBe(ErrorCode.none)
  return { manager, log }
}

/** The values after the next start of the broker, with a repaired disk. */
async function valuesAfterStart(): Promise<string[]> {
  failing = undefined
  const manager = await start()
  const values = await readValues(manager.get('orders', 0)!)
  await manager.close()
  return values
}

async function fileBytes(): Promise<number> {
  return (await disk.stat(path))!.sizeBytes
}

test('appends are read from memory immediately, and are in the file within a second', async () => {
  const { manager, log } = await withOne('first')
  expect(await readValues(log)).toEqual(['first/0'])
  expect(await fileBytes()).toBe(0)
  await clock.advanceAndSettle(writtenWithinMs)
  expect(await fileBytes()).toBe(log.size)
  await append(log, { records: 1, label: 'second' })
  // One batch from the file, the other one from memory.
  expect(await readValues(log)).toEqual(['first/0', 'second/0'])
  await manager.close()
  expect(clock.pendingTimers).toBe(0)
})

test('a later failed write takes the log offline; acknowledged records can be read', async () => {
  const { manager, log } = await withOne('acknowledged')
  failing = { operation: 'write', code: 'EBADF' }
  await clock.advanceAndSettle(writtenWithinMs)
  expect(log.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
  expect((await append(log, { records: 1 })).errorCode).toBe(ErrorCode.kafkaStorageError)
  expect(await readValues(log)).toEqual(['acknowledged/0'])
  for (let times = 0; times < 4; times++) await clock.advanceAndSettle(500)
  expect(operations.filter((operation) => operation === 'write')).toHaveLength(1)
  await manager.close()
  expect(await fileBytes()).toBe(0)
  expect(await valuesAfterStart()).toEqual(['acknowledged/0'])
})

test('a write that found no space is retried when there is some', async () => {
  const { manager, log } = await withOne('acknowledged')
  failing = { operation: 'write', code: 'ENOSPC' }
  await clock.advanceAndSettle(writtenWithinMs)
  expect(log.offline).toMatchObject({ code: 'LOG_DISK_FULL' })
  for (let times = 0; times < 4; times++) await clock.advanceAndSettle(500)
  expect(operations.filter((operation) => operation === 'write').length).toBeGreaterThan(1)
  expect(logger.messages('error')).toHaveLength(1)
  expect(await readValues(log)).toEqual(['acknowledged/0'])
  failing = undefined
  await log.regainSpace()
  expect(log.offline).toBeUndefined()
  expect(await fileBytes()).toBe(log.size)
  expect((await append(log, { records: 1, label: 'more' })).errorCode).toBe(ErrorCode.none)
  expect(await readValues(log)).toEqual(['acknowledged/0', 'more/0'])
  await manager.close()
})

test('if there is no space at the close, the journal keeps the bytes', async () => {
  const { manager } = await withOne('acknowledged')
  failing = { operation: 'write', code: 'ENOSPC' }
  await manager.close()
  disk.crash()
  expect(await valuesAfterStart()).toEqual(['acknowledged/0'])
})

test('a failed sync does not succeed later: the journal keeps its bytes', async () => {
  const { manager, log } = await withOne('acknowledged')
  const other = await manager.create('payments', 0)
  failing = { operation: 'sync', code: 'EBADF' }
  await manager.checkpoint()
  expect(log.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
  failing = undefined
  // Would fill the files of the journal several times, if they were used again.
  for (let number = 0; number < 100; number++) await append(other, { records: 5 })
  await manager.close()
  disk.crash()
  expect(await valuesAfterStart()).toEqual(['acknowledged/0'])
})

test('bytes of a deleted log are not written', async () => {
  const { manager } = await withOne('deleted')
  await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
  expect(operations.filter((operation) => operation === 'write')).toEqual([])
  await manager.close()
})

test('a killed process loses nothing', async () => {
  const { log } = await withOne('first')
  for (let number = 0; number < 30; number++) await append(log, { records: 2, label: `b${number}` })
  disk.crash()
  expect(await valuesAfterStart()).toHaveLength(61)
})
