// Several data directories: where partitions are created, what a start finds, and what happens if a
// directory cannot be used.

import { describe, expect, test } from 'vitest'
import { LogManager, type LogManagerOptions } from '../../../../broker/log/logManager.ts'
import { MemoryDisk, memoryDiskBytes } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, makeBatch, readValues, smallConfig } from '../logFixture.ts'

const deletedId = '00000000-0000-4000-8000-000000000001'

const ids = ['first-id', 'second-id']

function open(disk: MemoryDisk, options: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  const left = [...ids]
  return LogManager.open({
    disk,
    clock: new ManualClock(),
    scheduler: systemScheduler,
    logger: silentLogger,
    directories: ['/one', '/two'],
    config: smallConfig,
    identity: { nodeId: 1, clusterId: 'c1', newDirectoryId: () => left.shift()! },
    ...options,
  })
}

async function text(disk: MemoryDisk, path: string): Promise<string> {
  return String(await disk.readFile(path))
}

test('a partition is created in the directory with the fewest, and each directory knows its own', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  await Promise.all([0, 1, 2, 3].map((partition) => manager.create('orders', partition)))
  const log = manager.get('orders', 1)!
  await append(log, { records: 3, label: 'kept' })
  await log.deleteRecordsBefore(1)
  await manager.close()
  const counts = ['/one', '/two'].map(async (path) => {
    return (await disk.list(path)).filter((name) => name.startsWith('orders-')).length
  })
  expect(await Promise.all(counts)).toEqual([2, 2])
  for (const [at, path] of ['/one', '/two'].entries()) {
    expect(await text(disk, `${path}/meta.properties`)).toContain(`directory.id=${ids[at]}\n`)
    expect(await disk.stat(`${path}/.kafka_cleanshutdown`)).toBeDefined()
  }
  const home = (await disk.stat('/one/orders-1')) ? '/one' : '/two'
  expect(await text(disk, `${home}/recovery-point-offset-checkpoint`)).toContain('orders 1 3\n')
  expect(await text(disk, `${home}/log-start-offset-checkpoint`)).toBe('0\n1\norders 1 1\n')
  const again = await open(disk)
  expect(again.get('orders', 1)!.logStartOffset).toBe(1)
  expect([...again.partitions()]).toHaveLength(4)
  await again.close()
})

test('a recreated topic does not start where the deleted one did', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  const log = await manager.create('orders', 0)
  await append(log, { records: 3 })
  await log.deleteRecordsBefore(2)
  await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
  await manager.create('orders', 0)
  disk.crash()
  const again = await open(disk)
  expect(again.get('orders', 0)!.logStartOffset).toBe(0)
  await again.close()
})

test('many deletions of records are durable when answered, with few writes', async () => {
  let writes = 0
  const disk = new MemoryDisk({
    beforeChange: (operation, path) => {
      if (operation === 'rename' && path.includes('log-start-offset')) writes++
    },
  })
  const manager = await open(disk, { directories: ['/one'] })
  const logs = await Promise.all([0, 1, 2, 3, 4, 5].map((n) => manager.create('orders', n)))
  for (const log of logs) await append(log, { records: 2 })
  await Promise.all(logs.map((log) => log.deleteRecordsBefore(1)))
  expect(writes).toBe(2)
  disk.crash()
  const again = await open(disk, { directories: ['/one'] })
  expect([...again.partitions()].map(({ log }) => log.logStartOffset)).toEqual([1, 1, 1, 1, 1, 1])
  await again.close()
})

test('the same partition in two directories is refused, and all locks are released', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk, { directories: ['/one'] })
  await append(await manager.create('orders', 0), { records: 1 })
  await manager.close()
  const other = await open(disk, { directories: ['/two'] })
  await append(await other.create('orders', 0), { records: 1 })
  await other.close()
  await expect(open(disk)).rejects.toMatchObject({ code: 'LOG_PARTITION_TWICE' })
  await (await open(disk, { directories: ['/one'] })).close()
})

