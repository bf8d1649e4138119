// Functions of a job that change their arguments: values stored by the engine must not change with
// the arguments; where that cannot be ensured, an error is reported.

import { describe, expect, test } from 'vitest'
import { type Job, job, type State, type StateContext } from '../../../engine/engine.ts'
import { copyOf } from '../../../engine/stream/operators/plainCopy.ts'
import { aggregating, reducing } from '../../../engine/stream/windows/windowAggregate.ts'
import { StreamHarness } from './streamHarness.ts'

interface Count {
  n: number
}

describe('a reduction that changes its arguments', () => {
  const changing = (left: Count, right: Count) => {
    left.n += right.n
    return left
  }

  test('counts each row once in each of the windows that contain it', async () => {
    const found: string[] = []
    const program = job('changing', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .withWatermark((line) => Number(line), { delayMs: 0 })
        .map((line): { key: string; n: number } => ({ key: Number(line) < 100 ? 'a' : 'z', n: 1 }))
        .keyBy(({ key }) => key)
        .hopping(20, 10)
        .reduce((left, right) => ({ ...changing(left, right), key: left.key }))
        .filter(({ key }) => key === 'a')
        .foreachRDD(async (rdd) => {
          for (const { startMs, value } of await rdd.collect()) found.push(`${startMs}: ${value.n}`)
        })
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['5', '15'], ['25']])
    await harness.batchOf([['500'], ['500']])
    await harness.batchOf([[], []])
    expect(found.toSorted()).toEqual(['-10: 1', '0: 2', '10: 2', '20: 1'])
  })

  test('leaves the results of a map task unchanged', () => {
    const aggregate = reducing(changing)
    const ofMapTask = [aggregate.first({ n: 1 }), aggregate.first({ n: 2 })]
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(aggregate.merge(aggregate.own(ofMapTask[0]!), ofMapTask[1]!)).toEqual({ n: 3 })
    }
  })
})

describe('an aggregation', () => {
  test('may return the right argument of a merge without sharing it between windows', () => {
    const aggregate = aggregating<number, Count>({
      create: () => ({ n: 0 }),
      add: (count, row) => ({ n: count.n + row }),
      merge(left, right) {
        if (left.n === 0) return right
        left.n += right.n
        return left
      },
    })
    const ofMapTasks = [1, 2, 3].map((row) => aggregate.first(row))
    for (let attempt = 0; attempt < 2; attempt++) {
      const [first, ...others] = ofMapTasks
      expect(others.reduce(aggregate.merge, aggregate.own(first!))).toEqual({ n: 6 })
    }
  })

  const aggregated = (create: () => Count, add: (count: Count) => Count): Job =>
    job('aggregated', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .withWatermark((line) => Number(line), { delayMs: 0 })
        .keyBy(() => 'all')
        .tumbling(10)
        .aggregate({ create, add, merge: (left, right) => ({ n: left.n + right.n }) })
        .open()
        .map(({ startMs, value }) => [startMs, value.n] as const)
        .view('open')
    })
  const shared = { n: 0 }

  test('whose create() returns one object that add() changes is refused', async () => {
    const changed = (count: Count) => {
      count.n++
      return count
    }
    await using harness = await StreamHarness.start(aggregated(() => shared, changed))
    await expect(harness.batchOf([['5', '15'], []])).rejects.toThrow(
      'create() of an aggregation returned the same object twice, and the object is changed',
    )
  })

  test('whose create() returns one object that nothing changes is accepted', async () => {
    const empty = Object.freeze({ n: 0 })
    const program = aggregated(
      () => empty,
      ({ n }) => ({ n: n + 1 }),
    )
    await using harness = await StreamHarness.start(program)
    const views = await harness.batchOf([['5', '15', '6'], ['7']])
    expect(views.get('open')).toEqual([
      ['0', 3],
      ['10', 1],
    ])
  })
})

describe('mapWithState', () => {
  const mapped = (out: unknown[], map: (state: State<Count>) => unknown) =>
    job('mapped', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 1] as const)
        .mapWithState((_key, _value, state: State<Count>) => map(state))
        .foreachRDD(async (rdd) => {
          out.push(...(await rdd.collect()))
        })
    })

  test('emits the state as of each value, also when the function returns the state', async () => {
    const out: unknown[] = []
    const program = mapped(out, (state) => {
      const count = state.get() ?? { n: 0 }
      count.n++
      state.update(count)
      return count
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['a', 'a'], ['a']])
    await harness.batchOf([['a'], ['a']])
    expect(out).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }])
  })

  test('a change takes effect only with update(), however the values are divided into batches', async () => {
    const run = async (batches: readonly string[][]) => {
      const out: unknown[] = []
      const program = mapped(out, (state) => {
        const count = state.get()
        if (count === undefined) state.update({ n: 0 })
        else count.n += 10
        return `${count?.n} ${state.get()!.n}`
      })
      await using harness = await StreamHarness.start(program)
      for (const batch of batches) await harness.batchOf([batch, []])
      return out
    }
    const expected = ['undefined 0', '10 0', '10 0']
    expect(await run([['a'], ['a'], ['a']])).toEqual(expected)
    expect(await run([['a', 'a', 'a']])).toEqual(expected)
  })

  test('can remove and create a state within a batch', async () => {
    const out: unknown[] = []
    const program = mapped(out, (state) => {
      const existed = state.exists()
      if (existed) state.remove()
      else state.update({ n: 7 })
      return [existed, state.exists(), state.get()?.n]
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['a', 'a', 'a'], []])
    await harness.batchOf([['a'], []])
    expect(out).toEqual([
      [false, true, 7],
      [true, false, undefined],
      [false, true, 7],
      [true, false, undefined],
    ])
  })
})

