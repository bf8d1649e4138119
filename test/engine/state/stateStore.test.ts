// StateStore against a model: a Map per version. Batches of random writes are committed, crashed
// before, during and after their write, and run again; whatever happens, a batch starts from the
// state before it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { StateStore } from '../../../engine/state/stateStore.ts'
import type { StateTransaction } from '../../../engine/state/stateTransaction.ts'
import { MemoryStateDatabase, type NextWrite } from './memoryStateDatabase.ts'

type Value = number | string | { n: number } | null
type Write = readonly [key: string, value: Value | undefined]
type Model = ReadonlyMap<string, Value>

const key = fc.constantFrom('a', 'b', 'c', 'ä', '', '\ud800', '\udfff', 'state "x')
const value = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.record({ n: fc.integer() }),
  fc.constant(null),
) as fc.Arbitrary<Value>
const writes: fc.Arbitrary<Write[]> = fc.array(fc.tuple(key, fc.option(value, { nil: undefined })))

const step = fc.record({
  /** 0: the next batch; 1: the newest again; 2: the one before it again. */
  back: fc.constantFrom(0, 0, 0, 1, 2),
  gap: fc.constantFrom(0, 0, 0, 3),
  writes,
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
  /** The state of every version that there was, by batch id. */
  readonly versions = new Map<number, Model>([[-1, new Map()]])
  /** Newest last: how far back one can go is the last two. */
  chain: number[] = [-1]
  database = new MemoryStateDatabase(this.contents)
  store: StateStore<Value> | undefined

  async open(): Promise<StateStore<Value>> {
    this.store = await StateStore.open<Value>('/state', {
      openDatabase: async () => {
        this.database = new MemoryStateDatabase(this.contents)
        return this.database
      },
    })
    return this.store
  }
}

function apply(transaction: StateTransaction<Value>, model: Map<string, Value>, list: Write[]) {
  for (const [name, written] of list) {
    if (written === undefined) {
      transaction.delete(name)
      model.delete(name)
    } else {
      transaction.set(name, written)
      model.set(name, written)
    }
    expect(transaction.get(name)).toEqual(model.get(name))
  }
}

function expectSame(transaction: StateTransaction<Value>, model: Model): void {
  expect(new Map(transaction.entries())).toEqual(model)
  for (const [name, expected] of model) expect(transaction.get(name)).toEqual(expected)
}

describe('model', () => {
  test('a batch starts from the state before it, through crashes and re-runs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const harness = new Harness()
        let store = await harness.open()
        for (const { back, gap, writes, end } of steps) {
          const again = Math.min(back, harness.chain.length - 1)
          const batchId = again === 0 ? harness.chain.at(-1)! + 1 + gap : harness.chain.at(-again)!
          const base = harness.chain.slice(0, harness.chain.length - again)
          const transaction = await store.begin(batchId)
          // Rolling back is durable: the versions that were undone are gone.
          harness.chain = base
          expect(store.version).toBe(base.at(-1))
          const model = new Map(harness.versions.get(base.at(-1)!))
          expectSame(transaction, model)
          apply(transaction, model, writes)
          expectSame(transaction, model)

          if (end === 'abandon') continue
          if (end !== 'reopen') {
            harness.database.nextWrite = end
            const isAcknowledged = await transaction.commit().then(
              () => true,
              () => false,
            )
            expect(isAcknowledged).toBe(end === 'succeeds')
            if (end !== 'is lost') {
              harness.versions.set(batchId, model)
              // Two undos are kept, so the oldest start that can be reached is two versions back.
              harness.chain = [...base, batchId].slice(-3)
            }
          }
          if (end !== 'succeeds') store = await harness.open()
          expect(store.version).toBe(harness.chain.at(-1))
          const undos = [...harness.contents.keys()].filter((name) => name.startsWith('undo '))
          expect(undos.length).toBeLessThanOrEqual(2)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('on level', () => {
  const directories: string[] = []
  const stores: StateStore<Value>[] = []

  async function directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'millrace-state-'))
    directories.push(path)
    return path
  }

  async function open(path: string): Promise<StateStore<Value>> {
    const store = await StateStore.open<Value>(path)
    stores.push(store)
    return store
  }

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
    for (const path of directories.splice(0)) await rm(path, { recursive: true })
  })

  test('keeps state, version and undos between openings', async () => {
    const path = await directory()
    let store = await open(path)
    for (let batchId = 0; batchId < 4; batchId++) {
      const transaction = await store.begin(batchId)
      transaction.set('count', ((transaction.get('count') as number) ?? 0) + 1)
      transaction.set(`batch ${batchId}`, { n: batchId })
      await transaction.commit()
    }
    await store.close()
    store = await open(path)
    expect(store).toMatchObject({ version: 3, size: 5 })
    const again = await store.begin(2)
    expect(store.version).toBe(1)
    expect(Object.fromEntries(again.entries())).toEqual({
      count: 2,
      'batch 0': { n: 0 },
      'batch 1': { n: 1 },
    })
  })

  test('agrees with the model over random batches and re-runs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(writes, { maxLength: 6 }), async (batches) => {
        const path = await directory()
        let store = await open(path)
        const model = new Map<string, Value>()
        for (const [batchId, list] of batches.entries()) {
          const lost = await store.begin(batchId)
          lost.set('a', 'of an attempt whose outcome nobody saw')
          await lost.commit()
          await store.close()
          store = await open(path)
          const transaction = await store.begin(batchId)
          expectSame(transaction, model)
          apply(transaction, model, list)
          await transaction.commit()
        }
        expectSame(await store.begin(batches.length), model)
        await store.close()
      }),
      { numRuns: 10 },
    )
  })

  test('a directory has one holder', async () => {
    const path = await directory()
    await open(path)
    await expect(StateStore.open(path)).rejects.toMatchObject({ code: 'STATE_IN_USE' })
  })
})

