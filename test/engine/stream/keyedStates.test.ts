// updateStateByKey, mapWithState and transformWithState against plain code that processes the
// values one by one: whatever the batches, pauses, crashes and reruns, state, outputs and expired
// keys are the same.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { job, type StateContext } from '../../../engine/engine.ts'
import type { StateCodec } from '../../../engine/state/stateCodec.ts'
import { StreamHarness } from './streamHarness.ts'

const batchesArbitrary = fc.array(
  fc.record({
    /** Seconds since the previous batch. */
    intervals: fc.constantFrom(1, 1, 1, 2, 5, 240, 4 * 3600),
    lines: fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 6 }),
    /**
     * A crash before the batch, or after it so that the batch runs again; `again` reruns the batch
     * without a crash.
     */
    crash: fc.constantFrom('no', 'no', 'no', 'before', 'after', 'again'),
  }),
  { minLength: 1, maxLength: 15, size: 'max' },
)

type Batches = typeof batchesArbitrary extends fc.Arbitrary<infer T> ? T : never

/** Runs the batches, and calls `check` with the lines, time and id of each one. */
async function runAll(
  harness: StreamHarness,
  batches: Batches,
  check: (lines: readonly string[], nowMs: number, batchId: number) => void,
): Promise<void> {
  for (const [at, { intervals, lines, crash }] of batches.entries()) {
    if (crash === 'before') await harness.restart()
    await harness.batch(lines, intervals)
    if (crash === 'after') await harness.restart()
    if (crash === 'after' || crash === 'again') await harness.run(harness.batches.at(-1)!)
    check(lines, harness.batches[at]!.timeMs, at)
  }
}

const sorted = (values: readonly unknown[] = []) =>
  values.map((value) => JSON.stringify(value)).sort()

