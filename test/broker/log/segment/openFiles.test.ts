// Many logs with few open files: closing the file of a segment loses nothing.

import { describe, expect, test } from 'vitest'
import type { FlushPolicy } from '../../../../broker/log/logConfig.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { IndexCache } from '../../../../broker/log/segment/indexes/indexCache.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { Disk, DiskFile, DiskMode } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { append, openLog, readValues, smallConfig } from '../logFixture.ts'

/** Counts the open segment files, and can fail syncs. */
class CountingDisk extends MemoryDisk {
  openCount = 0
  syncs = 0
  failsSync = false

  override async open(path: string, mode: DiskMode): Promise<DiskFile> {
    const file = await super.open(path, mode)
    if (!path.endsWith('.log')) return file
    this.openCount++
    return {
      ...file,
      sync: async () => {
        this.syncs++
        if (this.failsSync) throw new Error('EIO')
        await file.sync()
      },
      close: async () => {
        this.openCount--
        await file.close()
      },
    }
  }
}

async function logs(disk: Disk, indexCache: IndexCache, count: number, flush: FlushPolicy) {
  await disk.makeDirectory('/data')
  const opened: PartitionLog[] = []
  for (let number = 0; number < count; number++) {
    const config = { ...smallConfig, flush }
    opened.push(await openLog(disk, { directory: `/data/t-${number}`, indexCache, config }))
  }
  return opened
}

describe('segments', () => {
  test('share a bounded number of open files, and need none before they are used', async () => {
    const disk = new CountingDisk()
    const all = await logs(disk, new IndexCache({ maxOpenFiles: 3 }), 20, 'group')
    expect(disk.openCount).toBe(0)
    for (const label of ['a', 'b']) {
      for (const log of all) expect((await append(log, { records: 1, label })).errorCode).toBe(0)
      await settle()
      expect(disk.openCount).toBeLessThanOrEqual(3)
    }
    for (const log of all) expect(await readValues(log)).toEqual(['a/0', 'b/0'])
    await Promise.all(all.map((log) => log.close()))
    expect(disk.openCount).toBe(0)
  })

  test('sync unsynced bytes before they close their file, and report a failed sync', async () => {
    const disk = new CountingDisk()
    const [first, second] = await logs(disk, new IndexCache({ maxOpenFiles: 1 }), 2, 'os')
    await append(first!, { records: 1 })
    disk.syncs = 0
    await append(second!, { records: 1 })
    await settle()
    expect([disk.syncs, disk.openCount]).toEqual([1, 1])
    disk.failsSync = true
    await append(first!, { records: 1 })
    await settle()
    expect((await append(second!, { records: 1 })).errorCode).toBe(ErrorCode.kafkaStorageError)
    expect(second!.offline).toMatchObject({ code: 'LOG_WRITE_FAILED' })
    disk.failsSync = false
    await Promise.all([first!.close(), second!.close()])
  })

  test('are opened without a sync if they were closed cleanly', async () => {
    const disk = new CountingDisk()
    const [log] = await logs(disk, new IndexCache(), 1, 'group')
    await append(log!, { records: 2 })
    await log!.close()
    disk.syncs = 0
    const directory = '/data/t-0'
    const again = await openLog(disk, { directory, recoveryPoint: 2, wasClosed: true })
    expect([disk.syncs, again.logEndOffset]).toEqual([0, 2])
    await again.close()
    const unsure = await openLog(disk, { directory, recoveryPoint: 2 })
    expect(disk.syncs).toBe(1)
    await unsure.close()
  })
})
