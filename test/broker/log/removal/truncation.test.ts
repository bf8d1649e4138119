// A follower whose leader starts above its end removes its log and starts there. Each crash point,
// and each disk call that fails once, must leave a log that opens: a prefix of the old one, or the
// new empty one.

import { expect, test } from 'vitest'
import { CommitJournal } from '../../../../broker/log/journal/commitJournal.ts'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import type { Disk } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, diskWithData, makeBatch, openLog, readValues, stored } from '../logFixture.ts'
import { mortalDisk } from '../mortalDisk.ts'

/** The checkpoints of a data directory, as a LogManager saves them for the log. */
class Saved {
  recoveryPoint = 0
  logStartOffset = 0
  journals = 0
  #log: PartitionLog | undefined

  async open(disk: Disk, isJournaled = false): Promise<PartitionLog> {
    const journal = isJournaled ? await this.#journal(disk) : undefined
    const { recoveryPoint, logStartOffset } = this
    this.#log = await openLog(disk, {
      recoveryPoint,
      logStartOffset,
      isKnown: true,
      journal,
      saveRecoveryPoint: async () => {
        // A checkpoint is a change of the disk, too, and may be the change that fails.
        await disk.writeFileAtomic('/data/recovery', Buffer.alloc(1))
        this.recoveryPoint = this.#log!.recoveryPoint
      },
      saveLogStartOffset: async () => {
        await disk.writeFileAtomic('/data/start', Buffer.alloc(1))
        this.logStartOffset = this.#log!.logStartOffset
      },
    })
    return this.#log
  }

  async checkpoint(): Promise<void> {
    await this.#log!.checkpoint()
    this.recoveryPoint = this.#log!.recoveryPoint
  }

  #journal(disk: Disk): Promise<CommitJournal> {
    return CommitJournal.open({
      disk,
      logger: silentLogger,
      scheduler: systemScheduler,
      directory: '/data',
      random: seededRandom(this.journals++),
      fileBytes: 4000,
      recoveryPointOf: () => this.recoveryPoint,
    })
  }
}

/** Three segments, two epochs, a producer, a start inside the second segment. */
async function oldLog(saved: Saved, disk: Disk, isJournaled: boolean): Promise<PartitionLog> {
  const log = await saved.open(disk, isJournaled)
  for (let number = 0; number < 6; number++) {
    if (number > 0 && number % 2 === 0) await log.roll()
    const sender = { producerId: 3, producerEpoch: 0, baseSequence: number * 2 }
    await append(log, { records: 2, label: `r${number}`, ...sender }, number < 3 ? 1 : 2)
  }
  await saved.checkpoint()
  await append(log, { records: 2, label: 'after' }, 2)
  await log.deleteRecordsBefore(5)
  return log
}

const oldValues = [
  'r2/0',
  'r2/1',
  'r3/0',
  'r3/1',
  'r4/0',
  'r4/1',
  'r5/0',
  'r5/1',
  'after/0',
  'after/1',
]

async function expectNew(log: PartitionLog, offset: number): Promise<void> {
  const { logStartOffset, logEndOffset, highWatermark, offline, segmentCount } = log
  expect([logStartOffset, logEndOffset, highWatermark]).toEqual([offset, offset, offset])
  expect([offline, segmentCount, [...log.producers()]]).toEqual([undefined, 1, []])
  expect(log.endOffsetForEpoch(9)).toBeUndefined()
}

test.each([
  ['above its end', 100],
  ['below its start', 2],
  ['inside', 7],
  ['at 0', 0],
])('the log starts anew at an offset %s', async (_, offset) => {
  const disk = await diskWithData()
  const saved = new Saved()
  const log = await oldLog(saved, disk, true)
  const waiting = log.truncateFullyAndStartAt(offset)
  await waiting
  await expectNew(log, offset)
  const batch = stored(makeBatch({ records: 2, label: 'new' }), offset, 3)
  expect(await log.appendAsFollower(batch)).toMatchObject({ errorCode: 0, baseOffset: offset })
  expect(await readValues(log)).toEqual(['new/0', 'new/1'])
  disk.crash()
  const again = await saved.open(disk, true)
  expect([again.logStartOffset, again.logEndOffset]).toEqual([offset, offset + 2])
  expect(await readValues(again)).toEqual(['new/0', 'new/1'])
  await again.close()
})

/** The number of changes of the disk that a truncation makes. */
async function changesOf(offset: number, isJournaled: boolean): Promise<number> {
  let changes = 0
  const disk = await diskWithData(new MemoryDisk({ beforeChange: () => void changes++ }))
  const log = await oldLog(new Saved(), disk, isJournaled)
  changes = 0
  await log.truncateFullyAndStartAt(offset)
  return changes
}

/**
 * Ends before change number `at`: by an error of the disk, or by a crash that loses unsynced
 * writes.
 */
async function interrupted(
  offset: number,
  at: number,
  isJournaled: boolean,
  by: 'error' | 'crash',
) {
  let left = Number.POSITIVE_INFINITY
  let kill = () => {}
  const beforeChange = () => {
    if (left-- > 0) return
    if (by === 'crash') kill()
    throw Object.assign(new Error('EINTR: this change fails'), { code: 'EINTR' })
  }
  const disk = await diskWithData(new MemoryDisk({ beforeChange }))
  const process = mortalDisk(disk)
  kill = () => process.kill()
  const saved = new Saved()
  const log = await oldLog(saved, process, isJournaled)
  left = at
  const failure = await log.truncateFullyAndStartAt(offset).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)
  left = Number.POSITIVE_INFINITY
  process.kill()
  await log.close().catch(() => {})
  await settle()
  disk.crash()
  return await saved.open(mortalDisk(disk), isJournaled)
}

test.each([
  [100, false, 'crash'],
  [100, true, 'crash'],
  [2, false, 'crash'],
  [7, true, 'crash'],
  [100, false, 'error'],
  [2, true, 'error'],
] as const)(
  'to %i (journal: %s), a %s at any change leaves a log that opens',
  async (offset, isJournaled, by) => {
    const changes = await changesOf(offset, isJournaled)
    expect(changes).toBeGreaterThan(10)
    for (let at = 0; at < changes; at++) {
      const log = await interrupted(offset, at, isJournaled, by)
      expect([at, log.offline]).toEqual([at, undefined])
      if (log.logStartOffset === offset) await expectNew(log, offset)
      else {
        expect(log.logStartOffset).toBe(5)
        const values = await readValues(log)
        expect(values).toEqual(oldValues.slice(0, values.length))
      }
      // It can be repeated where it ended.
      await log.truncateFullyAndStartAt(offset)
      await expectNew(log, offset)
      await log.close()
    }
  },
)
