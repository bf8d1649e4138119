// A data directory as a whole: which processes may use it, what a start finds in it, and which of
// Kafka's files it has.

import { describe, expect, test } from 'vitest'
import { LogManager, type LogManagerOptions } from '../../../broker/log/logManager.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { append, readValues, smallConfig } from './logFixture.ts'
import { mortalDisk } from './mortalDisk.ts'

const deletedId = '00000000-0000-4000-8000-000000000001'

const topicId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'

function open(disk: Disk, options: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  return LogManager.open({
    disk,
    clock: new ManualClock(),
    scheduler: systemScheduler,
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

test('partitions, their records and topic ids are found at the next start', async () => {
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

test('the files are those of Kafka', async () => {
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
    'replication-offset-checkpoint',
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
  test('is locked by one process at a time', async () => {
    const disk = new MemoryDisk()
    const manager = await open(disk)
    await expect(open(disk)).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' })
    await manager.close()
    await (await open(disk)).close()
  })

  test('is refused if it belongs to another broker', async () => {
    const disk = new MemoryDisk()
    await (await open(disk, { identity: identity('c1') })).close()
    const foreign = open(disk, { identity: identity('c2') })
    await expect(foreign).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FOREIGN' })
    await (await open(disk, { identity: identity('c1') })).close()
  })
})

test('acknowledged records survive a crash at any time after the directory was created', async () => {
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

test('after a crash each segment is synced once, and records that were found stay', async () => {
  const journal = () => ({ random: seededRandom(1), fileBytes: 64 * 1024 })
  const disk = new MemoryDisk()
  const killed = mortalDisk(disk)
  const manager = await open(killed, { journal: journal() })
  for (const topic of ['one', 'two', 'three']) {
    await append(await manager.create(topic, 0), { records: 1, label: topic })
  }
  killed.kill()
  const syncs = new Map<string, number>()
  const restarted = mortalDisk(disk)
  const counting: Disk = {
    ...restarted,
    async open(path, mode) {
      const file = await restarted.open(path, mode)
      const sync = () => {
        syncs.set(path, (syncs.get(path) ?? 0) + 1)
        return file.sync()
      }
      return { ...file, sync }
    },
  }
  await open(counting, { journal: journal() })
  expect([...syncs].filter(([path]) => path.endsWith('.log')).sort()).toEqual([
    ['/data/one-0/00000000000000000000.log', 1],
    ['/data/three-0/00000000000000000000.log', 1],
    ['/data/two-0/00000000000000000000.log', 1],
  ])
  restarted.kill()
  disk.crash()
  const last = await open(disk, { journal: journal() })
  for (const topic of ['one', 'two', 'three']) {
    expect(await readValues(last.get(topic, 0)!)).toEqual([`${topic}/0`])
  }
  await last.close()
})

test('recovery points are written periodically', async () => {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const manager = await open(disk, { clock, checkpointIntervalMs: 1000 })
  await append(await manager.create('orders', 0), { records: 4 })
  await clock.advanceAndSettle(1000)
  await settle()
  expect(await text(disk, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\norders 0 4\n')
  await manager.close()
  expect(clock.pendingTimers).toBe(0)
})

test('a deleted topic is removed, even if the removal was interrupted', async () => {
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

describe('a directory of another topic', () => {
  const otherId = topicId.replace('0f', '1f')
  const deletion = { name: 'orders', id: otherId, partitions: 1 }

  async function withForeign() {
    const disk = new MemoryDisk()
    const before = await open(disk)
    await append(await before.create('orders', 0, smallConfig, topicId), { records: 1, label: 'a' })
    await before.close()
    const isForeign = (_: string, id: string | undefined) => id === topicId
    return { disk, manager: await open(disk, { isForeign }) }
  }

  test('is not opened, nor used for a new partition, nor removed with a topic of the same name', async () => {
    const { disk, manager } = await withForeign()
    expect(manager.get('orders', 0)).toBeUndefined()
    const creation = () => manager.create('orders', 0, smallConfig, otherId)
    await expect(creation()).rejects.toMatchObject({ code: 'LOG_DIRECTORY_FOREIGN' })
    await manager.delete(deletion)
    await disk.rename('/data/orders-0', '/moved-away')
    expect((await creation()).logEndOffset).toBe(0)
    await manager.close()
    await disk.remove('/data/orders-0')
    await disk.rename('/moved-away', '/data/orders-0')
    const again = await open(disk)
    expect(await readValues(again.get('orders', 0)!)).toEqual(['a/0'])
    await again.close()
  })

  test('is removed with its own topic, although it was not opened', async () => {
    const { disk, manager } = await withForeign()
    await manager.delete({ ...deletion, id: topicId })
    expect(await disk.list('/data')).not.toContain('orders-0')
    const fresh = await manager.create('orders', 0, smallConfig, otherId)
    expect(fresh.logEndOffset).toBe(0)
    await manager.close()
  })
})

test('a deletion that fails in one data directory continues where it ended', async () => {
  let isFailing = false
  const disk = new MemoryDisk({
    beforeChange: (operation, path) => {
      if (!isFailing || operation !== 'rename' || !path.startsWith('/two/orders')) return
      throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' })
    },
  })
  const manager = await open(disk, { directories: ['/one', '/two'] })
  for (const partition of [0, 1, 2, 3]) {
    await append(await manager.create('orders', partition, smallConfig, topicId), { records: 1 })
  }
  await manager.checkpoint()
  const deletion = { name: 'orders', id: topicId, partitions: 4 }
  isFailing = true
  await expect(manager.delete(deletion)).rejects.toMatchObject({ code: 'EBUSY' })
  expect(await disk.list('/two')).toContain('orders-1')
  isFailing = false
  await manager.delete(deletion)
  for (const directory of ['/one', '/two']) {
    expect((await disk.list(directory)).join()).not.toContain('orders')
    expect(await text(disk, `${directory}/recovery-point-offset-checkpoint`)).toBe('0\n0\n')
  }
  await manager.close()
})