describe('updateStateByKey', () => {
  test('with a time to live, matches plain code that reads the clock', async () => {
    await fc.assert(
      fc.asyncProperty(
        batchesArbitrary,
        fc.constantFrom(undefined, 1000, 2000, 5000, 300_000),
        async (batches, ttlMs) => {
          const tables: unknown[][] = []
          const calls: number[] = []
          const program = job('ttl', (stream) => {
            stream
              .fromTopic('lines', StreamHarness.lines)
              .map((line) => [line, 1] as const)
              .updateStateByKey(
                (values: readonly number[], total: number | undefined) => {
                  calls.push(values.length)
                  // Every fourth value removes the key.
                  const sum = (total ?? 0) + values.length
                  return sum % 4 === 0 ? undefined : sum
                },
                {
                  ...(ttlMs !== undefined && { ttlMs }),
                  initialState: new Map([
                    ['a', 2],
                    ['z', 1],
                  ]),
                },
              )
              .foreachRDD(async (rdd, { batchId }) => {
                tables[batchId] = await rdd.collect()
              })
          })
          await using harness = await StreamHarness.start(program)
          const model = new Map<string, { total: number; touchedMs: number }>()
          await runAll(harness, batches, (lines, nowMs, batchId) => {
            if (batchId === 0) {
              model
                .set('a', { total: 2, touchedMs: nowMs })
                .set('z', { total: 1, touchedMs: nowMs })
            }
            for (const [key, { touchedMs }] of model) {
              if (ttlMs !== undefined && touchedMs + ttlMs <= nowMs) model.delete(key)
            }
            for (const key of new Set(lines)) {
              const values = lines.filter((line) => line === key).length
              const total = (model.get(key)?.total ?? 0) + values
              if (total % 4 === 0) model.delete(key)
              else model.set(key, { total, touchedMs: nowMs })
            }
            expect(sorted(tables[batchId])).toEqual(
              sorted([...model].map(([key, { total }]) => [key, total])),
            )
          })
          // A key without values costs nothing: the update function is never called for it.
          expect(calls.every((values) => values > 0)).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('stays in the partitions of its input: later operators do not shuffle', async () => {
    const partitioners: unknown[] = []
    const program = job('partitioned', { partitions: 3 }, (stream) => {
      const ones = stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line): [string, number] => [line, 1])
      const totals = ones.updateStateByKey(
        (values: readonly number[], total: number | undefined) => {
          return (total ?? 0) + values.length
        },
      )
      const counts = ones.reduceByKey((left, right) => left + right)
      totals
        .join(counts)
        .transform((rdd) => {
          const [dependency] = rdd.dependencies
          partitioners.push(dependency?.kind)
          return rdd
        })
        .foreachRDD(async (rdd) => {
          partitioners.push(await rdd.collect())
        })
    })
    await using harness = await StreamHarness.start(program)
    await harness.batch(['a', 'a'])
    await harness.batch(['b', 'a'])
    expect(partitioners).toContainEqual([['a', [2, 2]]])
    expect(partitioners.filter((each) => typeof each === 'string')).not.toContain('shuffle')
  })

  describe('a time to live changed in the code', () => {
    /**
     * Returns the keys that exist after each batch. A batch is a time to live, the seconds since
     * the previous batch, and its lines.
     */
    const tables = async (batches: readonly [number | undefined, number, string[]][]) => {
      const found: string[] = []
      const program = (ttlMs: number | undefined) =>
        job('ttl', { partitions: 1 }, (stream) => {
          stream
            .fromTopic('lines', StreamHarness.lines)
            .map((line) => [line, 1] as const)
            .updateStateByKey((values: readonly number[]) => values.length, {
              uid: 'last',
              ...(ttlMs !== undefined && { ttlMs }),
            })
            .foreachRDD(async (rdd) => {
              found.push((await rdd.keys().collect()).sort().join(' '))
            })
        })
      await using harness = await StreamHarness.start(program(undefined))
      for (const [ttlMs, intervals, lines] of batches) {
        await harness.restart(program(ttlMs))
        await harness.batch(lines, intervals)
      }
      return found
    }

    test('applies to a key when the key is next updated', async () => {
      const found = await tables([
        [undefined, 1, ['never', 'touched']],
        [3000, 1, ['touched']],
        [3000, 2, []],
        [3000, 1, []],
      ])
      expect(found).toEqual(['never touched', 'never touched', 'never touched', 'never'])
    })

    test('may become shorter', async () => {
      const found = await tables([
        [60_000, 1, ['a', 'b']],
        [2000, 1, ['a']],
        [2000, 1, []],
        [2000, 1, []],
        [2000, 56, []],
        [2000, 1, []],
      ])
      // The timer of b still has the longer time.
      expect(found).toEqual(['a b', 'a b', 'a b', 'b', 'b', ''])
    })

    test('may become longer', async () => {
      const found = await tables([
        [2000, 1, ['a']],
        [4000, 1, []],
        [4000, 1, []],
        [4000, 1, []],
        [4000, 1, []],
      ])
      expect(found).toEqual(['a', 'a', 'a', 'a', ''])
    })

    test('may be removed and set again', async () => {
      const found = await tables([
        [2000, 1, ['a']],
        [undefined, 5, []],
        [8000, 1, ['a']],
        [8000, 7, []],
        [8000, 1, []],
      ])
      expect(found).toEqual(['a', 'a', 'a', 'a', ''])
    })
  })
})

describe('initial states', () => {
  const counts = (states: readonly (readonly [string, number])[]) =>
    job('initial', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => line.split(' '))
        .map(([key = '', command = '']) => [key, command] as const)
        .updateStateByKey(
          (commands: readonly string[], count: number | undefined) =>
            commands.includes('remove') ? undefined : (count ?? 0) + commands.length,
          { initialState: states, uid: 'counts' },
        )
        .view('counts')
    })

  test('removed by the first batch do not return', async () => {
    await using harness = await StreamHarness.start(counts([['a', 100]]))
    expect((await harness.batch(['a remove'])).get('counts')).toEqual([])
    await harness.restart()
    expect((await harness.batch([])).get('counts')).toEqual([])
    expect((await harness.batch(['a add'])).get('counts')).toEqual([['a', 1]])
    await harness.batch(['a remove'])
    await harness.restart()
    expect((await harness.batch([])).get('counts')).toEqual([])
  })

  test('are loaded again when the first batch is rerun', async () => {
    await using harness = await StreamHarness.start(counts([['a', 100]]))
    await harness.batch(['a remove', 'b add'])
    await harness.restart()
    expect((await harness.run(harness.batches[0]!)).get('counts')).toEqual([['b', 1]])
    expect((await harness.batch(['a add'])).get('counts')).toEqual([
      ['a', 1],
      ['b', 1],
    ])
  })

  test('that are added to the code later are not used, even in a partition without keys', async () => {
    await using harness = await StreamHarness.start(counts([]))
    await harness.batch(['a add'])
    const many = Array.from({ length: 20 }, (_, at) => [`key ${at}`, at] as const)
    await harness.restart(counts(many))
    expect((await harness.batch([])).get('counts')).toEqual([['a', 1]])
  })
})

describe('mapWithState', () => {
  test('emits for each value, and is called once more for a key that times out', async () => {
    await fc.assert(
      fc.asyncProperty(
        batchesArbitrary,
        fc.constantFrom(undefined, 1000, 3000, 300_000),
        fc.constantFrom(undefined, 2000, 300_000),
        async (batches, timeoutMs, ttlMs) => {
          const mapped: unknown[][] = []
          const snapshots: unknown[][] = []
          const program = job('mapped', { partitions: 3 }, (stream) => {
            const counts = stream
              .fromTopic('lines', StreamHarness.lines)
              .map((line) => [line, line.length] as const)
              .mapWithState<string, number, number, string>(
                (key, value, state) => {
                  if (state.isTimingOut()) return `${key} is over at ${state.get()}`
                  const count = (state.get() ?? 0) + value!
                  if (count === 5) state.remove()
                  // The third value changes nothing, but still renews the time to live.
                  else if (count !== 3 || !state.exists()) state.update(count)
                  return count % 2 === 0 ? undefined : `${key} ${count}`
                },
                {
                  ...(timeoutMs !== undefined && { timeoutMs }),
                  ...(ttlMs !== undefined && { ttlMs }),
                },
              )
            counts.foreachRDD(async (rdd, { batchId }) => {
              mapped[batchId] = await rdd.collect()
            })
            counts.stateSnapshots().foreachRDD(async (rdd, { batchId }) => {
              snapshots[batchId] = await rdd.collect()
            })
          })
          await using harness = await StreamHarness.start(program)
          const model = new Map<string, { count: number; touchedMs: number }>()
          await runAll(harness, batches, (lines, nowMs, batchId) => {
            const expected: string[] = []
            for (const [key, { count, touchedMs }] of model) {
              const isOver = touchedMs + Math.min(timeoutMs ?? Infinity, ttlMs ?? Infinity) <= nowMs
              if (!isOver) continue
              if (timeoutMs !== undefined && timeoutMs <= (ttlMs ?? Infinity)) {
                expected.push(`${key} is over at ${count}`)
              }
              model.delete(key)
            }
            for (const key of lines) {
              const before = model.get(key)?.count
              const count = (before ?? 0) + 1
              if (count === 5) model.delete(key)
              else if (count === 3 && before !== undefined) {
                model.set(key, { count: before, touchedMs: nowMs })
              } else model.set(key, { count, touchedMs: nowMs })
              if (count % 2 !== 0) expected.push(`${key} ${count}`)
            }
            expect(sorted(mapped[batchId])).toEqual(sorted(expected))
            expect(sorted(snapshots[batchId])).toEqual(
              sorted([...model].map(([key, { count }]) => [key, count])),
            )
          })
        },
      ),
      { numRuns: 100 },
    )
  })

  test('keeps the order of the values of a key', async () => {
    const seen: unknown[] = []
    const program = job('ordered', { partitions: 2 }, (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line[0]!, Number(line.slice(1))] as const)
        .mapWithState<string, number, number, string>((key, value, state) => {
          const before = state.get()
          state.update(value!)
          return `${key}: ${value} after ${before}`
        })
        .foreachRDD(async (rdd) => {
          seen.push((await rdd.collect()).filter((line) => line.startsWith('a')))
        })
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['a1', 'b1', 'a2'], ['a3']])
    await harness.batchOf([['a4'], ['b2', 'a5']])
    expect(seen).toEqual([
      ['a: 1 after undefined', 'a: 2 after 1', 'a: 3 after 2'],
      ['a: 4 after 3', 'a: 5 after 4'],
    ])
  })

  test('a state that is timing out cannot be updated', async () => {
    const program = job('timing-out', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 1] as const)
        .mapWithState<string, number, number, number>(
          (_key, _value, state) => {
            state.update(1)
            return undefined
          },
          { timeoutMs: 1000, uid: 'idle' },
        )
        .foreachRDD(() => {})
    })
    await using harness = await StreamHarness.start(program)
    await harness.batch(['a'])
    await expect(harness.batch([])).rejects.toThrow(
      /a state that is timing out cannot be updated.*in mapWithState 'idle', at key "a"/,
    )
  })
})

