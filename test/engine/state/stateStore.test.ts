// StateStore against a model: values and timers per version. Batches of random writes are
// committed, crash before, during and after their write, and are rerun; a batch always starts from
// the state before that batch, and every version still stored can be read.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { partOf } from '../../../engine/keys/key.ts'
import type { StateTimer, TimeDomain } from '../../../engine/state/keyedState.ts'
import { openLevelStateDatabase } from '../../../engine/state/levelStateDatabase.ts'
import { OperatorState } from '../../../engine/state/operatorState.ts'
import {
  allParts,
  allTimers,
  allValues,
  keyOfValue,
  timerOf,
} from '../../../engine/state/stateLayout.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import type { StateTransaction } from '../../../engine/state/stateTransaction.ts'
import type { StateSize } from '../../../engine/state/stateVersion.ts'
import type { StateView } from '../../../engine/state/stateView.ts'
import { v8Codec } from '../../../engine/state/v8Codec.ts'
import { ValueCache } from '../../../engine/state/valueCache.ts'
import { MemoryStateDatabase, type NextWrite } from './memoryStateDatabase.ts'

interface Model {
  readonly values: Map<string, unknown>
  /** Timers by their description. */
  readonly timers: Map<string, StateTimer>
}

const keys = ['sa', 'sb', 'sab', 'sä', 's', 's\ud800', 's\udfff', 's\ufffd', 's\0', 'n1', 'n2', 'z']
/**
 * Parts of keys: the parts of one key are distinguished by number and not by text, also below 0.
 */
const parts = [
  ...[-(2 ** 40), -1, 0, 1, 2 ** 40].map((part) => partOf('sa', part)),
  partOf('s\0', 1),
]
const names = [...keys, ...parts]
const key = fc.constantFrom(...keys)
const name = fc.constantFrom(...names)
const value = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.record({ n: fc.integer() }, { noNullPrototype: true }),
  fc.constant(null),
)
const domain = fc.constantFrom<TimeDomain>('event', 'processing')
const timeMs = fc.constantFrom(-(2 ** 40), -1, 0, 1, 2, 3, 2 ** 32, 2 ** 40)
const timer: fc.Arbitrary<StateTimer> = fc.record({
  domain,
  timeMs,
  key,
  tag: fc.constantFrom(0, 1, 255),
})

const write = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key: name, value, isLoaded: fc.boolean() }),
  fc.record({ kind: fc.constant('delete' as const), key: name, isLoaded: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('setTimer' as const, 'deleteTimer' as const), timer }),
  fc.record({
    kind: fc.constant('take' as const),
    domain,
    untilMs: fc.oneof(timeMs, fc.constantFrom(-Infinity, Infinity)),
    limit: fc.constantFrom(0, 1, 2, 100),
  }),
)
type Write = typeof write extends fc.Arbitrary<infer W> ? W : never

const step = fc.record({
  /** 0: the next batch; 1: the newest batch again; 2: the batch before the newest again. */
  back: fc.constantFrom(0, 0, 0, 1, 2),
  gap: fc.constantFrom(0, 0, 0, 3),
  /** Outcome of the write that rolls newer batches back, if there is one. */
  begin: fc.constantFrom<NextWrite>(
    ...(['succeeds', 'succeeds', 'is lost', 'is kept but not acknowledged'] as const),
  ),
  writes: fc.array(write, { maxLength: 12 }),
  end: fc.constantFrom<'abandon' | 'reopen' | NextWrite>(
    'succeeds',
    'succeeds',
    'succeeds',
    'abandon',
    'reopen',
    'is lost',
    'is kept but not acknowledged',
  ),
})

class Harness {
  readonly contents = new Map<string, string>()
  /** The states of all versions so far, by batch id. */
  readonly versions = new Map<number, Model>([[-1, emptyModel()]])
  /** The versions that can be reached, newest last: the current version and the two before it. */
  chain: number[] = [-1]
  database = new MemoryStateDatabase(this.contents)
  readonly #cacheBytes: number

