// State queries while batches run: answers are as of a committed batch, and a query waits for the
// replacement of a lost executor.

import { describe, expect, test } from 'vitest'
import type { StatefulOperator } from '../../../engine/contract/statefulOperator.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { SlotQueries } from '../../../engine/executor/slotQueries.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import type { Executor, StateAnswer, StateQuery } from '../../../engine/executor/task.ts'
import { partOf } from '../../../engine/keys/key.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { AskTimeoutError, MessageLostError } from '../../../protocol/actor/failures.ts'
import { sleep } from '../../../protocol/runtime/time/clock.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'

const totals: StatefulOperator = {
  ...{ uid: 'totals', isNamed: true, kind: 'test', shape: '', codec: 'v8' },
}

function query(batchId: number, more: Partial<StateQuery> = {}): StateQuery {
  return { operator: 'totals', partition: 0, batchId, limit: 100, ...more }
}

class States {
  readonly contents = new Map<string, string>()
  readonly stores = new StateStores({
    clock: new ManualClock(),
    directory: '/state',
    open: (directory) =>
      StateStore.open(directory, {
        openDatabase: async () => new MemoryStateDatabase(this.contents),
      }),
  })

  async batch(batchId: number, values: Readonly<Record<string, unknown>>): Promise<void> {
    await this.stores.advance(totals, 0, batchId, async (state) => {
      for (const [key, value] of Object.entries(values)) {
        if (value === undefined) state.delete(key)
        else state.set(key, value)
      }
      return {}
    })
  }

  ask(batchId: number, more: Partial<StateQuery> = {}): Promise<StateAnswer> {
    return this.stores.query(totals, query(batchId, more))
  }
}

describe('an answer', () => {
  test('is as of its batch, whichever batches were written afterwards', async () => {
    const states = new States()
    await states.batch(0, { sa: 1, sb: 1 })
    await states.batch(1, { sa: 2, sb: undefined, sc: 1 })
    const keys = ['sa', 'sb', 'sc', 'sd']
    expect(await states.ask(0, { keys })).toMatchObject({
      entries: [
        ['sa', 1],
        ['sb', 1],
      ],
      hasMore: false,
    })
    expect(await states.ask(1, { keys })).toMatchObject({
      entries: [
        ['sa', 2],
        ['sc', 1],
      ],
    })
    const listed = await states.ask(0)
    expect(new Map(listed.entries)).toEqual(
      new Map([
        ['sa', 1],
        ['sb', 1],
      ]),
    )
    await states.batch(2, { sa: 3 })
    await states.batch(3, { sa: 4 })
    await expect(states.ask(0)).rejects.toMatchObject({
      code: 'STATE_QUERY_FAILED',
      message: expect.stringContaining("the state 'totals'"),
    })
  })

  test('lists keys, but not parts of keys', async () => {
    const states = new States()
    await states.batch(0, { sa: 1, [partOf('sa', 5)]: 2, [partOf('sb', 5)]: 3, sc: 4 })
    const listed = await states.ask(0)
    expect(listed.hasMore).toBe(false)
    expect(new Map(listed.entries)).toEqual(new Map(Object.entries({ sa: 1, sc: 4 })))
    const [first, second] = listed.entries.map(([key]) => key)
    expect((await states.ask(0, { after: first })).entries.map(([key]) => key)).toEqual([second])
  })

  test('does not see the running batch', async () => {
    const states = new States()
    await states.batch(0, { sa: 1 })
    let during: StateAnswer | undefined
    await states.stores.advance(totals, 0, 1, async (state) => {
      state.set('sa', 2)
      during = await states.ask(0, { keys: ['sa'] })
      return {}
    })
    expect(during!.entries).toEqual([['sa', 1]])
  })

  test('is a page of a list that continues after its last key', async () => {
    const states = new States()
    const values = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`n${n}`, n]))
    await states.batch(0, values)
    await states.batch(1, { n3: undefined, n5: -5, n1000: 1000 })
    const found: [string, unknown][] = []
    for (let after: string | undefined; ; ) {
      const { entries, hasMore } = await states.ask(0, { after, limit: 300 })
      found.push(...(entries as [string, unknown][]))
      expect(entries.length).toBe(hasMore ? 300 : 100)
      if (!hasMore) break
      after = entries.at(-1)![0]
    }
    expect(Object.fromEntries(found)).toEqual(values)
    expect(found).toHaveLength(1000)
  })

  test('is limited in bytes, but has at least one entry', async () => {
    const states = new States()
    const large = 'x'.repeat(5 * 1024 * 1024)
    await states.batch(0, { sa: large, sb: large })
    const { entries, hasMore } = await states.ask(0)
    expect(entries).toHaveLength(1)
    expect(hasMore).toBe(true)
  })

  test('arrives although the running batch fails and its store is reopened', async () => {
    const states = new States()
    await states.batch(0, { sa: 1 })
    const failing = states.stores.advance(totals, 0, 1, async () => {
      throw new Error('of the job')
    })
    const asked = Promise.all([states.ask(0), failing.catch(() => states.ask(0))])
    for (const { entries } of await asked) expect(entries).toEqual([['sa', 1]])
  })
})

