// Work that tasks of one executor share: one pass over a range, and one advance of a state.

import { expect, test } from 'vitest'
import type { StatefulOperator } from '../../../engine/contract/statefulOperator.ts'
import { add, job, seconds, subtract, sum } from '../../../engine/engine.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import type { KeyedState } from '../../../engine/state/keyedState.ts'
import type { StateCodec } from '../../../engine/state/stateCodec.ts'
import { StateError } from '../../../engine/state/stateError.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'
import { StreamHarness } from '../stream/streamHarness.ts'

test('four views of one stream read each range once, and no batch twice', async () => {
  const four = job('four', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines).filter((line) => line !== '')
    for (const length of [1, 2]) {
      const starts = lines
        .map((line) => [line.slice(0, length), 1] as const)
        .reduceByKey<string, number>(sum)
      starts.updateStateByKey(add).view(`total-${length}`, { title: 'total', chart: 'bar' })
      starts
        .reduceByKeyAndWindow(sum, seconds(2), seconds(1), { inverse: subtract })
        .view(`window-${length}`, { title: 'window', chart: 'share' })
    }
  })
  await using harness = await StreamHarness.start(four)
  for (const batches of [1, 2, 3, 4]) {
    const views = await harness.batch(['xy', 'xz', 'xz'])
    expect(harness.scans).toBe(2 * batches)
    expect(views.get('total-1')).toEqual([['x', 3 * batches]])
    expect(views.get('window-2')).toEqual([
      ['xy', Math.min(batches, 2)],
      ['xz', 2 * Math.min(batches, 2)],
    ])
  }
})

test('a rerun batch starts from the state before that batch', async () => {
  const totals = job('totals', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .updateStateByKey<string, number, number>(add)
      .view('totals', { title: 'totals', chart: 'bar' })
  })
  await using harness = await StreamHarness.start(totals)
  await harness.batch(['a'])
  const once = await harness.batch(['a', 'b'])
  expect(await harness.run(harness.batches[1]!)).toEqual(once)
  expect((await harness.batch(['a'])).get('totals')).toEqual([
    ['a', 3],
    ['b', 1],
  ])
})

const totals: StatefulOperator = {
  ...{ uid: 'totals', isNamed: true, kind: 'test', shape: '', codec: 'v8' },
}

test('an operator advances once per batch, and its state can be listed and versioned', async () => {
  const stores = statesOver(new Map())
  let advanced = 0
  const advance = async (state: KeyedState) => {
    advanced++
    await state.load(['sx'])
    state.set('sx', ((state.get('sx') as number | undefined) ?? 0) + 1)
    return { main: [state.get('sx')] }
  }
  const idle = async () => ({ main: [] })
  const both = [stores.advance(totals, 0, 5, advance), stores.advance(totals, 0, 5, advance)]
  expect(await Promise.all(both)).toEqual([{ main: [1] }, { main: [1] }])
  await stores.forgetResults()
  expect(await stores.advance(totals, 0, 5, advance)).toEqual({ main: [1] })
  expect(advanced).toBe(2)
  await stores.advance(totals, 0, 6, idle)
  expect(await stores.version(totals, 0)).toBe(5)
  await stores.advance(totals, 0, 7, advance)
  expect(await stores.version(totals, 0)).toBe(7)
  const entries: unknown[] = []
  await stores.scan(totals, 0, (key, value) => entries.push([key, value]))
  expect(entries).toEqual([['sx', 2]])
  await stores.close()
})

test('a retried operator starts from the state before its batch', async () => {
  const contents = new Map<string, string>()
  const stores = statesOver(contents)
  const failing = async (state: KeyedState) => {
    state.set('sx', 1)
    throw new Error('of the job')
  }
  const both = [stores.advance(totals, 0, 0, failing), stores.advance(totals, 0, 0, failing)]
  expect(await Promise.allSettled(both)).toMatchObject([
    { reason: { message: 'of the job' } },
    { reason: { message: 'of the job' } },
  ])
  expect(contents.size).toBe(0)
  const outputs = await stores.advance(totals, 0, 0, async (state) => {
    await state.load(['sx'])
    return { main: [state.isNew, state.get('sx')] }
  })
  expect(outputs).toEqual({ main: [true, undefined] })
  const entries: unknown[] = []
  await stores.scan(totals, 0, (key, value) => entries.push([key, value]))
  expect(entries).toEqual([])
  await stores.close()
})

test('a value that cannot be stored is reported with its operator, key and path', async () => {
  const stores = statesOver(new Map())
  const set = (value: unknown, operator = totals) =>
    stores.advance(operator, 0, 0, async (state) => {
      state.set('sx', value)
      return {}
    })
  await expect(set({ done: () => 1 })).rejects.toMatchObject({
    code: 'STATE_INVALID',
    message: expect.stringMatching(/'totals' .*the value\.done is a function, at key "x"; /),
  })
  const json: StateCodec = {
    name: 'json',
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
  }
  const withCodec = { ...totals, codec: 'json', stateCodec: json }
  await set({ n: 1 }, withCodec)
  await expect(set(new Date(0), { ...withCodec, uid: 'dates' })).rejects.toMatchObject({
    code: 'STATE_INVALID',
    message: expect.stringContaining("codec 'json' decodes an encoded value to a different one"),
  })
  await expect(set(1n, { ...withCodec, uid: 'integers' })).rejects.toMatchObject({
    code: 'STATE_INVALID',
    message: expect.stringContaining("codec 'json' failed: Do not know how to serialize a BigInt"),
  })
  await stores.close()
})

test('a store held by a dying worker is retried for a limited time', async () => {
  const clock = new ManualClock()
  let refusals = 3
  const stores = statesOver(new Map(), clock, () => {
    if (refusals-- > 0) throw new StateError('STATE_IN_USE', 'held')
  })
  const advanced = stores.advance(totals, 0, 0, async () => ({ main: [1] }))
  await clock.advanceAndSettle(200)
  expect(await advanced).toEqual({ main: [1] })
  await stores.close()

  const never = statesOver(new Map(), clock, () => {
    throw new StateError('STATE_IN_USE', 'held for ever')
  })
  const refused = expect(never.version(totals, 0)).rejects.toThrow('held for ever')
  await clock.advanceAndSettle(11_000)
  await refused
})

function statesOver(contents: Map<string, string>, clock = new ManualClock(), before = () => {}) {
  const open = async (directory: string) => {
    before()
    const openDatabase = () => Promise.resolve(new MemoryStateDatabase(contents))
    return await StateStore.open(directory, { openDatabase })
  }
  return new StateStores({ clock, directory: '/state', open })
}
