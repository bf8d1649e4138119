// One segment replaces several while the power fails: at every operation of the disk, with every
// kind of loss. Afterwards the log has either the old segments or the new one.

import { expect, test } from 'vitest'
import { buildEndTransactionMarker } from '../../../../protocol/kafka/records/endTransactionMarker.ts'
import { type CrashOptions, MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { diskWithData, openLog, readAll } from '../logFixture.ts'
import { mortalDisk } from '../mortalDisk.ts'
import { appendWhole, cleanLog, compactConfig, keyedBatch } from './cleaningFixture.ts'

const directory = '/data/orders-0'
const transaction = { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true }
const config = { ...compactConfig, segmentBytes: 2000, indexIntervalBytes: 50 }

/** A log of several small segments, which the next round merges. */
async function smallSegments(disk: MemoryDisk) {
  await diskWithData(disk)
  const process = mortalDisk(disk)
  const log = await openLog(process, { config })
  for (let number = 0; number < 12; number++) {
    await appendWhole(log, keyedBatch([[`key ${number % 4}`, String(number)]]))
    if (number % 3 === 2) await log.roll()
    if (number === 4) await appendWhole(log, keyedBatch([['key 1', 'aborted']], transaction))
  }
  const abort = { isCommit: false, coordinatorEpoch: 0 }
  await appendWhole(log, buildEndTransactionMarker(transaction, abort, 2000))
  await log.roll()
  await log.checkpoint()
  return { log, process }
}

/** The log before and after the round, and the number of changes of the disk in the round. */
async function undisturbed() {
  let changes = 0
  const disk = new MemoryDisk({ beforeChange: () => changes++ })
  const { log, process } = await smallSegments(disk)
  expect(log.segmentCount).toBe(6)
  const before = await readAll(log)
  changes = 0
  await cleanLog(log, { disk: process })
  expect(log.segmentCount).toBe(2)
  const after = await readAll(log)
  expect(after.length).toBeLessThan(before.length)
  return { before, after, changes }
}

async function crashAt(change: number, loss: CrashOptions): Promise<Buffer> {
  let left = Number.POSITIVE_INFINITY
  const crash = () => {
    process.kill()
    disk.crash(loss)
  }
  const beforeChange = () => {
    left--
    if (left === 0) crash()
  }
  const disk = new MemoryDisk({ beforeChange })
  const { log, process } = await smallSegments(disk)
  const { recoveryPoint } = log
  left = change
  await expect(cleanLog(log, { disk: process })).rejects.toThrow()
  await settle()
  const reopened = await openLog(disk, { config, recoveryPoint })
  expect(reopened.offline).toBeUndefined()
  const names = await disk.list(directory)
  expect(names.filter((name) => /\.(cleaned|swap|deleted)$/.test(name))).toEqual([])
  const content = await readAll(reopened)
  const { abortedTransactions } = await reopened.read(5, 10_000, { upTo: 'lastStable' })
  expect(abortedTransactions).toEqual([{ producerId: 1, firstOffset: 5 }])
  await reopened.close()
  return content
}

test('a crash at any change of the disk leaves the old segments or the new one', async () => {
  const { before, after, changes } = await undisturbed()
  expect(changes).toBeGreaterThan(30)
  const outcomes = new Set<string>()
  for (let change = 1; change <= changes; change++) {
    const keepUnsynced = seededRandom(change)
    for (const loss of [{}, { keepUnsynced }, { keepUnsynced, reorder: true }]) {
      const content = await crashAt(change, loss)
      outcomes.add(content.equals(before) ? 'before' : content.equals(after) ? 'after' : 'mixed')
    }
  }
  expect([...outcomes].sort()).toEqual(['after', 'before'])
})
