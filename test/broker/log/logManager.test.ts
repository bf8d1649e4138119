// A data directory as a whole: who may use it, what is found in it again, and which of Kafka's files
// say so.

import { describe, expect, test } from 'vitest'
import { LogManager, type LogManagerOptions } from '../../../broker/log/logManager.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import { ManualClock, settle } from '../../manualClock.ts'
import { MemoryDisk } from '../../memoryDisk.ts'
import { append, readValues, smallConfig } from './logFixture.ts'

const deletedId = '00000000-0000-4000-8000-000000000001'

const topicId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'

function open(disk: MemoryDisk, options: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock: new ManualClock(),
    logger: silentLogger,
    directories: ['/data'],
    config: smallConfig,
    ...options,
  })
}

function identity(clusterId: string, nodeId = 1) {
  return { nodeId, clusterId, newDirectoryId: () => 'xMi3uLsCQ1aOP2gnvyyo-g' }
}

async function text(disk: MemoryDisk, path: string): Promise<string | undefined> {
  return (await disk.readFile(path))?.toString()
}

test('partitions, their records and topic ids are found again', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  const log = await manager.create('a-topic.with-hyphens', 12, smallConfig, topicId)
  expect(await manager.create('a-topic.with-hyphens', 12)).toBe(log)
  await append(log, { records: 1, label: 'kept' })
  await manager.close()
  const again = await open(disk)
  expect(again.wasCleanShutdown).toBe(true)
  expect(await readValues(again.get('a-topic.with-hyphens', 12)!)).toEqual(['kept/0'])
  expect([...again.partitions()]).toMatchObject([{ partition: 12, topicId }])
  expect(again.get('a-topic.with-hyphens', 1)).toBeUndefined()
  await again.close()
})

test("the files are Kafka's", async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk, { identity: identity('c1', 3) })
  const log = await manager.create('orders', 0, smallConfig, topicId)
  await append(log, { records: 2 }, 7)
  await log.roll()
  await append(log, { records: 3 }, 9)
  await manager.close()
  expect(await disk.list('/data')).toEqual([
    '.kafka_cleanshutdown',
    'meta.properties',
    'orders-0',
    'recovery-point-offset-checkpoint',
    'resting-logs',
  ])
  expect(await disk.list('/data/orders-0')).toEqual([
    '00000000000000000000.index',
    '00000000000000000000.log',
    '00000000000000000000.timeindex',
    '00000000000000000002.index',
    '00000000000000000002.log',
    '00000000000000000002.snapshot',
    '00000000000000000002.timeindex',
    '00000000000000000005.snapshot',
    'leader-epoch-checkpoint',
    'partition.metadata',
  ])
  expect(await text(disk, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\norders 0 5\n')
  expect(await text(disk, '/data/orders-0/leader-epoch-checkpoint')).toBe('0\n2\n7 0\n9 2\n')
  expect(await text(disk, '/data/orders-0/partition.metadata')).toBe(
    'version: 0\ntopic_id: Dx4tPEtaaXiHlqW0w9Lh8A\n',
  )
  expect(await text(disk, '/data/meta.properties')).toContain(
    'cluster.id=c1\ndirectory.id=xMi3uLsCQ1aOP2gnvyyo-g\nversion=1\nnode.id=3\n',
  )
})

describe('the directory', () => {
  test('is for one process at a time', async () => {
    const disk = new MemoryDisk()
    const manager = await open(disk)
    await expect(open(disk)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
    await manager.close()
    await (await open(disk)).close()
  })

  test("is not another broker's", async () => {
    const disk = new MemoryDisk()
    await (await open(disk, { identity: identity('c1') })).close()
    const foreign = open(disk, { identity: identity('c2') })
    await expect(foreign).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FOREIGN' })
    await (await open(disk, { identity: identity('c1') })).close()
  })
})

test('a crash keeps what was acknowledged, at any moment since the directory was made', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  const log = await manager.create('orders', 0)
  await append(log, { records: 1, label: 'before' })
  disk.crash()
  const again = await open(disk)
  expect(again.wasCleanShutdown).toBe(false)
  expect(await readValues(again.get('orders', 0)!)).toEqual(['before/0'])
  await again.close()
})

test('recovery points are written from time to time', async () => {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const manager = await open(disk, { clock, checkpointIntervalMs: 1000 })
  await append(await manager.create('orders', 0), { records: 4 })
  await clock.advanceAndSettle(1000)
  await settle(20)
  expect(await text(disk, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\norders 0 4\n')
  await manager.close()
  expect(clock.pendingTimers).toBe(0)
})

test('a deleted topic is gone, also when the removal was cut short', async () => {
  const disk = new MemoryDisk()
  const manager = await open(disk)
  const old = await manager.create('orders', 0)
  await manager.create('orders-0', 1)
  await append(old, { records: 5 })
  await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
  expect(manager.get('orders', 0)).toBeUndefined()
  expect((await append(old, { records: 1 })).errorCode).not.toBe(0)
  const fresh = await manager.create('orders', 0)
  expect(fresh.logEndOffset).toBe(0)
  await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
  await manager.close()
  await disk.makeDirectory('/data/half-0.18c2-delete')
  const again = await open(disk)
  expect(await disk.list('/data')).not.toContain('half-0.18c2-delete')
  expect([...again.partitions()].map(({ topic }) => topic)).toEqual(['orders-0'])
  await again.close()
})