describe('transformWithState', () => {
  test('processing time timers fire once, in the first batch at or after their time', async () => {
    await fc.assert(
      fc.asyncProperty(
        batchesArbitrary,
        fc.integer({ min: 0, max: 4000 }),
        async (batches, afterMs) => {
          const emitted: unknown[][] = []
          const program = job('reminders', { partitions: 3 }, (stream) => {
            stream
              .fromTopic('lines', StreamHarness.lines)
              .map((line) => [line, 1] as const)
              .transformWithState({
                handleInput(_key: string, values: readonly number[], context: Context) {
                  const { batchTimeMs } = context
                  const before = context.get()
                  // A new value postpones the reminder.
                  if (before) context.deleteProcessingTimer(before.dueMs, before.count % 7)
                  const count = (before?.count ?? 0) + values.length
                  const dueMs = batchTimeMs + afterMs
                  context.registerProcessingTimer(dueMs, count % 7)
                  context.update({ count, dueMs })
                },
                handleTimer(key: string, timer, context: Context) {
                  context.emit([key, timer.timeMs, timer.tag, context.get()?.count])
                  context.remove()
                },
              })
              .foreachRDD(async (rdd, { batchId }) => {
                emitted[batchId] = await rdd.collect()
              })
          })
          await using harness = await StreamHarness.start(program)
          const model = new Map<string, { count: number; dueMs: number }>()
          await runAll(harness, batches, (lines, nowMs, batchId) => {
            for (const key of lines) {
              const count = (model.get(key)?.count ?? 0) + 1
              model.set(key, { count, dueMs: nowMs + afterMs })
            }
            const expected: unknown[] = []
            for (const [key, { count, dueMs }] of model) {
              if (dueMs > nowMs) continue
              expected.push([key, dueMs, count % 7, count])
              model.delete(key)
            }
            expect(sorted(emitted[batchId])).toEqual(sorted(expected))
          })
        },
      ),
      { numRuns: 100 },
    )
  })

  test('an asynchronous handler is refused', async () => {
    const program = job('async', (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 1] as const)
        .transformWithState({
          async handleInput(_key: string, _values: readonly number[], _context: Context) {},
        })
        .foreachRDD(() => {})
    })
    await using harness = await StreamHarness.start(program)
    await expect(harness.batch(['a'])).rejects.toThrow(
      /handleInput returned a promise.* in transformWithState 'transformWithState-0', at key "a"/,
    )
  })

  test('a timer without a handler, and a reserved tag, are refused', async () => {
    const program = (tag: number) =>
      job('unhandled', (stream) => {
        stream
          .fromTopic('lines', StreamHarness.lines)
          .map((line) => [line, 1] as const)
          .transformWithState({
            handleInput(_key: string, _values: readonly number[], context: Context) {
              context.registerProcessingTimer(0, tag)
            },
          })
          .foreachRDD(() => {})
      })
    await using unhandled = await StreamHarness.start(program(0))
    await expect(unhandled.batch(['a'])).rejects.toThrow(/has no handleTimer; add one/)
    await using tagged = await StreamHarness.start(program(255))
    await expect(tagged.batch(['a'])).rejects.toThrow(/from 0 to 254, not 255/)
  })
})

