// Damage that is found by a read: the log returns the sound batches before it, reports its
// position, and accepts no more writes. It never returns bytes that cannot have been appended.

import { expect, test } from 'vitest'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { append, diskWithData, makeBatch, openLog } from '../logFixture.ts'

const path = '/data/orders-0/00000000000000000000.log'
const batchBytes = makeBatch({ records: 1, label: 'x' }).length

/** Three batches in a first segment, one in a second. */
async function twoSegments(): Promise<{ disk: MemoryDisk; log: PartitionLog }> {
  const disk = await diskWithData()
  const log = await openLog(disk)
  for (const _ of [0, 1, 2]) await append(log, { records: 1, label: 'x' })
  await log.roll()
  await append(log, { records: 1, label: 'x' })
  return { disk, log }
}

async function overwrite(disk: MemoryDisk, position: number, bytes: number[]): Promise<void> {
  const file = await disk.open(path, 'write')
  await file.write([Buffer.from(bytes)], position)
  await file.close()
}

test.each([
  ['an invalid length', 8, [0, 0, 0, 1]],
  ['another magic', 16, [7]],
  ['a last offset below the first', 23, [0x80, 0, 0, 0]],
])('%s ends the read', async (_, field, bytes) => {
  const { disk, log } = await twoSegments()
  await overwrite(disk, batchBytes + field, bytes)
  expect((await log.read(0, 1000)).bytes).toHaveLength(batchBytes)
  expect(log.offline).toBeUndefined()
  const failure = await log.read(1, 1000).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'LOG_CORRUPT' })
  expect(String(failure)).toContain(`${path} is damaged at byte ${batchBytes}`)
  expect(log.offline).toMatchObject({ code: 'LOG_CORRUPT' })
  const refused = await append(log, { records: 1 })
  expect(refused.errorCode).toBe(ErrorCode.kafkaStorageError)
  expect((await log.read(0, 1000)).bytes).toHaveLength(batchBytes)
  expect((await log.read(3, 1000)).bytes).toHaveLength(batchBytes)
  await log.close()
})

test('offsets that decrease are not returned', async () => {
  const { disk, log } = await twoSegments()
  await overwrite(disk, 2 * batchBytes, [0, 0, 0, 0, 0, 0, 0, 0])
  expect((await log.read(0, 1000)).bytes).toHaveLength(2 * batchBytes)
  await log.close()
})

test('a file that was shortened is damage', async () => {
  const { disk, log } = await twoSegments()
  const file = await disk.open(path, 'write')
  await file.truncate(batchBytes + 10)
  await file.close()
  await expect(log.read(1, 1000)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  expect(log.offline?.message).toContain('the file ends within a batch')
  await log.close()
})