  constructor(cacheBytes = 1000) {
    this.#cacheBytes = cacheBytes
  }

  async open(): Promise<StateStore> {
    return await StateStore.open('/state', {
      cache: new ValueCache({ maxBytes: this.#cacheBytes }),
      openDatabase: async () => {
        this.database = new MemoryStateDatabase(this.contents)
        return this.database
      },
    })
  }
}

function emptyModel(): Model {
  return { values: new Map(), timers: new Map() }
}

function copyOf({ values, timers }: Model): Model {
  return { values: new Map(values), timers: new Map(timers) }
}

function stateOf(transaction: StateTransaction): OperatorState {
  return new OperatorState(transaction, v8Codec, { isDone: true })
}

async function apply(state: OperatorState, model: Model, writes: readonly Write[]): Promise<void> {
  for (const each of writes) {
    if (each.kind === 'set') {
      if (each.isLoaded) await state.load([each.key])
      state.set(each.key, each.value)
      model.values.set(each.key, each.value)
      expect(state.get(each.key)).toEqual(each.value)
    } else if (each.kind === 'delete') {
      if (each.isLoaded) await state.load([each.key])
      state.delete(each.key)
      model.values.delete(each.key)
      expect(state.get(each.key)).toBeUndefined()
    } else if (each.kind === 'take') {
      const taken = await state.takeTimers(each.domain, each.untilMs, each.limit)
      const expected = sorted([...model.timers.values()])
        .filter((one) => one.domain === each.domain && one.timeMs <= each.untilMs)
        .slice(0, each.limit)
      expect(taken).toEqual(expected)
      for (const one of taken) {
        model.timers.delete(nameOf(one))
        expect(state.get(one.key)).toEqual(model.values.get(one.key))
      }
    } else if (each.kind === 'setTimer') {
      state.setTimer(each.timer)
      model.timers.set(nameOf(each.timer), each.timer)
    } else {
      state.deleteTimer(each.timer)
      model.timers.delete(nameOf(each.timer))
    }
  }
}

function nameOf({ domain, timeMs, key, tag }: StateTimer): string {
  return JSON.stringify([domain, timeMs, key, tag])
}

/** Sorts by time, key and tag; keys by code points, and U+0000 as the store encodes it. */
function sorted(timers: readonly StateTimer[]): StateTimer[] {
  const order = (text: string) => [...text].map((point) => point.codePointAt(0)! || 0x7f)
  return [...timers].sort((one, other) => {
    if (one.timeMs !== other.timeMs) return one.timeMs - other.timeMs
    const [left, right] = [order(one.key), order(other.key)]
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      const difference = (left[at] ?? -1) - (right[at] ?? -1)
      if (difference !== 0) return difference
    }
    return one.tag - other.tag
  })
}

async function contentsOf(view: StateView): Promise<Model> {
  const model = emptyModel()
  for (const range of [allValues, allParts]) {
    for await (const group of view.entries(range, 3)) {
      for (const [stored, bytes] of group) {
        model.values.set(keyOfValue(stored), v8Codec.decode(bytes))
      }
    }
  }
  for await (const group of view.entries(allTimers, 3)) {
    for (const [name] of group) model.timers.set(nameOf(timerOf(name)), timerOf(name))
  }
  return model
}

async function expectSame(store: StateStore, model: Model): Promise<void> {
  const values = new Map<string, unknown>()
  await store.scan((stored, bytes) => values.set(stored, v8Codec.decode(bytes)))
  const ofKeys = [...model.values].filter(([stored]) => keys.includes(stored))
  expect(values).toEqual(new Map(ofKeys))
}

function sizeOf({ values }: Model): StateSize {
  let bytes = 0
  for (const [stored, held] of values) {
    bytes += Buffer.byteLength(stored) + v8Codec.encode(held).length
  }
  return { rows: [...values.keys()].filter((stored) => keys.includes(stored)).length, bytes }
}

async function expectEveryKeptVersion(store: StateStore, harness: Harness): Promise<void> {
  expect(store.size).toEqual(sizeOf(harness.versions.get(store.version)!))
  for (const [at, version] of harness.chain.entries()) {
    const model = harness.versions.get(version)!
    const until = harness.chain[at + 1] ?? version + 2
    for (const batchId of new Set([version, until - 1])) {
      await store.readAsOf(batchId, async (view) => {
        expect(view.version).toBe(version)
        expect(await contentsOf(view)).toEqual(model)
        const values = await view.values(names)
        expect(values.map((bytes) => bytes && v8Codec.decode(bytes))).toEqual(
          names.map((stored) => model.values.get(stored)),
        )
      })
    }
  }
}

describe('model', () => {
  test('a batch starts from the state before that batch, through crashes and reruns', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 16 }), async (steps) => {
        const harness = new Harness()
        let store = await harness.open()
        for (const { back, gap, begin, writes, end } of steps) {
          const again = Math.min(back, harness.chain.length - 1)
          const batchId = again === 0 ? harness.chain.at(-1)! + 1 + gap : harness.chain.at(-again)!
          const base = harness.chain.slice(0, harness.chain.length - again)
          if (begin !== 'succeeds' && again > 0) {
            harness.database.nextWrite = begin
            await expect(store.begin(batchId)).rejects.toMatchObject({ code: 'STATE_FAILED' })
            await expect(store.begin(batchId)).rejects.toMatchObject({ code: 'STATE_FAILED' })
            if (begin !== 'is lost') harness.chain = base
            store = await harness.open()
            await expectEveryKeptVersion(store, harness)
          }
          const transaction = await store.begin(batchId)
          // Rolling back is durable: the undone versions no longer exist.
          harness.chain = base
          expect(store.version).toBe(base.at(-1))
          expect(transaction.isNew).toBe(base.at(-1) === -1)
          const before = harness.versions.get(base.at(-1)!)!
          const model = copyOf(before)
          await expectSame(store, model)
          await apply(stateOf(transaction), model, writes)
          await expectEveryKeptVersion(store, harness)

          if (end === 'abandon') continue
          if (end !== 'reopen') {
            // The first batch always creates a version, even without changes.
            const isSame = base.at(-1) !== -1 && sameModels(model, before)
            harness.database.nextWrite = end
            const written = harness.database.writes
            const isAcknowledged = await transaction.commit().then(
              () => true,
              () => false,
            )
            expect(isAcknowledged).toBe(end === 'succeeds' || isSame)
            expect(harness.database.writes - written).toBe(isSame ? 0 : 1)
            harness.database.nextWrite = 'succeeds'
            if (end !== 'is lost' && !isSame) {
              harness.versions.set(batchId, model)
              // Two undo records are stored, so the oldest reachable start is two versions back.
              harness.chain = [...base, batchId].slice(-3)
            }
          }
          if (end !== 'succeeds') store = await harness.open()
          expect(store.version).toBe(harness.chain.at(-1))
          await expectEveryKeptVersion(store, harness)
        }
      }),
      { numRuns: 300 },
    )
  })
})