type Context = StateContext<{ readonly count: number; readonly dueMs: number }, unknown>

test('a custom codec stores the values, with and without a time to live', async () => {
  const decoded: string[] = []
  const hex: StateCodec<number> = {
    name: 'hex',
    encode: (value) => Buffer.from(value.toString(16)),
    decode(bytes) {
      decoded.push(Buffer.from(bytes).toString())
      return Number.parseInt(Buffer.from(bytes).toString(), 16)
    },
  }
  const tables: unknown[] = []
  const program = (ttlMs?: number) =>
    job('coded', { partitions: 1 }, (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines)
        .map((line) => [line, 10] as const)
        .updateStateByKey(
          (values: readonly number[], total: number | undefined) =>
            (total ?? 0) + 10 * values.length,
          { uid: 'totals', codec: hex, ...(ttlMs !== undefined && { ttlMs }) },
        )
        .foreachRDD(async (rdd) => {
          tables.push(await rdd.collect())
        })
    })
  await using harness = await StreamHarness.start(program())
  expect(harness.driver.graph.operators).toMatchObject([{ uid: 'totals', codec: 'hex' }])
  await harness.batch(['a'])
  await harness.restart(program(2000))
  await harness.batch(['a', 'b'])
  await harness.restart(program())
  await harness.batch(['b'])
  expect(tables.map((table) => sorted(table as unknown[]))).toEqual([
    ['["a",10]'],
    ['["a",20]', '["b",10]'],
    ['["a",20]', '["b",20]'],
  ])
  expect(decoded).toContain('a')
})