describe('what must not happen', () => {
  test('a value changed in place changes nothing before it is set', async () => {
    const store = await new Harness().open()
    const first = await store.begin(0)
    const written = { n: 1 }
    first.set('a', written)
    written.n = 99
    await first.commit()
    const second = await store.begin(1)
    const read = second.get('a') as { n: number }
    expect(read).toEqual({ n: 1 })
    read.n = 5
    expect(second.get('a')).toEqual({ n: 1 })
  })

  test('a batch whose start is no longer kept is refused, and the state stays as it is', async () => {
    const harness = new Harness()
    const store = await harness.open()
    for (let batchId = 0; batchId < 3; batchId++) await (await store.begin(batchId)).commit()
    const { writes } = harness.database
    await expect(store.begin(0)).rejects.toMatchObject({ code: 'STATE_UNREACHABLE' })
    expect(harness.database.writes).toBe(writes)
    expect(store.version).toBe(2)
  })

  test('a transaction that another begin replaced cannot commit', async () => {
    const store = await new Harness().open()
    const stale = await store.begin(0)
    await store.begin(0)
    await expect(stale.commit()).rejects.toThrow('is over')
    expect(() => stale.get('a')).toThrow('is over')
  })

  test('a begin while a commit is under way is a broken invariant', async () => {
    const store = await new Harness().open()
    const committing = (await store.begin(0)).commit()
    await expect(store.begin(1)).rejects.toThrow('one task at a time')
    await committing
  })

  test('after a failed write the store says so until it is opened again', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const transaction = await store.begin(0)
    harness.database.nextWrite = 'is lost'
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'STATE_FAILED' })
    await expect(store.begin(1)).rejects.toMatchObject({ code: 'STATE_FAILED' })
    expect((await harness.open()).version).toBe(-1)
  })

  test('values that are unchanged are not written again', async () => {
    const harness = new Harness()
    const store = await harness.open()
    const first = await store.begin(0)
    first.set('a', { n: 1 })
    await first.commit()
    const second = await store.begin(1)
    second.set('a', { n: 1 })
    await second.commit()
    expect(JSON.parse(harness.contents.get('undo 1')!)).toEqual({ previous: 0, entries: [] })
  })

  test.each([
    ['an entry of someone else', { something: '1' }],
    ['an undo without its version', { version: '4', 'undo 3': '{"previous":2,"entries":[]}' }],
    ['an undo that is not JSON', { version: '3', 'undo 3': '{' }],
    ['a key that is not JSON', { 'state x': '1' }],
    ['a version that is no number', { version: 'x' }],
  ])('%s is damage', async (_what, entries) => {
    const openDatabase = async () => new MemoryStateDatabase(new Map(Object.entries(entries)))
    const opening = StateStore.open('/state', { openDatabase })
    await expect(opening).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })

  test('a value that JSON cannot keep is refused', async () => {
    const transaction = await (await new Harness().open()).begin(0)
    expect(() => transaction.set('a', undefined as unknown as Value)).toThrow(
      'the value is undefined',
    )
  })
})