function sameModels(one: Model, other: Model): boolean {
  const text = ({ values, timers }: Model) =>
    JSON.stringify([[...values].sort(byKey), [...timers.keys()].sort()])
  return text(one) === text(other)
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0
}

describe('on level', () => {
  const directories: string[] = []
  const stores: StateStore[] = []

  async function directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'millrace-state-'))
    directories.push(path)
    return path
  }

  async function open(path: string): Promise<StateStore> {
    const store = await StateStore.open(path)
    stores.push(store)
    return store
  }

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
    for (const path of directories.splice(0)) await rm(path, { recursive: true })
  })

  test('agrees with the model over random batches and reruns', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(write, { maxLength: 12 }), { maxLength: 6 }),
        async (batches) => {
          const path = await directory()
          let store = await open(path)
          let model = emptyModel()
          for (const [batchId, writes] of batches.entries()) {
            const lost = await store.begin(batchId)
            stateOf(lost).set('sa', 'of an attempt whose outcome nobody saw')
            lost.setTimer({ domain: 'event', timeMs: 1, key: 'sa', tag: 9 })
            await lost.commit()
            await store.close()
            store = await open(path)
            const transaction = await store.begin(batchId)
            const before = copyOf(model)
            model = copyOf(model)
            await apply(stateOf(transaction), model, writes)
            await transaction.commit()
            await expectSame(store, model)
            const seen = await store.readAsOf(batchId - 1, contentsOf)
            expect(seen).toEqual(before)
          }
          await store.close()
        },
      ),
      { numRuns: 10 },
    )
  })

  test('a directory has one owner', async () => {
    const path = await directory()
    await open(path)
    await expect(StateStore.open(path)).rejects.toMatchObject({ code: 'STATE_IN_USE' })
  })

  test('an error of a read names the state', async () => {
    const path = await directory()
    const database = await openLevelStateDatabase(path)
    await database.close()
    const failed = { code: 'STATE_FAILED', message: expect.stringContaining(path) }
    await expect(database.getMany([Buffer.from('a')])).rejects.toMatchObject(failed)
  })

  test('a view reads its batch while other batches commit, and close waits for the view', async () => {
    const store = await open(await directory())
    const put = async (batchId: number) => {
      const transaction = await store.begin(batchId)
      stateOf(transaction).set('sa', batchId)
      await transaction.commit()
    }
    await put(0)
    let closed: Promise<void> | undefined
    let isClosed = false
    await store.readAsOf(0, async (view) => {
      for (const batchId of [1, 2, 3]) await put(batchId)
      closed = store.close().then(() => {
        isClosed = true
      })
      const [bytes] = await view.values(['sa'])
      expect(v8Codec.decode(bytes!)).toBe(0)
      expect(isClosed).toBe(false)
    })
    await closed
    expect(isClosed).toBe(true)
  })
})

