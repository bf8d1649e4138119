// The copy that a process keeps of a shared log: what it has, after failures too.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type {
  LogEntry,
  LogHistory,
  LogSnapshot,
} from '../../../../protocol/coordination/log/coordinationLog.ts'
import { openLevelLog } from '../../../../protocol/coordination/log/levelLog.ts'
import {
  copyProblem,
  LocalCopy,
  readLocalCopy,
} from '../../../../protocol/coordination/log/localCopy.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import type { OpenKeyValueStore } from '../../../../protocol/runtime/store/keyValueStore.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { FailingStores } from './failingStores.ts'

const directory = '/data/copy'
const identity = { generation: 1, id: 'a log' }
const empty: LogHistory = { identity, snapshot: undefined, entries: [], lastSequence: 0 }

function entryAt(sequence: number, text = `entry ${sequence}`): LogEntry {
  return { sequence, bytes: Buffer.from(text) }
}

function snapshotAt(sequence: number): LogSnapshot {
  return { sequence, bytes: Buffer.from(`state at ${sequence}`) }
}

/** A fold that only counts, with its copy. */
class Follower {
  readonly copy: LocalCopy
  readonly clock = new ManualClock()
  readonly problems: (string | undefined)[] = []
  identity = identity
  sequence = 0
  snapshots = 0

  constructor(open: OpenKeyValueStore) {
    this.copy = new LocalCopy(
      {
        directory,
        clock: this.clock,
        folded: () => {
          this.snapshots++
          const snapshot = this.sequence === 0 ? undefined : snapshotAt(this.sequence)
          return { identity: this.identity, snapshot }
        },
        onProblem: (problem) => this.problems.push(problem?.message),
      },
      open,
    )
  }

  begin(history: LogHistory): void {
    this.identity = history.identity
    this.sequence = history.lastSequence
    this.copy.begin(history)
  }

  /** Folds the next entries. */
  fold(count: number, text?: string): void {
    for (let each = 0; each < count; each++) {
      this.sequence++
      this.copy.entry(entryAt(this.sequence, text))
    }
  }
}

async function kept(open: OpenKeyValueStore): Promise<[snapshot: number, last: number]> {
  const history = (await readLocalCopy(directory, open))!
  expect(history.snapshot).toEqual(history.snapshot && snapshotAt(history.snapshot.sequence))
  for (const entry of history.entries) expect(entry).toEqual(entryAt(entry.sequence))
  return [history.snapshot?.sequence ?? 0, history.lastSequence]
}

/** All entries in the store, also those that no reader would return. */
async function entryCount(open: OpenKeyValueStore): Promise<number> {
  const store = await open(directory)
  const range = { from: Buffer.from('log/e'), until: Buffer.from('log/f') }
  let count = 0
  for await (const group of store.entries(range, 100)) count += group.length
  await store.close()
  return count
}