describe('a creation that failed', () => {
  const topicId = '00000000-0000-4000-8000-000000000002'

  test('is completed in the directory where it began', async () => {
    let failsAt: string | undefined
    const disk = new MemoryDisk({
      beforeChange: (_, path) => {
        if (failsAt === undefined || !path.includes(failsAt)) return
        failsAt = undefined
        throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
      },
    })
    const manager = await open(disk)
    await manager.create('orders', 0, smallConfig, topicId)
    failsAt = 'orders-1/partition.metadata'
    await expect(manager.create('orders', 1, smallConfig, topicId)).rejects.toThrow('EMFILE')
    // Both directories have two partitions then, and the first one would be chosen.
    for (const partition of [2, 3, 4, 1]) {
      await manager.create('orders', partition, smallConfig, topicId)
    }
    const homes = await Promise.all(['/one', '/two'].map((path) => disk.stat(`${path}/orders-1`)))
    expect(homes.filter((home) => home !== undefined)).toHaveLength(1)
    await manager.close()
    await (await open(disk)).close()
  })

  test('leaves no second directory behind that keeps the broker from starting', async () => {
    for (const [used, unused] of [
      ['/one', '/two'],
      ['/two', '/one'],
    ] as const) {
      const disk = new MemoryDisk()
      const manager = await open(disk, { directories: [used] })
      const log = await manager.create('orders', 0, smallConfig, topicId)
      await append(log, { records: 2, label: 'kept' })
      await manager.close()
      // Created by an attempt that got no further, while that directory was in use alone.
      const other = await open(disk, { directories: [unused] })
      await other.create('orders', 0, smallConfig, topicId)
      await other.close()
      const both = await open(disk)
      expect(await readValues(both.get('orders', 0)!)).toEqual(['kept/0', 'kept/1'])
      expect(await disk.stat(`${unused}/orders-0`)).toBeUndefined()
      await both.close()
    }
  })

  test('does not repeat itself where a topic that was deleted meanwhile has left its log', async () => {
    const disk = new MemoryDisk()
    const manager = await open(disk, { directories: ['/one'] })
    await append(await manager.create('orders', 0, smallConfig, deletedId), { records: 1 })
    await manager.close()
    const again = await open(disk, { isForeign: (_, id) => id === deletedId })
    await append(await again.create('orders', 0, smallConfig, topicId), { records: 1 })
    expect(await disk.stat('/two/orders-0')).toBeDefined()
    await again.close()
  })

  test('does not excuse a directory that has had records, nor one of another topic', async () => {
    const disk = new MemoryDisk()
    const manager = await open(disk, { directories: ['/one'] })
    await append(await manager.create('orders', 0, smallConfig, topicId), { records: 1 })
    await manager.close()
    await disk.makeDirectory('/two/orders-0')
    await disk.open('/two/orders-0/00000000000000000042.log', 'write')
    await expect(open(disk)).rejects.toMatchObject({ code: 'LOG_PARTITION_TWICE' })
    await disk.remove('/two/orders-0')
    const other = await open(disk, { directories: ['/two'] })
    await other.create('orders', 0, smallConfig, deletedId)
    await other.close()
    await expect(open(disk)).rejects.toMatchObject({ code: 'LOG_PARTITION_TWICE' })
  })
})

describe('a directory that cannot be used', () => {
  function failing(path: string): MemoryDisk {
    return new MemoryDisk({
      beforeChange: (_, changed) => {
        if (isBroken && changed.startsWith(path)) throw Object.assign(new Error('EIO'))
      },
    })
  }
  let isBroken = false

  test('leaves the others in use, and is reported', async () => {
    isBroken = false
    const disk = failing('/two')
    const manager = await open(disk)
    const first = await manager.create('orders', 0)
    await manager.create('orders', 1)
    await append(first, { records: 1, label: 'there' })
    await manager.close()
    isBroken = true
    const again = await open(disk)
    expect(again.hasFailedDirectory).toBe(true)
    expect(await readValues(again.get('orders', 0)!)).toEqual(['there/0'])
    expect(again.get('orders', 1)).toBeUndefined()
    const [one, two] = await again.describeDirectories()
    expect(one).toEqual({
      path: '/one',
      error: undefined,
      totalBytes: memoryDiskBytes,
      usableBytes: memoryDiskBytes,
      partitions: [
        {
          topic: 'orders',
          partition: 0,
          sizeBytes: makeBatch({ records: 1, label: 'there' }).length,
          offsetLag: 0,
        },
      ],
    })
    expect(two).toMatchObject({ path: '/two', error: { code: 'LOG_DIRECTORY_FAILED' } })
    await again.close()
  })

  test('fails the start if there is no other', async () => {
    isBroken = true
    const opening = open(failing('/two'), { directories: ['/two'] })
    await expect(opening).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FAILED' })
  })
})

test('retention is applied after the initial delay, and then periodically', async () => {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const config = { ...smallConfig, retentionBytes: 0 }
  const times = { initialTaskDelayMs: 10, retentionCheckIntervalMs: 1000 }
  const manager = await open(disk, { clock, config, ...times })
  const log = await manager.create('orders', 0)
  for (const delayMs of [10, 1000, 1000]) {
    await append(log, { records: 1 })
    await clock.advanceAndSettle(delayMs)
    await log.flush()
    expect(log.logStartOffset).toBe(log.logEndOffset)
  }
  await manager.close()
  expect(clock.pendingTimers).toBe(0)
})