describe('misuse and damage', () => {
  test('a value changed in place has no effect before it is set', async () => {
    const store = await new Harness().open()
    const first = stateOf(await store.begin(0))
    const written = { n: 1, bytes: new Uint8Array([1]) }
    first.set('sa', written)
    written.n = 99
    written.bytes[0] = 99
    const read = first.get('sa') as typeof written
    expect(read).toEqual({ n: 1, bytes: new Uint8Array([1]) })
    read.n = 5
    read.bytes[0] = 5
    expect(first.get('sa')).toEqual({ n: 1, bytes: new Uint8Array([1]) })
  })

  test('a batch whose start is no longer stored is refused, and the state is unchanged', async () => {
    const harness = new Harness()
    const store = await harness.open()
    for (let batchId = 0; batchId < 4; batchId++) {
      const transaction = await store.begin(batchId)
      stateOf(transaction).set('sa', batchId)
      await transaction.commit()
    }
    const { writes } = harness.database
    await expect(store.begin(0)).rejects.toMatchObject({ code: 'STATE_UNREACHABLE' })
    await expect(store.readAsOf(0, contentsOf)).rejects.toMatchObject({ code: 'STATE_UNREACHABLE' })
    expect(harness.database.writes).toBe(writes)
    expect(store.version).toBe(3)
  })

  test('a transaction replaced by another begin cannot commit', async () => {
    const store = await new Harness().open()
    const stale = await store.begin(0)
    await store.begin(0)
    await expect(stale.commit()).rejects.toThrow('has ended')
    expect(() => stale.get('sa')).toThrow('has ended')
  })

  test('a begin during a commit violates an invariant', async () => {
    const store = await new Harness().open()
    const transaction = await store.begin(0)
    await transaction.load(['sa'])
    stateOf(transaction).set('sa', 1)
    const committing = transaction.commit()
    await expect(store.begin(1)).rejects.toThrow('one task at a time')
    await committing
  })

  test('after a failed write the store fails until it is reopened', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const transaction = await store.begin(0)
    stateOf(transaction).set('sa', 1)
    harness.database.nextWrite = 'is lost'
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'STATE_FAILED' })
    await expect(store.begin(1)).rejects.toMatchObject({ code: 'STATE_FAILED' })
    expect((await harness.open()).version).toBe(-1)
  })

  test('a state is new for one batch only, even if that batch is empty', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const first = await store.begin(0)
    expect(first.isNew).toBe(true)
    stateOf(first).set('sa', 'initial')
    stateOf(first).delete('sa')
    await first.commit()
    expect((await (await harness.open()).begin(1)).isNew).toBe(false)
    expect((await (await harness.open()).begin(0)).isNew).toBe(true)
  })

  test('a truncated undo record is damage, and the error names the state', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const transaction = await store.begin(0)
    stateOf(transaction).set('sa', 1)
    await transaction.commit()
    const [name] = [...harness.contents.keys()].filter((each) => each.startsWith('\x21'))
    harness.contents.set(name!, harness.contents.get(name!)!.slice(0, -1))
    const cut = { code: 'STATE_DAMAGED', message: expect.stringMatching(/\/state .*is truncated/) }
    await expect(store.readAsOf(-1, contentsOf)).rejects.toMatchObject(cut)
    await expect(store.begin(0)).rejects.toMatchObject(cut)
  })

  test('a key that was not loaded cannot be read', async () => {
    const transaction = await (await new Harness().open()).begin(0)
    expect(() => transaction.get('sa')).toThrow('loaded before it is read')
  })

  test.each([
    ['a version that is not JSON', { ' ': '{' }],
    ['versions that do not form a chain', { ' ': '{"format":2,"version":4,"undo":[[3,2]]}' }],
    ['a version of a later format', { ' ': '{"format":3,"version":4,"undo":[]}' }],
  ])('%s is damage', async (_what, entries) => {
    const openDatabase = async () =>
      new MemoryStateDatabase(new Map<string, string>(Object.entries(entries)))
    const opening = StateStore.open('/state', { openDatabase })
    await expect(opening).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })

  test('a state in the old format is not opened', async () => {
    const openDatabase = async () => new MemoryStateDatabase(new Map([['version', '4']]))
    const opening = StateStore.open('/state', { openDatabase })
    await expect(opening).rejects.toMatchObject({ code: 'STATE_OLD_FORMAT' })
  })

  test('a missing undo record is damage', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const transaction = await store.begin(0)
    stateOf(transaction).set('sa', 1)
    await transaction.commit()
    for (const name of harness.contents.keys()) if (name[0] === '!') harness.contents.delete(name)
    await expect(store.begin(0)).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })
})

