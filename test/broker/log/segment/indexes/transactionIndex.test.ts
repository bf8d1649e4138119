// The file of aborted transactions has the bytes of Kafka, and is repaired whatever happened to it.
// Every test reads sealed segments, so that the file is used.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PartitionLog } from '../../../../../broker/log/partitionLog.ts'
import type { AbortedTransaction } from '../../../../../broker/log/readResult.ts'
import { TransactionIndex } from '../../../../../broker/log/segment/indexes/transactionIndex.ts'
import type { MemoryDisk } from '../../../../../protocol/runtime/disk/memoryDisk.ts'
import { append, diskWithData, notedOf, openLog } from '../../logFixture.ts'
import { committedRead, end, type Sender, write } from '../../transactionFixture.ts'

const anna: Sender = { producerId: 1, producerEpoch: 0 }
const bert: Sender = { producerId: 2, producerEpoch: 0 }
const directory = '/data/orders-0'
const pathOf = (offset: number, suffix: string) =>
  `${directory}/${String(offset).padStart(20, '0')}${suffix}`

async function overwrite(disk: MemoryDisk, path: string, bytes: Buffer): Promise<void> {
  await disk.remove(path)
  const file = await disk.open(path, 'write')
  await file.write([bytes], 0)
  await file.close()
}

/** Anna's transaction is aborted in the segment after the one it began in; bert's within that. */
async function logWithAborts(disk: MemoryDisk): Promise<PartitionLog> {
  const log = await openLog(disk)
  await append(log, { records: 1 })
  await write(log, anna, 0)
  await log.roll()
  await write(log, bert, 0)
  await end(log, bert, false)
  await end(log, anna, false)
  await log.roll()
  await append(log, { records: 1 })
  return log
}

const abortedOfBert = { producerId: 2, firstOffset: 2 }
const abortedOfAnna = { producerId: 1, firstOffset: 1 }
const segmentWithMarkers = 2

async function checkReads(log: PartitionLog): Promise<void> {
  expect((await committedRead(log, 0)).aborted).toEqual([abortedOfAnna])
  expect((await committedRead(log, 2)).aborted).toEqual([abortedOfBert, abortedOfAnna])
  expect((await committedRead(log, 4)).aborted).toEqual([abortedOfAnna])
  expect((await committedRead(log, 5)).aborted).toEqual([])
}

test('has the bytes of Kafka', async () => {
  const disk = await diskWithData()
  const log = await logWithAborts(disk)
  await log.close()
  const entry = (...numbers: number[]) =>
    `0000${numbers.map((number) => number.toString(16).padStart(16, '0')).join('')}`
  const bytes = await disk.readFile(pathOf(segmentWithMarkers, '.txnindex'))
  // Producer, first offset, marker, last stable offset after it: anna's was still open at bert's
  // end.
  expect(bytes!.toString('hex')).toBe(entry(2, 2, 3, 1) + entry(1, 1, 4, 5))
  expect(await disk.stat(pathOf(0, '.txnindex'))).toBeUndefined()
  expect(await disk.stat(pathOf(5, '.txnindex'))).toBeUndefined()
})

