// States that the compiler accepts. `tsc` is the test of this file; running it only shows that a
// state which the compiler cannot check is rejected when it is written, once, with its path.

import { expect, test } from 'vitest'
import { job, type State, type StateContext } from '../../../engine/engine.ts'
import { StreamHarness } from './streamHarness.ts'

interface Session {
  readonly start: number
  readonly last?: string
  readonly pages: readonly { readonly url: string; readonly at: number | null }[]
}

interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}

type Ones = readonly number[]

/** This function is type-checked and never called. */
function types(): void {
  const graph = job('types', (stream) => {
    const ones = stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line): [string, number] => [line, 1])
    ones.updateStateByKey((_: Ones, state: Session | undefined) => state)
    ones.updateStateByKey((_: Ones, state: Tree | undefined) => state)
    ones.updateStateByKey((_: Ones, state: Record<string, number> | undefined) => state)
    ones.updateStateByKey((_: Ones, state: [string, number | null] | undefined) => state)
    ones.updateStateByKey((_: Ones, state: 'on' | 'off' | undefined) => state)
    ones.updateStateByKey((_: Ones, state: unknown) => state)
    ones.updateStateByKey<string, number, number>((values, total) => (total ?? 0) + values.length)
    ones.updateStateByKey((_: Ones, state: Set<string> | undefined) => state)
    ones.updateStateByKey((_: Ones, state: { users: Map<string, number> } | undefined) => state)
    ones.updateStateByKey((_: Ones, state: { visits: { at: Date }[] } | undefined) => state)
    ones.updateStateByKey((_: Ones, state: bigint | undefined) => state)
    ones.updateStateByKey((_: Ones, state: Float64Array | undefined) => state)
    ones.updateStateByKey((_: Ones, state: (number | undefined)[] | undefined) => state)

    // @ts-expect-error a function cannot be written
    ones.updateStateByKey((_: Ones, state: { greet(): string } | undefined) => state)
    // @ts-expect-error a function in a Map cannot be written
    ones.updateStateByKey((_: Ones, state: Map<string, () => void> | undefined) => state)
    // @ts-expect-error a symbol cannot be written
    ones.updateStateByKey((_: Ones, state: { kind: symbol } | undefined) => state)
    // @ts-expect-error a Promise cannot be written
    ones.updateStateByKey((_: Ones, state: Promise<number> | undefined) => state)
    // @ts-expect-error a WeakMap cannot be written
    ones.updateStateByKey((_: Ones, state: WeakMap<object, number> | undefined) => state)
    const greeters = ones.mapValues((value) => ({ greet: () => value }))
    greeters.reduceByKeyAndWindow((left) => left, 1000, 1000, {
      // @ts-expect-error a window with an inverse keeps its values as state
      inverse: (total) => total,
    })
    // @ts-expect-error mapWithState cannot store a function
    ones.mapWithState((_key, _value, state: State<() => void>) => state.get())
    // @ts-expect-error transformWithState cannot store an object with a method
    ones.transformWithState({
      handleInput(_key, _values, _context: StateContext<{ run(): void }, number>) {},
    })
    const timed = ones.withWatermark(([, at]) => at, { delayMs: 0 }).keyBy(([line]) => line)
    timed.tumbling(10).aggregate({
      create: () => new Map<string, number>(),
      add: (all) => all,
      merge: (left) => left,
    })
    // @ts-expect-error a window keeps its value as state
    timed.tumbling(10).aggregate({
      create: () => ({ of: (row: number) => row }),
      add: (all) => all,
      merge: (left) => left,
    })
    ones.count().foreachRDD(() => {})
  })
  expect(graph.name).toBe('types')
}

test('the compiler distinguishes states that can be stored from others', types)

test('a state that is invalid only at run time fails the batch without a retry', async () => {
  let updates = 0
  interface Mean {
    readonly value: number
  }
  class ExactMean implements Mean {
    readonly value = 2
  }
  const classes = job('classes', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line): [string, number] => [line, 1])
      .updateStateByKey(
        (values: Ones, _state: { mean: Mean } | undefined) => {
          updates++
          return { mean: values.length > 1 ? new ExactMean() : { value: 1 } }
        },
        { uid: 'means' },
      )
      .view('means', { value: ({ mean }) => mean.value })
  })
  await using harness = await StreamHarness.start(classes)
  expect((await harness.batch(['a'])).get('means')).toEqual([['a', 1]])
  updates = 0
  const failed = await harness.batch(['b', 'x', 'b']).catch((error) => error)
  expect(failed).toMatchObject({ code: 'STATE_INVALID' })
  expect(failed.message).toMatch(
    /^job 'classes', batch 1: .*the state 'means' cannot be stored: the value\.mean is an instance of ExactMean, at key "b"/,
  )
  expect(failed.publicMessage).not.toContain('"b"')
  // The update runs at most once for each key: a retry would only fail again.
  expect(updates).toBeLessThanOrEqual(3)
})
