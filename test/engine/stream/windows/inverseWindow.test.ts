// The state of a window with an inverse: panes in bundles. A batch touches only the bundles that
// panes enter or leave. window.test.ts tests that the results match a direct window.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeKey, partNamed } from '../../../../engine/keys/key.ts'
import { advanceKeys } from '../../../../engine/stream/operators/keyedOperator.ts'
import {
  inverseWindowOperator,
  shownWindow,
  type WindowTotal,
} from '../../../../engine/stream/windows/inverseWindow.ts'
import { MemoryKeyedState } from '../memoryKeyedState.ts'

const windowMs = 100_000
const builder = { stateUid: () => 'window' } as never
const everywhere = { holds: () => true }

class CountingState extends MemoryKeyedState {
  readonly read = new Set<string>()
  readonly written: string[] = []

  override get(key: string): unknown {
    if (this.values.has(key)) this.read.add(key)
    return super.get(key)
  }

  override set(key: string, value: unknown): void {
    this.written.push(key)
    super.set(key, value)
  }

  override delete(key: string): void {
    this.written.push(key)
    super.delete(key)
  }
}

interface Sums {
  n: number
}

/** A window whose functions change their arguments. */
function window(length = windowMs) {
  return inverseWindowOperator<string, Sums>(
    builder,
    {
      reduce(left, right) {
        left.n += right.n
        right.n = Number.NaN
        return left
      },
      inverse(total, leaving) {
        total.n -= leaving.n
        leaving.n = Number.NaN
        return total
      },
    },
    { windowMs: length, slideMs: 1000 },
  )
}

async function batchOf(
  before: MemoryKeyedState | undefined,
  timeMs: number,
  values: Readonly<Record<string, number>>,
  length = windowMs,
): Promise<CountingState> {
  const state = new CountingState(before)
  const arrived = new Map(Object.entries(values).map(([key, n]) => [key, { n }]))
  const batch = { batchId: 0, timeMs, watermarkMs: undefined }
  await advanceKeys(window(length), arrived, state, batch, everywhere)
  return state
}

/** Returns the panes in an entry of the state. */
function panesOf(stored: unknown): readonly unknown[] {
  if (Array.isArray(stored)) return stored
  const { oldest, newest } = stored as WindowTotal<Sums>
  return [...oldest, ...newest]
}

describe('a batch', () => {
  test('touches two entries of a key, however many panes stay', async () => {
    let state: CountingState | undefined
    let reads = 0
    let writes = 0
    const batches = 400
    for (let batch = 1; batch <= batches; batch++) {
      state = await batchOf(state, batch * 1000, { a: batch, b: 1 })
      reads += state.read.size
      writes += new Set(state.written).size
      for (const stored of state.values.values()) expect(panesOf(stored).length).toBeLessThan(33)
      const panes = [...state.values.values()].flatMap(panesOf)
      expect(panes).toHaveLength(2 * Math.min(batch, windowMs / 1000))
    }
    // The totals of two keys, and occasionally a bundle of panes that is full or whose first pane
    // leaves the window.
    expect(reads).toBeLessThan(2 * batches * 1.1)
    expect(writes).toBeLessThan(2 * batches * 1.2)
  })

  test('that is the first one with a key sets one entry and one timer', async () => {
    const state = await batchOf(undefined, 1000, { a: 1 })
    expect([...state.values.keys()]).toEqual([encodeKey('a')])
    expect(state.timers.size).toBe(1)
  })

  test('reads each bundle of panes once after a pause', async () => {
    let state: CountingState | undefined
    for (let batch = 1; batch <= 100; batch++) state = await batchOf(state, batch * 1000, { a: 1 })
    const entries = state!.values.size
    expect(entries).toBe(7)
    state = await batchOf(state, 1_000_000, { a: 5 })
    expect(state.read.size).toBe(entries)
    expect([...state.values.keys()]).toEqual([encodeKey('a')])
    expect([...state.values.values()].flatMap(panesOf)).toEqual([[1_000_000, { n: 5 }]])
    expect(state.timers.size).toBe(1)
  })
})

const batches = fc.array(
  fc.record({
    intervals: fc.oneof(
      { weight: 40, arbitrary: fc.constant(1) },
      { weight: 4, arbitrary: fc.integer({ min: 2, max: 9 }) },
      { weight: 1, arbitrary: fc.integer({ min: 20, max: 70 }) },
    ),
    values: fc.record(
      { a: fc.integer({ min: -9, max: 9 }), b: fc.integer({ min: -9, max: 9 }) },
      { requiredKeys: [] },
    ),
  }),
  { maxLength: 120, size: 'max' },
)

test('totals are those of the panes in the window; panes that left the window leave no state behind', async () => {
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 60 }), async (given, length) => {
      let state: MemoryKeyedState | undefined
      let timeMs = 0
      const panes: [timeMs: number, key: string, n: number][] = []
      for (const { intervals, values } of given) {
        timeMs += intervals * 1000
        const before: MemoryKeyedState | undefined = state
        state = await batchOf(before, timeMs, values, length * 1000)
        for (const [key, n] of Object.entries(values)) panes.push([timeMs, key, n])
        const open = panes.filter(([enteredMs]) => enteredMs + length * 1000 > timeMs)
        const totals = new Map<string, number>()
        for (const [, key, n] of open) totals.set(key, (totals.get(key) ?? 0) + n)
        const shown = [...state.values].flatMap(([name, stored]) =>
          partNamed(name)
            ? []
            : shownWindow<string, Sums>(undefined)(name.slice(1), stored as never),
        )
        expect(new Map(shown.map(([key, { n }]) => [key, n]))).toEqual(totals)
        expect([...state.values.values()].flatMap(panesOf)).toHaveLength(open.length)
      }
      state = await batchOf(state, timeMs + length * 1000, {}, length * 1000)
      expect([state.values.size, state.timers.size]).toEqual([0, 0])
    }),
    { numRuns: 60 },
  )
})

test('a query shows the total of a key', async () => {
  const shown = window().contract.shown!
  let state = await batchOf(undefined, 1000, { a: 4 })
  expect(shown(state.values.get(encodeKey('a')))).toEqual({ n: 4 })
  state = await batchOf(state, 2000, { a: 5 })
  expect(shown(state.values.get(encodeKey('a')))).toEqual({ n: 9 })
})
