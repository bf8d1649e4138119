// Reads and searches during a truncation, on a full disk, or of damaged batches.

import { expect, test } from 'vitest'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { append, diskWithData, openLog, smallConfig } from './logFixture.ts'

const path = '/data/orders-0/00000000000000000000.log'

test('a read or a search during a truncation returns what exists after it', async () => {
  const config = { ...smallConfig, segmentBytes: 400 }
  for (let turns = 0; turns < 60; turns++) {
    const log = await openLog(await diskWithData(new MemoryDisk()), { config })
    for (let number = 0; number < 8; number++) {
      await append(log, { records: 10, label: String(number), timestampMs: 1000 * (number + 1) })
    }
    const cut = log.truncateTo(40)
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const read = log.read(20, 100)
    const found = log.offsetForTimestamp(3000)
    const newest = log.offsetOfMaxTimestamp()
    expect((await read).bytes.length).toBeGreaterThan(0)
    expect(await found).toMatchObject({ offset: 20 })
    expect([39, 79]).toContain((await newest)?.offset)
    await cut
    expect(log.logEndOffset).toBe(40)
    await log.close()
  }
})

test('a search by time reports a batch with an impossible size', async () => {
  const disk = await diskWithData(new MemoryDisk())
  const log = await openLog(disk)
  await append(log, { records: 5, timestampMs: 1000 })
  await append(log, { records: 5, timestampMs: 5000 })
  const file = await disk.open(path, 'write')
  await file.write([Buffer.from([0, 0, 0, 0])], 8)
  await expect(log.offsetForTimestamp(4000)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  expect(log.offline).toMatchObject({ code: 'LOG_CORRUPT' })
  await log.close()
})