describe('a query', () => {
  const answer: StateAnswer = { entries: [], hasMore: false }
  const lost = () => Promise.reject(new EngineError('EXECUTOR_FAILED', 'executor 0 died'))

  function executor(query: Executor['query']): Executor {
    return { addBatch: () => {}, run: () => {}, query, stop: async () => {} } as Executor
  }

  test('is repeated on the replacement when its executor dies', async () => {
    const replacement = Promise.withResolvers<Executor>()
    const executors = [Promise.resolve(executor(lost)), replacement.promise]
    const queries = new SlotQueries(new ManualClock(), () => executors.shift()!)
    const asked = queries.query(0, query(0))
    await settle()
    replacement.resolve(executor(async () => answer))
    expect(await asked).toBe(answer)
  })

  test('waits for an executor until its deadline, and then fails', async () => {
    const clock = new ManualClock()
    const timeouts: number[] = []
    const executors = [executor(lost)]
    const queries = new SlotQueries(clock, async (_slot, timeoutMs) => {
      timeouts.push(timeoutMs)
      const next = executors.shift()
      if (next === undefined) throw new AskTimeoutError('/executor-0', timeoutMs)
      await sleep(clock, 4_000)
      return next
    })
    const asked = expect(queries.query(0, query(0))).rejects.toMatchObject({
      code: 'STATE_QUERY_FAILED',
      message: expect.stringContaining('was not replaced in time'),
    })
    await clock.advanceAndSettle(4_000)
    await asked
    expect(timeouts).toEqual([10_000, 6_000])
  })

  test('that waits for its executor fails when the job stops', async () => {
    const waiting = Promise.withResolvers<Executor>()
    const queries = new SlotQueries(new ManualClock(), () => waiting.promise)
    const asked = queries.query(0, query(0))
    queries.stop()
    waiting.reject(new MessageLostError('/executor-0', 'dropped'))
    await expect(asked).rejects.toThrow('the job is stopping')
  })

  test('waits while states are released, even if its executor has died, and counts as in flight', async () => {
    let executing = executor(lost)
    const queries = new SlotQueries(new ManualClock(), async () => executing)
    const early = queries.query(0, query(0))
    const resume = queries.hold()
    let asked = 0
    executing = executor(async () => {
      asked++
      return answer
    })
    const others = Array.from({ length: 255 }, () => queries.query(0, query(0)))
    await expect(queries.query(0, query(0))).rejects.toThrow('256 queries are in flight')
    await settle()
    expect(asked).toBe(0)
    resume()
    expect(new Set(await Promise.all([early, ...others]))).toEqual(new Set([answer]))
    expect(asked).toBe(256)
  })

  test('that waits for released states fails when the job stops', async () => {
    const queries = new SlotQueries(new ManualClock(), async () => executor(async () => answer))
    queries.hold()
    const asked = queries.query(0, query(0))
    queries.stop()
    await expect(asked).rejects.toThrow('the job is stopping')
  })

  test('is refused when too many queries are in flight', async () => {
    const pending = Promise.withResolvers<StateAnswer>()
    const one = executor(() => pending.promise)
    const queries = new SlotQueries(new ManualClock(), async () => one)
    const asked = Array.from({ length: 256 }, () => queries.query(0, query(0)))
    await expect(queries.query(0, query(0))).rejects.toThrow('256 queries are in flight')
    pending.resolve(answer)
    await Promise.all(asked)
    expect(await queries.query(0, query(0))).toBe(answer)
  })

  test('that the executor refuses fails without waiting', async () => {
    const refusing = executor(() => Promise.reject(new EngineError('STATE_QUERY_FAILED', 'no')))
    const queries = new SlotQueries(new ManualClock(), async () => refusing)
    await expect(queries.query(0, query(0))).rejects.toThrow('no')
  })
})
