// The order in which every stateful operator works in a batch: keys in order of arrival, then due
// timers in order of time, including timers that a handler sets and deletes meanwhile.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StatefulOperator } from '../../../../engine/contract/statefulOperator.ts'
import { encodeKey, partNamed, partOf } from '../../../../engine/keys/key.ts'
import type { StateTimer } from '../../../../engine/state/keyedState.ts'
import { fireDueTimers } from '../../../../engine/stream/operators/dueTimers.ts'
import {
  advanceKeys,
  type KeyedOperator,
} from '../../../../engine/stream/operators/keyedOperator.ts'
import type { KeyScope, OperatorBatch } from '../../../../engine/stream/operators/keyScope.ts'
import {
  fixedWindowCombiner,
  fixedWindowOperator,
} from '../../../../engine/stream/windows/fixedWindows.ts'
import { aggregating } from '../../../../engine/stream/windows/windowAggregate.ts'
import { MemoryKeyedState } from '../memoryKeyedState.ts'

const contract: StatefulOperator = {
  ...{ uid: 'visits', isNamed: true, kind: 'sample', shape: '', codec: 'v8' },
}
const batch: OperatorBatch = { batchId: 3, timeMs: 1000, watermarkMs: 500 }
const everywhere = { holds: () => true }

type Sample = KeyedOperator<string, number, unknown>

function sample(operator: Omit<Sample, 'contract'>): Sample {
  return { contract, ...operator }
}

test('keys are handled in order of arrival, then timers by time, key and tag', async () => {
  const state = new MemoryKeyedState()
  const seen: unknown[] = []
  const operator = sample({
    onArrived(key, value, scope) {
      seen.push([key, value])
      scope.setTimer('processing', 1000 - value, 1)
      scope.setTimer('processing', 1000 - value, 0)
      scope.setTimer('event', 500, 0)
      scope.setTimer('event', 501, 0)
      scope.setTimer('processing', 1001, 0)
    },
    onTimer(key, { domain, timeMs, tag }) {
      seen.push([key, domain, timeMs, tag])
    },
  })
  const arrived = new Map([
    ['b', 1],
    ['a', 1],
    ['c', 2],
  ])
  await advanceKeys(operator, arrived, state, batch, everywhere)
  expect(seen).toEqual([
    ...arrived,
    ...['a', 'b', 'c'].map((key) => [key, 'event', 500, 0]),
    ['c', 'processing', 998, 0],
    ['c', 'processing', 998, 1],
    ...['a', 'b'].flatMap((key) => [
      [key, 'processing', 999, 0],
      [key, 'processing', 999, 1],
    ]),
  ])
  expect([...state.timers.values()].map(({ timeMs }) => timeMs).sort()).toEqual([
    ...[1001, 1001, 1001],
    ...[501, 501, 501],
  ])
})

test('without a watermark no event time timer is due', async () => {
  const state = new MemoryKeyedState()
  const fired: unknown[] = []
  const operator = sample({
    onArrived: (_key, _value, scope) => scope.setTimer('event', -1e12, 0),
    onTimer: (key) => fired.push(key),
  })
  const early = { ...batch, watermarkMs: undefined }
  await advanceKeys(operator, new Map([['a', 1]]), state, early, everywhere)
  expect(fired).toEqual([])
  await advanceKeys(operator, new Map(), new MemoryKeyedState(state), batch, everywhere)
  expect(fired).toEqual(['a'])
})

const timerArbitrary = fc.record({
  timeMs: fc.integer({ min: 0, max: 40 }),
  tag: fc.constantFrom(0, 1),
})