describe('LocalCopy', () => {
  test('has the entries since the newest snapshot', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    expect(await follower.copy.load()).toBeUndefined()
    follower.begin(empty)
    await settle()
    follower.fold(5)
    await settle()
    follower.copy.snapshot(snapshotAt(3))
    follower.fold(2)
    await follower.copy.close()
    expect(await kept(open)).toEqual([3, 7])
    expect(await entryCount(open)).toBe(4)
    expect(follower.problems).toEqual([])
  })

  test('is continued after a restart with what was missed', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    await follower.copy.load()
    follower.begin(empty)
    await settle()
    follower.fold(4)
    await follower.copy.close()
    const again = new Follower(open)
    expect((await again.copy.load())?.lastSequence).toBe(4)
    const entries = [3, 4, 5, 6].map((sequence) => entryAt(sequence))
    again.begin({ identity, snapshot: snapshotAt(2), entries, lastSequence: 6 })
    again.fold(1)
    await again.copy.close()
    expect(await kept(open)).toEqual([2, 7])
    expect(again.snapshots).toBe(0)
  })

  test('is replaced by the fold if it is of another log, or ends before the snapshot', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    await follower.copy.load()
    follower.begin(empty)
    await settle()
    follower.fold(4)
    await follower.copy.close()
    for (const other of [identity, { generation: 2, id: 'repaired' }]) {
      const again = new Follower(open)
      await again.copy.load()
      again.begin({ identity: other, snapshot: snapshotAt(9), entries: [], lastSequence: 9 })
      await settle()
      again.fold(1)
      await again.copy.close()
      expect(again.snapshots).toBe(1)
      expect(await kept(open)).toEqual([9, 10])
      expect((await readLocalCopy(directory, open))!.identity).toEqual(other)
    }
  })

  test('replaced by the fold of a shorter log, nothing of the earlier one is left', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    await follower.copy.load()
    follower.begin(empty)
    await settle()
    follower.fold(4)
    await follower.copy.close()
    const again = new Follower(open)
    await again.copy.load()
    const repaired = { generation: 2, id: 'repaired' }
    again.begin({ identity: repaired, snapshot: snapshotAt(2), entries: [], lastSequence: 2 })
    await again.copy.close()
    expect(await kept(open)).toEqual([2, 2])
    expect(await entryCount(open)).toBe(0)
  })

  test('a jump over entries by a snapshot leaves no gap', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    await follower.copy.load()
    follower.begin(empty)
    follower.fold(4)
    await settle()
    follower.sequence = 20
    follower.copy.snapshot(snapshotAt(20))
    follower.fold(2)
    await follower.copy.close()
    expect(await kept(open)).toEqual([20, 22])
  })

  test('an entry after a gap replaces the copy', async () => {
    const { open } = new MemoryStores()
    const follower = new Follower(open)
    await follower.copy.load()
    follower.begin(empty)
    follower.fold(2)
    await settle()
    follower.sequence = 6
    follower.fold(1)
    await follower.copy.close()
    expect(await kept(open)).toEqual([7, 7])
  })

  test('a failed write is reported once, and retried from the fold', async () => {
    for (const isWritten of [false, true]) {
      const failing = new FailingStores(new MemoryStores().open)
      const follower = new Follower(failing.open)
      await follower.copy.load()
      follower.begin(empty)
      follower.fold(3)
      await settle()
      failing.failure = { write: failing.writes + 1, code: 'ENOSPC', isWritten }
      failing.openFailures.push('ENOSPC', 'ENOSPC')
      follower.fold(2)
      await settle()
      follower.fold(2)
      await follower.clock.advanceAndSettle(29_999)
      expect(follower.problems).toEqual(['ENOSPC: simulated'])
      await follower.clock.advanceAndSettle(1)
      expect(follower.problems).toEqual(['ENOSPC: simulated', undefined])
      follower.fold(1)
      await follower.copy.close()
      expect(await kept(failing.open)).toEqual([7, 8])
    }
  })

  test('a queue that overflows is replaced by the state of the fold', async () => {
    const stores = new MemoryStores()
    const follower = new Follower(stores.open)
    await follower.copy.load()
    follower.begin(empty)
    await settle()
    const before = follower.snapshots
    follower.fold(20, 'x'.repeat(1024 * 1024))
    await settle()
    follower.fold(1)
    await follower.copy.close()
    expect(follower.snapshots).toBe(before + 1)
    expect(await kept(stores.open)).toEqual([20, 21])
  })

  test('property: after a power failure, the copy is a prefix of what was folded', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ fold: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 1, arbitrary: fc.record({ snapshotBack: fc.nat({ max: 3 }) }) },
      { weight: 2, arbitrary: fc.constant('settle' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), async (steps, seed) => {
        const stores = new MemoryStores()
        const follower = new Follower(stores.open)
        await follower.copy.load()
        follower.begin(empty)
        await settle()
        for (const each of steps) {
          if (each === 'settle') await settle()
          else if ('fold' in each) follower.fold(each.fold)
          else if (follower.sequence > each.snapshotBack) {
            follower.copy.snapshot(snapshotAt(follower.sequence - each.snapshotBack))
          }
        }
        stores.crash(seededRandom(seed))
        const history = await readLocalCopy(directory, stores.open)
        if (history !== undefined) {
          expect(history.lastSequence).toBeLessThanOrEqual(follower.sequence)
          await kept(stores.open)
        }
        await settle()
      }),
      { numRuns: 100 },
    )
  })
})

describe('copyProblem', () => {
  const log: LogHistory = {
    identity,
    snapshot: snapshotAt(2),
    entries: [3, 4, 5].map((sequence) => entryAt(sequence)),
    lastSequence: 5,
  }

  test('a copy that is behind, or of a generation before a repair, is right', () => {
    expect(copyProblem({ ...log, entries: log.entries.slice(0, 1), lastSequence: 3 }, log)).toBe(
      undefined,
    )
    expect(copyProblem(log, { ...empty, identity: { generation: 2, id: 'repaired' } })).toBe(
      undefined,
    )
  })

  test('a log that lost entries, forked or was created anew is noticed', () => {
    const longer = { ...log, entries: [...log.entries, entryAt(6)], lastSequence: 6 }
    expect(copyProblem(longer, log)).toContain('ends at 5, but this process has entry 6')
    const forked = { ...log, entries: [entryAt(4, 'other')] }
    expect(copyProblem(log, forked)).toContain('entry 4 is another one')
    expect(copyProblem(log, { ...log, identity: { ...identity, id: 'new' } })).toContain('new')
  })
})

describe('readLocalCopy', () => {
  test('reads an embedded log as well, and nothing from an empty directory', async () => {
    const { open } = new MemoryStores()
    expect(await readLocalCopy(directory, open)).toBeUndefined()
    const random = seededRandom(1)
    const options = { directory, makeRoom: async () => false, random, clock: new ManualClock() }
    const owner = await openLevelLog(options, open)
    const log = owner.open('a')
    for (let sequence = 1; sequence <= 4; sequence++) {
      await log.append(sequence, entryAt(sequence).bytes)
    }
    await log.writeSnapshot(snapshotAt(3))
    const history = await log.load()
    await owner.close()
    expect(await readLocalCopy(directory, open)).toEqual(history)
    expect(await kept(open)).toEqual([3, 4])
  })
})