describe('the cost of a batch', () => {
  test('opening reads one record, and a batch reads only its keys that are not cached', async () => {
    const harness = new Harness(1_000_000)
    let store = await harness.open()
    const first = await store.begin(0)
    for (let n = 0; n < 1000; n++) stateOf(first).set(`n${n}`, n)
    await first.commit()
    store = await harness.open()
    expect(harness.database.reads).toBe(1)
    for (const batchId of [1, 2]) {
      const transaction = await store.begin(batchId)
      await transaction.load(['n1', 'n2', 'n5000'])
      stateOf(transaction).set('n2', batchId)
      await transaction.commit()
    }
    // The absence of a key is not cached: the key is read again.
    expect(harness.database.reads).toBe(1 + 3 + 1)
  })

  test('timers that are not due are not read', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const first = await store.begin(0)
    for (let n = 0; n < 1000; n++) {
      first.setTimer({ domain: 'event', timeMs: 1000 + n, key: `n${n}`, tag: 0 })
    }
    await first.commit()
    let before = 0
    for (let batchId = 1; batchId < 10; batchId++) {
      // The first query after opening reads the first timer.
      if (batchId === 2) before = harness.database.reads
      const transaction = await store.begin(batchId)
      expect(await transaction.takeTimers('event', 999, 10)).toEqual([])
      expect(await transaction.takeTimers('processing', 5000, 10)).toEqual([])
      await transaction.commit()
    }
    expect(harness.database.reads).toBe(before)
  })
})