describe('after a restart', () => {
  test('the file is read', async () => {
    const disk = await diskWithData()
    const log = await logWithAborts(disk)
    await checkReads(log)
    await log.close()
    const again = await openLog(disk, { recoveryPoint: log.recoveryPoint })
    await checkReads(again)
    await again.close()
  })

  test.each<[string, (disk: MemoryDisk) => Promise<void>]>([
    ['truncated', (disk) => cut(disk, 40)],
    ['of an unknown version', (disk) => spoil(disk, 1)],
    ['out of order', (disk) => spoil(disk, 34 + 2 + 23)],
    ['removed with the other indexes', removeIndexes],
    ['removed with the other indexes and the producer snapshot', removeIndexesAndSnapshot],
  ])('a file that is %s is rebuilt', async (_what, damage) => {
    const disk = await diskWithData()
    const log = await logWithAborts(disk)
    await log.close()
    await damage(disk)
    const again = await openLog(disk, { recoveryPoint: log.recoveryPoint })
    expect(again.offline).toBeUndefined()
    await checkReads(again)
    await again.close()
  })

  async function cut(disk: MemoryDisk, sizeBytes: number): Promise<void> {
    const path = pathOf(segmentWithMarkers, '.txnindex')
    await overwrite(disk, path, (await disk.readFile(path))!.subarray(0, sizeBytes))
  }

  async function spoil(disk: MemoryDisk, position: number): Promise<void> {
    const path = pathOf(segmentWithMarkers, '.txnindex')
    const bytes = (await disk.readFile(path))!
    bytes[position]! ^= 7
    await overwrite(disk, path, bytes)
  }

  async function removeIndexes(disk: MemoryDisk): Promise<void> {
    for (const suffix of ['.index', '.timeindex', '.txnindex']) {
      await disk.remove(pathOf(segmentWithMarkers, suffix))
    }
  }

  async function removeIndexesAndSnapshot(disk: MemoryDisk): Promise<void> {
    await removeIndexes(disk)
    await disk.remove(pathOf(segmentWithMarkers, '.snapshot'))
  }
})

/** An open transaction, whose abort was saved and then truncated. */
async function logWithAbortCutOff() {
  const disk = await diskWithData()
  const log = await openLog(disk)
  await write(log, anna, 0)
  await end(log, anna, false)
  await log.checkpoint()
  await log.truncateTo(1)
  return { disk, log }
}

test('transactions that were saved and then truncated are not found', async () => {
  const { disk, log } = await logWithAbortCutOff()
  await end(log, anna, true)
  await log.roll()
  await append(log, { records: 1 })
  await log.close()
  const again = await openLog(disk, { recoveryPoint: log.recoveryPoint })
  expect(await committedRead(again, 0)).toMatchObject({ offsets: [0, 1], aborted: [] })
  await again.close()
})

test('nor are they in a log that is opened from its saved state afterwards', async () => {
  const { disk, log } = await logWithAbortCutOff()
  await log.close()
  const again = await openLog(disk, { recoveryPoint: log.recoveryPoint, ...notedOf(log) })
  await end(again, anna, true)
  expect(await committedRead(again, 0)).toMatchObject({ offsets: [0, 1], aborted: [] })
  await again.close()
})

test('a deleted segment takes its file with it', async () => {
  const disk = await diskWithData()
  const log = await logWithAborts(disk)
  await log.close()
  const again = await openLog(disk, { recoveryPoint: log.recoveryPoint })
  expect((await again.deleteRecordsBefore(5)).errorCode).toBe(0)
  await again.applyRetention()
  await again.close()
  const names = await disk.list(directory)
  expect(names.filter((name) => name.includes('.txnindex'))).toEqual([])
})

test('only overlapping transactions are collected, and no more than needed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 12 }),
      fc.nat(30),
      fc.nat(12),
      (lengths, offset, more) => {
        const index = TransactionIndex.empty()
        const entries = lengths.map((length, at) => {
          const lastOffset = 8 + at * 2
          const firstOffset = lastOffset - length
          return { producerId: at, firstOffset, lastOffset, lastStableOffset: 0 }
        })
        for (const [at, entry] of entries.entries()) {
          const later = entries.slice(at + 1).map(({ firstOffset }) => firstOffset)
          const lastStableOffset = Math.min(entry.lastOffset + 1, ...later)
          index.append({ ...entry, lastStableOffset })
        }
        const loaded = TransactionIndex.load(0, index.copyFrom(0))
        const found: AbortedTransaction[] = []
        const isDone = loaded.collect(offset, offset + more, found)
        expect(found).toEqual(
          entries
            .filter(({ firstOffset, lastOffset }) => {
              return lastOffset >= offset && firstOffset < offset + more
            })
            .map(({ producerId, firstOffset }) => ({ producerId, firstOffset })),
        )
        if (isDone) expect(entries.at(-1)!.lastOffset + 1).toBeGreaterThanOrEqual(offset + more)
      },
    ),
  )
})
