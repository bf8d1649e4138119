// Segments and directories that were removed while the broker was stopped: their log accepts no
// writes and reports the missing files. It must never silently start empty or continue with a gap.

import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { segmentFileName, segmentSuffixes } from '../../../../broker/log/segment/segmentFiles.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, readValues, smallConfig } from '../logFixture.ts'

const data = '/data'
const directory = join(data, 'orders-0')

/** Id of the deleted topic; its logs were created without one. */
const deletedId = '00000000-0000-4000-8000-000000000001'

describe('a log of five segments', () => {
  let disk: MemoryDisk
  let manager: LogManager

  beforeEach(async () => {
    disk = new MemoryDisk()
    await open()
    const log = await manager.create('orders', 0, smallConfig)
    for (const label of ['a', 'b', 'c', 'd', 'e']) {
      await append(log, { records: 2, label })
      if (label !== 'e') await log.roll()
    }
    await (await manager.create('payments', 0, smallConfig)).flush()
  })

  afterEach(() => manager.close())

  const open = async () => {
    const clock = new ManualClock()
    const directories = [data]
    manager = await LogManager.open({
      disk,
      clock,
      logger: silentLogger,
      scheduler: systemScheduler,
      directories,
      config: smallConfig,
    })
  }

  /** Ends the broker in either way, runs `change`, and starts it again. */
  const restart = async (
    how: 'closed' | 'killed',
    change: () => Promise<void>,
  ): Promise<PartitionLog> => {
    if (how === 'closed') await manager.close()
    else {
      await manager.checkpoint()
      disk.crash()
    }
    await change()
    await open()
    return manager.get('orders', 0)!
  }

  const removeSegment = async (baseOffset: number) => {
    for (const suffix of segmentSuffixes) {
      await disk.remove(join(directory, segmentFileName(baseOffset, suffix)))
    }
  }

  describe.each(['closed', 'killed'] as const)('that was %s', (how) => {
    test.each([2, 4, 6])('reports that segment %i is missing', async (base) => {
      for (let start = 0; start < 3; start++) {
        const log = await restart(how, () => removeSegment(base))
        expect(log.offline?.message).toContain(
          `${directory} has lost the records from offset ${base} to ${base + 1}`,
        )
        expect(log.logEndOffset).toBe(base)
        expect((await readValues(log)).length).toBe(base)
        const refused = await append(log, { records: 1, label: 'x' })
        expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
        expect(manager.get('payments', 0)!.offline).toBeUndefined()
      }
    })

    test('reports at every start that the first segment is missing', async () => {
      for (let start = 0; start < 3; start++) {
        const log = await restart(how, () => removeSegment(0))
        expect(log.offline?.message).toContain('has lost the records from offset 0 to 1')
        expect(log.logStartOffset).toBe(2)
      }
    })

    test('reports that the last segment is missing', async () => {
      const log = await restart(how, () => removeSegment(8))
      expect(log.offline?.message).toMatch(/records from offset 8 to 9 are missing/)
    })

    test('continues with a segment that is restored', async () => {
      const path = join(directory, segmentFileName(4, '.log'))
      const saved = await disk.readFile(path)
      expect((await restart(how, () => removeSegment(4))).offline).toBeDefined()
      const log = await restart(how, () => disk.writeFileAtomic(path, saved!))
      expect(log.offline).toBeUndefined()
      expect((await readValues(log)).length).toBe(10)
      expect((await append(log, { records: 1, label: 'x' })).baseOffset).toBe(10)
    })

    test('continues after the gap if the checkpoint says that it starts there', async () => {
      const text = '0\n1\norders 0 6\n'
      const checkpoint = join(data, 'log-start-offset-checkpoint')
      expect((await restart(how, () => removeSegment(4))).offline).toBeDefined()
      const log = await restart(how, () => disk.writeFileAtomic(checkpoint, Buffer.from(text)))
      expect(log.offline).toBeUndefined()
      expect(await readValues(log)).toEqual(['d/0', 'd/1', 'e/0', 'e/1'])
    })

    test('does not report deleted segments', async () => {
      await manager.get('orders', 0)!.deleteRecordsBefore(5)
      const log = await restart(how, async () => {})
      expect(log.offline).toBeUndefined()
      expect(log.logStartOffset).toBe(5)
      expect(await readValues(log)).toEqual(['c/0', 'c/1', 'd/0', 'd/1', 'e/0', 'e/1'])
    })

    test('reports at every start that its directory is missing', async () => {
      for (let start = 0; start < 3; start++) {
        await restart(how, () => disk.remove(directory))
        expect(manager.get('orders', 0)).toBeUndefined()
        expect(manager.missing()).toMatchObject([
          { topic: 'orders', partition: 0, path: directory, recoveryPoint: 10 },
        ])
        expect(manager.get('payments', 0)!.offline).toBeUndefined()
      }
    })

    test('does not report a directory that was deleted with its topic', async () => {
      await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
      await restart(how, async () => {})
      expect(manager.missing()).toEqual([])
    })

    test('is not reported any more after its topic is deleted', async () => {
      await restart(how, () => disk.remove(directory))
      await manager.delete({ name: 'orders', id: deletedId, partitions: 1 })
      expect(manager.missing()).toEqual([])
      await restart(how, async () => {})
      expect(manager.missing()).toEqual([])
    })
  })

  test('is found in another data directory', async () => {
    await manager.close()
    await disk.makeDirectory('/other')
    await disk.rename(directory, '/other/orders-0')
    const clock = new ManualClock()
    const options = {
      disk,
      clock,
      logger: silentLogger,
      scheduler: systemScheduler,
      config: smallConfig,
    }
    for (let start = 0; start < 2; start++) {
      manager = await LogManager.open({ ...options, directories: [data, '/other'] })
      expect(manager.missing()).toEqual([])
      expect((await readValues(manager.get('orders', 0)!)).length).toBe(10)
      if (start === 0) await manager.close()
    }
  })
})
