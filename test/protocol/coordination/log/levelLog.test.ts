// The embedded coordination log: conformance on LevelDB and in memory, failed writes, power
// failures, and what is found in a damaged directory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CoordinationLog } from '../../../../protocol/coordination/log/coordinationLog.ts'
import { type LevelLog, openLevelLog } from '../../../../protocol/coordination/log/levelLog.ts'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk/disk.ts'
import { seededRandom, systemRandom } from '../../../../protocol/runtime/random.ts'
import type {
  KeyValueChange,
  OpenKeyValueStore,
} from '../../../../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../../../../protocol/runtime/store/levelStore.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { until } from '../../../eventLoop.ts'
import {
  coordinationLogConformance,
  type LogsUnderTest,
  Recorder,
} from './coordinationLogConformance.ts'
import { FailingStores, type PlannedFailure } from './failingStores.ts'
import { untilOn } from './manualTime.ts'

const directory = '/data/__coordination'

function openIn(open: OpenKeyValueStore, clock = new ManualClock(), makeRoom = async () => false) {
  return openLevelLog({ directory, makeRoom, random: seededRandom(1), clock }, open)
}

async function realLogs(): Promise<LogsUnderTest> {
  const data = mkdtempSync(join(tmpdir(), 'millrace-coordination-'))
  const start = () =>
    openLevelLog({
      directory: join(data, '__coordination'),
      makeRoom: async () => false,
      random: systemRandom(),
      clock: systemClock,
    })
  let owner = await start()
  return {
    open: async (member) => owner.open(member),
    until,
    async restart() {
      await owner.close()
      owner = await start()
    },
    async close() {
      await owner.close()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

async function memoryStoreLogs(): Promise<LogsUnderTest> {
  const stores = new MemoryStores()
  const clock = new ManualClock()
  let owner = await openIn(stores.open, clock)
  return {
    open: async (member) => owner.open(member),
    until: (condition) => untilOn(clock, condition),
    async restart() {
      // What was acknowledged is durable.
      stores.crash()
      owner = await openIn(stores.open, clock)
    },
    close: () => owner.close(),
  }
}

coordinationLogConformance('levelLog on LevelDB', realLogs, { propertyRuns: 10 })
coordinationLogConformance('levelLog in memory', memoryStoreLogs, {
  manyEntries: 300,
  propertyRuns: 60,
})

/** Appends entries as a member does, until all are in; returns how often an outcome was unknown. */
async function appendTexts(log: CoordinationLog, texts: readonly string[]): Promise<number> {
  let unknown = 0
  for (const [at, text] of texts.entries()) {
    for (;;) {
      const outcome = await log.append(at + 1, Buffer.from(text)).catch(() => 'unknown')
      if (outcome === 'appended') break
      if (outcome === 'unknown') unknown++
      const [found] = await log.read(at)
      if (found === undefined) continue
      expect(String(found.bytes)).toBe(text)
      break
    }
  }
  return unknown
}

const texts = ['one', 'two', 'three', 'four', 'five']

async function textsIn(log: CoordinationLog): Promise<string[]> {
  return (await log.load()).entries.map(({ bytes }) => String(Buffer.from(bytes)))
}

describe('a failed write of levelLog', () => {
  const failures: PlannedFailure[] = []
  for (let write = 2; write <= texts.length + 1; write++) {
    for (const code of ['ENOSPC', 'EIO']) {
      for (const isWritten of [false, true]) failures.push({ write, code, isWritten })
    }
  }

  test.each(failures)(
    'loses nothing: write $write, $code, written: $isWritten',
    async (failure) => {
      const stores = new MemoryStores()
      const failing = new FailingStores(stores.open)
      let roomMade = 0
      const makeRoom = async () => {
        roomMade++
        return true
      }
      const owner = await openIn(failing.open, new ManualClock(), makeRoom)
      failing.failure = failure
      const log = owner.open('a')
      const recorder = new Recorder(0)
      log.subscribe(0, recorder)
      expect(await appendTexts(log, texts)).toBe(1)
      expect(roomMade).toBe(failure.code === 'ENOSPC' ? 1 : 0)
      expect(failing.opened).toBe(2)
      await settle()
      expect(recorder.texts).toEqual(texts)
      expect(recorder.disorder).toBeUndefined()
      expect(recorder.reachable).toEqual([false, true])
      await owner.close()
      const again = await openIn(stores.open)
      expect(await textsIn(again.open('a'))).toEqual(texts)
      await again.close()
    },
  )

  test.each([false, true])(
    'of a snapshot leaves either state whole (written: %s)',
    async (isWritten) => {
      const failing = new FailingStores(new MemoryStores().open)
      const owner = await openIn(failing.open)
      const log = owner.open('a')
      await appendTexts(log, texts)
      failing.failure = { write: failing.writes + 1, code: 'ENOSPC', isWritten }
      const snapshot = { sequence: 3, bytes: Buffer.from('state at 3') }
      await expect(log.writeSnapshot(snapshot)).rejects.toMatchObject({
        code: 'COORDINATION_UNAVAILABLE',
        message: expect.stringContaining(directory),
        cause: { code: 'ENOSPC' },
      })
      const { snapshot: found, entries } = await log.load()
      expect(found?.sequence).toBe(isWritten ? 3 : undefined)
      expect(entries.map(({ sequence }) => sequence)).toEqual(isWritten ? [4, 5] : [1, 2, 3, 4, 5])
      await log.writeSnapshot(snapshot)
      expect((await log.load()).entries).toHaveLength(2)
      expect(await log.append(6, Buffer.from('six'))).toBe('appended')
      await owner.close()
    },
  )

  test('ends by itself for those who wait for the log to be reachable', async () => {
    const clock = new ManualClock()
    const failing = new FailingStores(new MemoryStores().open)
    const owner = await openIn(failing.open, clock)
    const log = owner.open('a')
    const recorder = new Recorder(0)
    log.subscribe(0, recorder)
    failing.failure = { write: 2, code: 'EIO', isWritten: true }
    failing.openFailures.push('EMFILE', 'EMFILE')
    await expect(log.append(1, Buffer.from('one'))).rejects.toThrow()
    expect([recorder.reachable, recorder.texts]).toEqual([[false], []])
    await clock.advanceAndSettle(2999)
    expect(recorder.reachable).toEqual([false])
    await clock.advanceAndSettle(1)
    expect([recorder.reachable, recorder.texts]).toEqual([[false, true], ['one']])
    await owner.close()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('two failed writes of levelLog', () => {
  test('are retried by one timer', async () => {
    const clock = new ManualClock()
    const failing = new FailingStores(new MemoryStores().open)
    const owner = await openIn(failing.open, clock)
    const log = owner.open('a')
    for (const write of [2, 3]) {
      failing.failure = { write, code: 'EIO', isWritten: false }
      await expect(log.append(1, Buffer.from('one'))).rejects.toThrow('EIO')
      expect(clock.pendingTimers).toBe(1)
    }
    await owner.close()
  })
})

describe('a power failure', () => {
  test('property: acknowledged entries survive it at any moment, and the log goes on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.nat()), fc.nat({ max: 40 }), async (seed, crashAfter) => {
        const stores = new MemoryStores()
        let remaining = crashAfter
        const crashing: OpenKeyValueStore = async (path) => {
          const store = await stores.open(path)
          return {
            ...store,
            write: async (changes, options) => {
              if (remaining-- === 0) stores.crash(seededRandom(seed))
              await store.write(changes, options)
            },
          }
        }
        const acknowledged = await appendUntilCrash(crashing)
        const again = await openIn(stores.open)
        const log = again.open('a')
        const { snapshot, lastSequence } = await log.load()
        expect(lastSequence).toBeGreaterThanOrEqual(acknowledged)
        expect(lastSequence).toBeGreaterThanOrEqual(snapshot?.sequence ?? 0)
        expect(await log.append(lastSequence + 1, Buffer.from('next'))).toBe('appended')
        await again.close()
      }),
      { numRuns: 60 },
    )
  })

  /** Appends, with a snapshot after each tenth entry; returns the last acknowledged sequence. */
  async function appendUntilCrash(open: OpenKeyValueStore): Promise<number> {
    let acknowledged = 0
    try {
      const log = (await openIn(open)).open('a')
      while (acknowledged < 60) {
        await log.append(acknowledged + 1, Buffer.from(`entry ${acknowledged + 1}`))
        acknowledged++
        if (acknowledged % 10 > 0) continue
        await log.writeSnapshot({ sequence: acknowledged - 2, bytes: Buffer.from('state') })
      }
    } catch (error) {
      expect(String((error as { cause?: unknown }).cause ?? error)).toContain('ECRASHED')
    }
    return acknowledged
  }
})

describe('opening a levelLog', () => {
  test('names the data directory if another process has locked it', async () => {
    const stores = new MemoryStores()
    const owner = await openIn(stores.open)
    const error = await openIn(stores.open).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DirectoryInUseError)
    expect(error).toMatchObject({ directory: '/data' })
    await owner.close()
  })

  test('makes room on a full disk, and says what to do if there is none', async () => {
    const failing = new FailingStores(new MemoryStores().open)
    failing.openFailures.push('ENOSPC')
    await (await openIn(failing.open, new ManualClock(), async () => true)).close()
    failing.openFailures.push('ENOSPC')
    await expect(openIn(failing.open)).rejects.toMatchObject({
      code: 'COORDINATION_UNAVAILABLE',
      message: expect.stringMatching(/cannot be opened \(ENOSPC.*free disk space/),
    })
    failing.openFailures.push('EACCES')
    await expect(openIn(failing.open)).rejects.toThrow('cannot write to /data: permission denied')
    failing.openFailures.push('EBADMSG')
    await expect(openIn(failing.open)).rejects.toMatchObject({
      code: 'COORDINATION_DAMAGED',
      message: expect.stringContaining('restore it from a backup'),
    })
  })

  test('creates the log also if the first write of its identity fails', async () => {
    const failing = new FailingStores(new MemoryStores().open)
    failing.failure = { write: 1, code: 'ENOSPC', isWritten: false }
    const owner = await openIn(failing.open, new ManualClock(), async () => true)
    expect((await owner.open('a').load()).identity.generation).toBe(1)
    await owner.close()
  })

  async function withChanges(...changes: KeyValueChange[]): Promise<MemoryStores> {
    const stores = new MemoryStores()
    const owner = await openIn(stores.open)
    await appendTexts(owner.open('a'), texts)
    await owner.close()
    const store = await stores.open(directory)
    await store.write(changes)
    await store.close()
    return stores
  }
  const put = (key: string, value: string): KeyValueChange => ({
    type: 'put',
    key: Buffer.from(key),
    value: Buffer.from(value),
  })
  const del = (key: string): KeyValueChange => ({ type: 'del', key: Buffer.from(key) })

  test.each([
    [del('log/e0000000000000003'), 'entry 3 is missing'],
    [del('log/e0000000000000001'), 'entry 1 is missing'],
    [del('log/identity'), 'the identity of the log is missing'],
    [put('log/identity', '{"gen'), 'the identity of the log is damaged ({"gen)'],
    [put('log/snapshotSequence', 'x'), 'x is not the sequence of an entry'],
    [put('log/e00x', ''), '00x is not the sequence of an entry'],
  ])('names what is corrupt: %o', async (change, problem) => {
    const { open } = await withChanges(change)
    await expect(openIn(open)).rejects.toMatchObject({
      code: 'COORDINATION_DAMAGED',
      message: `${directory}: ${problem}; restore the directory from a backup`,
    })
  })

  test('refuses a log of a later release', async () => {
    const { open } = await withChanges(put('log/identity', '{"format":2}'))
    await expect(openIn(open)).rejects.toMatchObject({ code: 'COORDINATION_UNSUPPORTED' })
  })

  test('leaves the metadata of an earlier release in the same store as it is', async () => {
    const stores = new MemoryStores()
    const earlier = [put('c0000000000000001', 'entry'), put('s', 'snapshot'), put('n', '1')]
    const store = await stores.open(directory)
    await store.write(earlier)
    await store.close()
    const owner = await openIn(stores.open)
    await appendTexts(owner.open('a'), texts)
    await owner.open('a').writeSnapshot({ sequence: 2, bytes: Buffer.from('state') })
    expect(await textsIn(owner.open('b'))).toEqual(texts.slice(2))
    await owner.close()
    const again = await stores.open(directory)
    const kept = await again.getMany(earlier.map(({ key }) => key))
    expect(kept.map(String)).toEqual(['entry', 'snapshot', '1'])
    await again.close()
  })

  test('on LevelDB, a directory in use is named', async () => {
    const data = mkdtempSync(join(tmpdir(), 'millrace-coordination-'))
    const options = { makeRoom: async () => false, random: systemRandom(), clock: systemClock }
    const open = () => openLevelLog({ ...options, directory: join(data, 'log') }, openLevelStore)
    const owner = await open()
    await expect(open()).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE', directory: data })
    await owner.close()
    rmSync(data, { recursive: true, force: true })
  })
})

describe('the members of a levelLog', () => {
  test('a log is shared while more than one member has it open', async () => {
    const owner: LevelLog = await openIn(new MemoryStores().open)
    const a = owner.open('a')
    expect(a.isShared).toBe(false)
    const b = owner.open('b')
    expect([a.isShared, b.isShared]).toEqual([true, true])
    await b.close()
    expect(a.isShared).toBe(false)
    await owner.close()
  })

  test('too many waiting calls are refused', async () => {
    const owner = await openIn(new MemoryStores().open)
    const log = owner.open('a')
    const calls = Array.from({ length: 10_001 }, () => log.read(0))
    const outcomes = await Promise.allSettled(calls)
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(1)
    expect(refused[0]).toMatchObject({ reason: { code: 'COORDINATION_BUSY' } })
    await owner.close()
  })
})