test.each([
  ['ttlMs', { ttlMs: 0 }],
  ['ttlMs', { ttlMs: 1.5 }],
  ['timeoutMs', { timeoutMs: -1 }],
  ['version', { version: -1 }],
])('%s is refused if it is not a valid duration', async (_name, options) => {
  const bad = job('bad', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .mapWithState<string, number, number, number>(() => 1, options)
      .foreachRDD(() => {})
  })
  await expect(StreamHarness.start(bad)).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
})

test('uid, version and shape are part of the contract of an operator', async () => {
  const program = job('contracts', (stream) => {
    const ones = stream.fromTopic('lines', StreamHarness.lines).map((line) => [line, 1] as const)
    const update = (values: readonly number[]) => values.length
    ones.updateStateByKey(update, { uid: 'named', version: 2 }).foreachRDD(() => {})
    ones.updateStateByKey(update).foreachRDD(() => {})
    ones
      .reduceByKeyAndWindow<string, number>((left, right) => left + right, 3000, 1000, {
        inverse: (total, leaving) => total - leaving,
      })
      .foreachRDD(() => {})
  })
  await using harness = await StreamHarness.start(program)
  expect(
    harness.driver.graph.operators.map(({ uid, isNamed, kind, shape, codec }) => {
      return { uid, isNamed, kind, shape, codec }
    }),
  ).toEqual([
    { uid: 'named', isNamed: true, kind: 'updateStateByKey', shape: 'version 2', codec: 'v8' },
    { uid: 'updateStateByKey-1', isNamed: false, kind: 'updateStateByKey', shape: '', codec: 'v8' },
    {
      uid: 'reduceByKeyAndWindow-2',
      isNamed: false,
      kind: 'reduceByKeyAndWindow',
      shape: 'window 3000 1000',
      codec: 'v8',
    },
  ])
})