test('transformWithState emits the state as of each call', async () => {
  const out: unknown[] = []
  const program = job('running', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line[0]!, Number(line[1])] as const)
      .transformWithState({
        handleInput(_key, values, context: StateContext<Count, Count>) {
          const count = context.get() ?? { n: 0 }
          for (const value of values) {
            count.n += value
            context.emit(count)
          }
          context.update(count)
        },
      })
      .foreachRDD(async (rdd) => {
        out.push(...(await rdd.collect()))
      })
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a1', 'a2'], ['a4']])
  expect(out).toEqual([{ n: 1 }, { n: 3 }, { n: 7 }])
})

test('an inverse window subtracts the values that it added, even if its functions change arguments', async () => {
  const out: unknown[] = []
  const program = job('window', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line): [string, Count] => [line, { n: 1 }])
      .reduceByKeyAndWindow(
        (left, right) => {
          left.n += right.n
          return left
        },
        3000,
        1000,
        {
          inverse(total, leaving) {
            total.n -= leaving.n
            return total
          },
        },
      )
      .foreachRDD(async (rdd) => {
        out.push((await rdd.collect()).map(([, { n }]) => n))
      })
  })
  await using harness = await StreamHarness.start(program)
  for (const count of [2, 3, 1, 4, 0, 0, 5, 2]) {
    await harness.batchOf([Array.from({ length: count }, () => 'a'), []])
  }
  expect(out).toEqual([[2], [5], [6], [8], [5], [4], [5], [7]])
})

test('a later operator may change its input, and its task may be retried', async () => {
  const out: unknown[] = []
  let failures = 1
  const program = job('follows', { partitions: 1 }, (stream) => {
    const counts = stream
      .fromTopic('lines', StreamHarness.lines)
      .withWatermark((line) => Number(line.split(' ')[1]), { delayMs: 0 })
      .keyBy((line) => line.split(' ')[0]!)
      .tumbling(10)
      .aggregate({
        create: () => ({ n: 0 }),
        add: ({ n }) => ({ n: n + 1 }),
        merge: (left, right) => ({ n: left.n + right.n }),
      })
    for (const factor of [10, 1000]) {
      counts
        .map((result) => {
          const { key, value } = result
          value.n *= factor
          if (key === 'b' && failures-- > 0) throw new Error('fails once')
          return `${key} ${value.n}`
        })
        .foreachRDD(async (rdd) => {
          out.push(...(await rdd.collect()))
        })
    }
  })
  await using harness = await StreamHarness.start(program)
  await harness.batchOf([['a 1', 'b 1'], ['a 2']])
  await harness.batchOf([['z 500'], ['z 500']])
  await harness.batchOf([[], []])
  expect(failures).toBeLessThanOrEqual(0)
  expect(out.toSorted()).toEqual(['a 20', 'a 2000', 'b 10', 'b 1000'])
})

test('a copy equals the value, and shares no mutable part with it', () => {
  class Money {
    readonly cents = 1
  }
  const money = new Money()
  const value = {
    ...{
      text: 'a',
      number: Number.NaN,
      nothing: null,
      missing: undefined,
      list: [1, { n: 2 }, [3]],
    },
    ...{ map: new Map([['a', { n: 1 }]]), set: new Set([1]), date: new Date(5), big: 1n },
    ...{ bytes: new Uint8Array([1]), buffer: Buffer.from('ab'), ['__proto__']: { own: true } },
  }
  const copy = copyOf(value)
  expect(copy).toEqual(value)
  expect(Object.keys(copy)).toEqual(Object.keys(value))
  expect(copy.list[1]).not.toBe(value.list[1])
  expect(copy.map.get('a')).not.toBe(value.map.get('a'))
  copy.bytes[0] = 9
  copy.buffer[0] = 9
  expect([value.bytes[0], value.buffer.toString()]).toEqual([1, 'ab'])
  expect(copyOf({ money }).money).toBe(money)
  const cycle: { next?: unknown } = {}
  cycle.next = cycle
  const copied = copyOf(cycle) as { next: { next: unknown } }
  expect(copied.next).not.toBe(cycle)
})