test('a timer set by a handler fires in order, and a deleted one does not fire', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', '\u{1f600}', '\uffff'), timerArbitrary)),
      // The timers that each handler call sets and deletes, by the position of the call.
      fc.array(fc.record({ sets: fc.array(timerArbitrary), deletes: fc.array(timerArbitrary) })),
      async (initial, handlers) => {
        const state = new MemoryKeyedState()
        /** The model: the timers of each key, searched for the smallest one each time. */
        const model = new Map<string, { timeMs: number; tag: number }[]>()
        const own = (key: string) => {
          const timers = model.get(key) ?? []
          model.set(key, timers)
          return timers
        }
        const same = (
          one: { timeMs: number; tag: number },
          other: { timeMs: number; tag: number },
        ) => one.timeMs === other.timeMs && one.tag === other.tag
        const change = (key: string, timer: { timeMs: number; tag: number }, isSet: boolean) => {
          const rest = own(key).filter((one) => !same(one, timer))
          model.set(key, isSet ? [...rest, timer] : rest)
        }
        for (const [key, timer] of initial) {
          state.setTimer({ domain: 'event', key: encodeKey(key), ...timer })
          change(key, timer, true)
        }
        let fired = 0
        const operator = sample({
          onArrived() {},
          onTimer(key, timer, scope) {
            const next = own(key)
              .toSorted((one, other) => one.timeMs - other.timeMs || one.tag - other.tag)
              .at(0)
            expect({ timeMs: timer.timeMs, tag: timer.tag }).toEqual(next)
            change(key, next!, false)
            const { sets = [], deletes = [] } = handlers[fired++] ?? {}
            for (const each of sets) {
              scope.setTimer('event', each.timeMs, each.tag)
              change(key, each, true)
            }
            for (const each of deletes) {
              scope.deleteTimer('event', each.timeMs, each.tag)
              change(key, each, false)
            }
          },
        })
        const watermarkMs = 30
        await advanceKeys(operator, new Map(), state, { ...batch, watermarkMs }, everywhere)
        for (const [key, timers] of model) {
          expect(timers.filter(({ timeMs }) => timeMs <= watermarkMs)).toEqual([])
          const left = [...state.timers.values()].filter((timer) => timer.key === encodeKey(key))
          expect(left).toHaveLength(timers.length)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('a timer still in the state does not fire twice when a handler sets it again', async () => {
  // The state orders U+FFFF before the emoji, by their bytes; strings order them the other way
  // round. So the emoji's second timer remains when the first thousand timers are taken.
  const state = new MemoryKeyedState()
  const set = (key: string, timeMs: number) =>
    state.setTimer({ domain: 'event', timeMs, key: encodeKey(key), tag: 0 })
  for (let at = 0; at < 998; at++) set(`k${at}`, 1)
  set('\uffff', 1)
  set('\u{1f600}', 0)
  set('\u{1f600}', 1)
  const fired: number[] = []
  const operator = sample({
    onArrived() {},
    onTimer(key, { timeMs }, scope) {
      if (key !== '\u{1f600}') return
      fired.push(timeMs)
      if (timeMs === 0) scope.setTimer('event', 1, 0)
    },
  })
  await advanceKeys(operator, new Map(), state, batch, everywhere)
  expect(fired).toEqual([0, 1])
})

test('a handler that keeps setting due timers is stopped, with the key in the error', async () => {
  const state = new MemoryKeyedState()
  const timer: StateTimer = { domain: 'processing', timeMs: 1, key: encodeKey('k'), tag: 0 }
  state.setTimer(timer)
  const firing = fireDueTimers(
    state,
    batch,
    contract,
    (due, timers) => timers.setTimer({ ...due, timeMs: due.timeMs - 1 }),
    50,
  )
  await expect(firing).rejects.toMatchObject({
    code: 'USER_CODE_FAILED',
    message:
      'more than 50 timers of sample \'visits\' fired in one batch without advancing in time, at key "k": let ' +
      'handleTimer set timers only for later times than that of the timer it handles',
  })
})

test('timers of two domains that keep setting each other are stopped', async () => {
  const state = new MemoryKeyedState()
  state.setTimer({ domain: 'processing', timeMs: 1, key: encodeKey('k'), tag: 0 })
  const firing = fireDueTimers(
    state,
    { ...batch, watermarkMs: 100 },
    contract,
    (due, timers) =>
      timers.setTimer({ ...due, domain: due.domain === 'event' ? 'processing' : 'event' }),
    50,
  )
  await expect(firing).rejects.toThrow('more than 50 timers of')
})

test('the entries that due timers need are loaded together, each for its own key', async () => {
  const loads: string[][] = []
  class CountingState extends MemoryKeyedState {
    override load(keys: Iterable<string>): Promise<void> {
      const loaded = [...keys]
      if (loaded.some((name) => partNamed(name))) loads.push(loaded)
      return super.load(loaded)
    }
  }
  const before = new MemoryKeyedState()
  const store = sample({
    onArrived(_key, value, scope) {
      scope.setPart(value, value)
      scope.setTimer('processing', 1000 + value, 0)
    },
  })
  const arrived = new Map(Array.from({ length: 3 }, (_, at) => [`k${at}`, at + 1] as const))
  await advanceKeys(store, arrived, before, batch, everywhere)
  const state = new CountingState(before)
  const fired: unknown[] = []
  const reading = sample({
    onArrived() {},
    duePart: ({ timeMs }) => timeMs - 1000,
    onTimer(key, { timeMs }, scope) {
      fired.push([key, scope.getPart(timeMs - 1000)])
      scope.deletePart(timeMs - 1000)
    },
  })
  await advanceKeys(reading, new Map(), state, { ...batch, timeMs: 1003 }, everywhere)
  expect(fired).toEqual([...arrived])
  expect(loads).toEqual([[...arrived].map(([key, part]) => partOf(encodeKey(key), part))])
  expect([...state.values]).toEqual([])
})

test('a timer that sets the next one for a later time ends, however many are due', async () => {
  const state = new MemoryKeyedState()
  let fired = 0
  state.setTimer({ domain: 'processing', timeMs: 1, key: encodeKey('k'), tag: 0 })
  await fireDueTimers(
    state,
    batch,
    contract,
    (due, timers) => {
      fired++
      timers.setTimer({ ...due, timeMs: due.timeMs + 1 })
    },
    50,
  )
  expect(fired).toBe(batch.timeMs)
})

test('timers that a late batch catches up with are not an endless loop', async () => {
  const state = new MemoryKeyedState()
  let fired = 0
  const operator = sample({
    onArrived: (_key, _value, scope) => scope.setTimer('processing', 1, 0),
    onTimer(_key, { timeMs }, scope) {
      fired++
      scope.setTimer('processing', timeMs + 1, 0)
    },
  })
  await advanceKeys(operator, new Map([['a', 1]]), state, batch, everywhere)
  expect(fired).toBe(1000)
})

test('only a new state starts with the initial keys of its partition', async () => {
  const operator = (values: number): Sample =>
    sample({
      onArrived() {},
      initial: { keys: () => ['a', 'b', 'c'], store: (key, scope) => scope.set(key + values) },
    })
  const state = new MemoryKeyedState()
  const partition = { holds: (key: unknown) => key !== 'b' }
  await advanceKeys(operator(1), new Map(), state, batch, partition)
  const next = new MemoryKeyedState(state)
  await advanceKeys(operator(2), new Map(), next, batch, partition)
  expect([...next.values]).toEqual([
    [encodeKey('a'), 'a1'],
    [encodeKey('c'), 'c1'],
  ])
})

describe('errors of a function of the job', () => {
  const run = (onArrived: (scope: KeyScope<unknown>) => void) =>
    advanceKeys(
      sample({ onArrived: (_key, _value, scope) => onArrived(scope) }),
      new Map([['the key', 1]]),
      new MemoryKeyedState(),
      batch,
      everywhere,
    )

  test('an exception names the operator and the key', async () => {
    const failing = run(() => {
      throw new TypeError('no')
    })
    await expect(failing).rejects.toThrow(
      /^TypeError: no \(.*keyedOperator\.test\.ts:\d+:\d+\) in sample 'visits', at key "the key"$/,
    )
  })

  test('a value with methods cannot be emitted', async () => {
    class Money {
      readonly cents = 1
    }
    await expect(run((scope) => scope.emit(new Money()))).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('a Money cannot go to another task'),
    })
  })

  test('a timer needs integer milliseconds and a tag of one byte', async () => {
    await expect(run((scope) => scope.setTimer('event', 1.5, 0))).rejects.toThrow(/not 1.5/)
    await expect(run((scope) => scope.setTimer('event', Number.NaN, 0))).rejects.toThrow(/not NaN/)
    await expect(run((scope) => scope.setTimer('event', 1, 256))).rejects.toThrow(/not 256/)
  })

  test('the scope of a call cannot be used after the call', async () => {
    let kept: KeyScope<unknown> | undefined
    await run((scope) => {
      kept = scope
      scope.set(1)
    })
    expect(() => kept!.get()).toThrow(/before it returns/)
    expect(() => kept!.set(2)).toThrow(/before it returns/)
    expect(() => kept!.emit(2)).toThrow(/before it returns/)
    expect(() => kept!.setTimer('event', 1, 0)).toThrow(/before it returns/)
  })
})

test('a task leaves the results of map tasks unchanged, so that another can read them', async () => {
  const windows = { sizeMs: 10, slideMs: 10, offsetMs: 0, latenessMs: 0 }
  const gathered = aggregating<number, number[]>({
    create: () => [],
    add(all, row) {
      all.push(row)
      return all
    },
    merge(left, right) {
      left.push(...right)
      return left
    },
  })
  const builder = { stateUid: () => 'windows' } as never
  const operator = fixedWindowOperator<string, number, number[]>(
    ...([builder, 'tumbling', windows, gathered, { watermarks: [] }] as const),
  )
  const combiner = fixedWindowCombiner(windows, gathered)
  const parts = [1, 2, 3].map((row) => combiner.create({ timeMs: row, row }))
  const merged = () => parts.reduce((left, right) => combiner.mergeCombined(left, right))
  const before = JSON.stringify(parts, printed)
  const outputs = []
  for (let attempt = 0; attempt < 2; attempt++) {
    const arrived = new Map([['a', merged() as never]])
    const state = new MemoryKeyedState()
    outputs.push(await advanceKeys(operator, arrived, state, batch, everywhere))
  }
  const result = { key: 'a', startMs: 0, endMs: 10, value: [1, 2, 3], revision: 0 }
  expect(outputs).toEqual([{ main: [result] }, { main: [result] }])
  expect(JSON.stringify(parts, printed)).toBe(before)
})

function printed(_name: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value
}
