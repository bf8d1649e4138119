// The high watermark across restarts: from replication-offset-checkpoint, never outside the log.
// Only the Partition of a sole replica advances it to the recovered end.

import { expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { diskWithData, makeBatch, openReplica, smallConfig } from '../logFixture.ts'
import { mortalDisk } from '../mortalDisk.ts'

const file = '/data/replication-offset-checkpoint'

function open(disk: MemoryDisk, life = mortalDisk(disk)): Promise<LogManager> {
  return LogManager.open({
    disk: life,
    clock: new ManualClock(),
    scheduler: systemScheduler,
    logger: silentLogger,
    directories: ['/data'],
    config: smallConfig,
  })
}

/** A log of 6 records, of which 3 are committed. */
async function fill(manager: LogManager) {
  const log = await manager.create('orders', 0)
  for (let number = 0; number < 6; number++) {
    await log.appendAsLeader(makeBatch({ records: 1 }), { leaderEpoch: 0, origin: 'client' })
  }
  log.advanceHighWatermark(3)
  return log
}

test("a clean shutdown saves it, in Kafka's format", async () => {
  const disk = await diskWithData()
  const manager = await open(disk)
  await fill(manager)
  await manager.close()
  expect(String(await disk.readFile(file))).toBe('0\n1\norders 0 3\n')
  const again = await open(disk)
  const log = again.get('orders', 0)!
  expect([log.highWatermark, log.durableEndOffset]).toEqual([3, 6])
  expect((await log.read(0, 10_000)).highWatermark).toBe(3)
  await again.close()
})

test('after a crash it is that of the last checkpoint', async () => {
  const disk = await diskWithData()
  const life = mortalDisk(disk)
  const manager = await open(disk, life)
  const log = await fill(manager)
  await manager.checkpoint()
  log.advanceHighWatermark(5)
  life.kill()
  disk.crash()
  const again = await open(disk)
  expect(again.get('orders', 0)?.highWatermark).toBe(3)
  expect(again.get('orders', 0)?.logEndOffset).toBe(6)
  await again.close()
})

test('without the file, as in earlier releases, it starts at the log start offset', async () => {
  const disk = await diskWithData()
  const manager = await open(disk)
  const log = await fill(manager)
  await log.deleteRecordsBefore(2)
  await manager.close()
  await disk.remove(file)
  const again = await open(disk)
  expect(again.get('orders', 0)?.highWatermark).toBe(2)
  await again.close()
})

test('a watermark outside the log is moved into it', async () => {
  const disk = await diskWithData()
  const high = await openReplica(disk, { highWatermark: 50 })
  expect(high.highWatermark).toBe(0)
  await high.close()
})

test('a deleted topic leaves no watermark to a new one of its name', async () => {
  const disk = await diskWithData()
  const manager = await open(disk)
  await fill(manager)
  await manager.checkpoint()
  await manager.delete({ name: 'orders', id: 'a', partitions: 1 })
  expect(String(await disk.readFile(file))).toBe('0\n0\n')
  expect((await manager.create('orders', 0)).highWatermark).toBe(0)
  await manager.close()
})
