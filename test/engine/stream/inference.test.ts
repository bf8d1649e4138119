// A job's first draft must type-check without type arguments. `tsc` is the test of this file;
// running it only shows that the code means what it says.

import { expect, test } from 'vitest'
import {
  add,
  type DStream,
  type EventStateContext,
  job,
  type LateRow,
  type OpenWindow,
  type Pair,
  type State,
  type StateContext,
  seconds,
  subtract,
  type TimedRow,
  type WindowResult,
} from '../../../engine/engine.ts'
import { StreamHarness } from './streamHarness.ts'

test('ones are numbers, and other values keep their types', async () => {
  const counting = job('counting', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    const ones = lines.map((line) => [line, 1] as const)
    ones
      .reduceByKey((left, right) => left + right)
      .updateStateByKey(add)
      .view('total', { title: 'total', chart: 'bar' })
    ones
      .reduceByKeyAndWindow((left, right) => left + right, seconds(2), seconds(1), {
        inverse: subtract,
        filter: (count) => count > 0,
      })
      .view('window', { title: 'window', chart: 'bar' })
    lines
      .map((line) => [line.length, line] as const)
      .reduceByKey((left, right) => left + right)
      .mapValues((joined) => joined.length)
      .view('lengths', { title: 'lengths', chart: 'bar' })
  })
  await using harness = await StreamHarness.start(counting)
  await harness.batch(['a', 'bb'])
  await harness.batch(['a'])
  const views = await harness.batch(['bb', 'bb'])
  expect(views.get('total')).toEqual([
    ['a', 2],
    ['bb', 3],
  ])
  expect(views.get('window')).toEqual([
    ['a', 1],
    ['bb', 2],
  ])
  expect(views.get('lengths')).toEqual([['2', 4]])
})

interface Visit {
  readonly user: string
  readonly at: number
  readonly seconds: number
}

/** Accepts a stream of exactly this type. */
function is<T>() {
  return <U>(
    _stream: DStream<U> & ([T, U] extends [U, T] ? unknown : { 'is of type': U }),
  ): void => {}
}

/** This function is type-checked and never called. */
function types(): void {
  const program = job('types', (stream) => {
    const visits = stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line): Visit => ({ user: line, at: 0, seconds: line.length }))
    const bySeconds = visits.map((visit) => [visit.user, visit.seconds] as const)

    const longest = bySeconds.mapWithState((_user, value, state: State<number>) => {
      const before = state.get() ?? 0
      if (value !== undefined) state.update(Math.max(before, value))
      return value === undefined ? undefined : { before, value }
    })
    is<{ before: number; value: number }>()(longest)
    is<Pair<string, number>>()(longest.stateSnapshots())

    const emitted = bySeconds.transformWithState({
      handleInput(user, values, context: StateContext<number, { user: string; sum: number }>) {
        const sum = values.reduce((left, right) => left + right, context.get() ?? 0)
        context.update(sum)
        context.registerProcessingTimer(context.batchTimeMs + 1)
        context.emit({ user: user.toUpperCase(), sum })
        // @ts-expect-error event time needs a watermark
        context.registerEventTimer(1)
      },
      handleTimer(user, timer, context) {
        context.emit({ user, sum: timer.timeMs })
        // @ts-expect-error a timer must emit the type that handleInput emits
        context.emit(user)
      },
    })
    is<{ user: string; sum: number }>()(emitted)

    const timed = visits.withWatermark(({ at }) => at, { delayMs: 5 })
    // @ts-expect-error a visit has no such field
    visits.withWatermark(({ when }) => when, { delayMs: 5 })
    // @ts-expect-error a string is not a time
    visits.withWatermark(({ user }) => user, { delayMs: 5 })
    // @ts-expect-error a watermark requires its delay
    visits.withWatermark(({ at }) => at, {})

    const byUser = timed.keyBy(({ user }) => user)
    // @ts-expect-error a visit is not a key
    timed.keyBy((visit) => visit)

    const counts = byUser.tumbling(1000).count()
    is<WindowResult<string, number>>()(counts)
    is<LateRow<string, Visit>>()(counts.late)
    is<OpenWindow<string, number>>()(counts.open())

    is<WindowResult<string, Visit>>()(
      byUser.sessions(10).reduce((one, other) => (one.seconds > other.seconds ? one : other)),
    )
    const users = byUser.hopping(10, 5).aggregate({
      create: () => new Set<number>(),
      add: (all, { at }) => all.add(at),
      merge: (left, right) => new Set([...left, ...right]),
    })
    is<WindowResult<string, Set<number>>>()(users)
    byUser.hopping(10, 5).aggregate({
      create: () => 0,
      // @ts-expect-error a visit has no such field
      add: (sum, { minutes }) => sum + minutes,
      merge: (left, right) => left + right,
    })

    const gaps = byUser.transformWithState({
      handleInput(_user, rows, context: EventStateContext<number, TimedRow<Visit>>) {
        for (const row of rows) context.emit(row)
        context.registerEventTimer(rows[0]!.timeMs + 1)
      },
    })
    is<TimedRow<Visit>>()(gaps)
    is<LateRow<string, Visit>>()(gaps.late)

    const first = byUser.dropDuplicatesWithinWatermark()
    is<TimedRow<Visit>>()(first.map(({ user }) => ({ user, at: 1, seconds: 1 })).timedRows())
    counts.foreachRDD(() => {})
  })
  expect(program.name).toBe('types')
}

test('types are inferred through state and event time', types)
