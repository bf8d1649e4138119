// Exploration finds planted faults in a user's job, each within the same number of seeds, and
// reports nothing in correct jobs.

import { describe, expect, test } from 'vitest'
import type { DStream } from '../../../engine/engine.ts'
import { add, type Job, job, seconds, subtract, sum, text } from '../../../engine/engine.ts'
import {
  ExplorationError,
  type ExploreOptions,
  explore,
  type TestContext,
} from '../../../engine/testing/testing.ts'

const seeds = 20
const rows = ['a 1', 'b 2', 'a 3', 'c 4', 'b 5', 'a 6', 'd 7', 'c 8', 'a 9', 'b 10']
type Pairs = DStream<readonly [string, number]>

/** A job over lines of a word and a number. */
function over(build: (pairs: Pairs, context: TestContext) => void) {
  return (context: TestContext): Job =>
    job('explored', (stream) => {
      const pairs = stream.fromTopic('lines', text()).map(({ line }) => {
        const [word, number] = line.split(' ')
        return [word!, Number(number)] as const
      })
      build(pairs, context)
    })
}

let calls = 0
let total = 0

const wrong: Record<
  string,
  { job: (context: TestContext) => Job; hint: RegExp; options?: ExploreOptions }
> = {
  'the clock in a map': {
    hint: /reads the clock.*explore\.test\.ts/,
    job: over((pairs) =>
      pairs
        .map(([word, number]) => [word, number + (Date.now() % 1000)] as const)
        .updateStateByKey(add, { uid: 'totals' })
        .view('totals'),
    ),
  },
  'randomness in a filter': {
    hint: /random numbers.*explore\.test\.ts/,
    job: over((pairs) =>
      pairs
        .filter(() => Math.random() < 0.5)
        .updateStateByKey(add, { uid: 'totals' })
        .view('totals'),
    ),
  },
  'the order of a set': {
    hint: /order in which values/,
    job: over((pairs) =>
      pairs
        .map(([word, number]): [string, number[]] => [word, [number]])
        .reduceByKey<string, number[]>((left, right) => [...new Set([...left, ...right])])
        .view('first', { value: ([first]) => first! }),
    ),
  },
  'a counter of the module': {
    hint: /keeps state/,
    job: over((pairs) =>
      pairs
        .map(([word]) => [word, ++calls] as const)
        .updateStateByKey(add, { uid: 'totals' })
        .view('totals'),
    ),
  },
  'a sink that appends': {
    hint: /foreachRDD ran 2 times for batch \d+ and the sink appends/,
    job: over((pairs, { sink }) =>
      pairs.reduceByKey<string, number>(sum).foreachRDD(async (rdd) => {
        for (const pair of await rdd.collect()) await sink.append(pair)
      }),
    ),
  },
  'a sink keyed by the batch alone': {
    hint: /order/,
    job: over((pairs, { sink }) =>
      pairs.reduceByKey<string, number>(sum).foreachRDD(async (rdd, { batchId }) => {
        for (const [word] of await rdd.collect()) await sink.put(batchId, word)
      }),
    ),
  },
  'a reduce that is not commutative': {
    hint: /commutative/,
    job: over((pairs) =>
      pairs
        .reduceByKey<string, number>((left, right) => left - right)
        .updateStateByKey(add, { uid: 'differences' })
        .view('differences'),
    ),
  },
  'sums of fractions': {
    hint: /sums of fractions/,
    job: over((pairs) =>
      pairs
        .map(([, number]) => ['all', number / 10 + 1e-3 / number] as const)
        .reduceByKey<string, number>(sum)
        .view('fractions'),
    ),
  },
  'a state of the wall clock': {
    hint: /reads the clock/,
    job: over((pairs) =>
      pairs
        .updateStateByKey<string, number, { seen: string }>(
          (values, before) => (values.length > 0 ? { seen: new Date().toISOString() } : before),
          { uid: 'seen' },
        )
        .view('seen', { value: ({ seen }) => seen.length }),
    ),
  },
  'a foreachRDD that reads what a map has counted': {
    hint: /keeps state|order/,
    job: over((pairs, { sink }) =>
      pairs
        .map(([word, number]) => {
          total += number
          return [word, number] as const
        })
        .foreachRDD(async (rdd, { batchId }) => {
          await rdd.count()
          await sink.put(batchId, total)
        }),
    ),
  },
  'the time of a batch as that of an event': {
    hint: /where batches end/,
    job: over((pairs) =>
      pairs
        .transform((rdd, { timeMs }) =>
          rdd.map(([, number]) => [String((timeMs / 1000) % 60), number] as const),
        )
        .updateStateByKey(add, { uid: 'by second'.replace(' ', '-') })
        .view('seconds'),
    ),
  },
  'a transaction of the driver and not of the batch': {
    hint: /foreachRDD ran|keeps state/,
    job: over((pairs, { sink }) => {
      let transactions = 0
      pairs.foreachRDD(async (rdd) => {
        const all = await rdd.collect()
        await sink.transaction(`${++transactions}-${all.length}`, (tx) =>
          all.forEach((each) => {
            tx.append(each)
          }),
        )
      })
    }),
  },
}

const right: Record<string, { job: (context: TestContext) => Job; options?: ExploreOptions }> = {
  'totals by key': {
    job: over((pairs) =>
      pairs.reduceByKey<string, number>(sum).updateStateByKey(add, { uid: 't' }).view('t'),
    ),
  },
  'counts of each batch': {
    job: over((pairs) => pairs.reduceByKey<string, number>(sum).view('batch')),
  },
  'a window': {
    job: over((pairs) =>
      pairs.reduceByKeyAndWindow<string, number>(sum, seconds(3)).view('window'),
    ),
  },
  'a window with an inverse': {
    job: over((pairs) =>
      pairs
        .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
          inverse: subtract,
          filter: (each) => each !== 0,
        })
        .view('window'),
    ),
  },
  'a put under a key': {
    job: over((pairs, { sink }) =>
      pairs.updateStateByKey(add, { uid: 't' }).foreachRDD(async (rdd) => {
        for (const [word, count] of await rdd.collect()) await sink.put(word, count)
      }),
    ),
    options: { compare: { acrossBatches: ['t', 'sink'] } },
  },
  'a transaction of the batch': {
    job: over((pairs, { sink }) =>
      pairs.foreachRDD(async (rdd, { batchId }) => {
        const all = await rdd.collect()
        await sink.transaction(batchId, (tx) =>
          all.forEach((pair) => {
            tx.append(pair)
          }),
        )
      }),
    ),
    options: { compare: { acrossBatches: ['sink'] } },
  },
  'a join': {
    job: over((pairs) => {
      const largest = pairs.reduceByKey<string, number>(Math.max)
      largest
        .join(pairs.reduceByKey<string, number>(Math.min))
        .mapValues(([max, min]) => max - min)
        .view('spread')
    }),
  },
  'groups in an order of their own': {
    job: over((pairs) =>
      pairs
        .groupByKey()
        .mapValues((all) =>
          all.toSorted((one, other) => one - other).reduce((left, right) => left * 31 + right),
        )
        .view('hash'),
    ),
  },
  'two states and a union': {
    job: over((pairs) => {
      pairs
        .union(pairs.filter(([, number]) => number > 5))
        .updateStateByKey(add, { uid: 'one' })
        .view('one')
      pairs
        .updateStateByKey<string, number, number>((values, most = 0) => Math.max(most, ...values), {
          uid: 'two',
        })
        .view('two')
    }),
  },
  'a put by batch and key': {
    job: over((pairs, { sink }) =>
      pairs.reduceByKey<string, number>(sum).foreachRDD(async (rdd, { timeMs }) => {
        for (const [word, count] of await rdd.collect()) await sink.put(`${timeMs} ${word}`, count)
      }),
    ),
  },
  'the clock for a log line alone': {
    job: over((pairs) => {
      const lines: string[] = []
      pairs
        .map((pair) => {
          lines.push(`${Date.now()} ${pair[0]}`)
          return pair
        })
        .updateStateByKey(add, { uid: 't' })
        .view('t')
    }),
  },
}

/**
 * Counts words by event time. The number after a word is also its time, in seconds; only two lines
 * are out of order.
 */
const timed = over((pairs, { sink }) => {
  const windows = pairs
    .withWatermark(([, number]) => number * 1000, { delayMs: 3000 })
    .keyBy(([word]) => word)
    .tumbling(4000)
    .count({ uid: 'windows' })
  windows.foreachRDD(async (rdd) => {
    for (const { key, startMs, value } of await rdd.collect())
      await sink.put(`${key} ${startMs}`, value)
  })
})

describe('event time', () => {
  const late = [
    'a 1',
    'b 2',
    'a 5',
    'c 4',
    'b 3',
    'a 6',
    'd 7',
    'c 8',
    'a 9',
    'b 20',
    'b 21',
    'c 22',
  ]

  test('windows are the same wherever batches end, if no row is later than the delay', async () => {
    const compare = { acrossBatches: ['sink', 'windows'] }
    const figures = await explore(timed, { lines: late }, { seeds, compare })
    expect(figures.histories).toBe(seeds)
  })

  test('a row beyond the delay is late in some batches and not in others', async () => {
    const tooLate = [...late, 'a 1', 'b 2']
    const compare = { acrossBatches: ['sink'] }
    await expect(explore(timed, { lines: tooLate }, { seeds, compare })).rejects.toThrow(
      /where batches end/,
    )
    // Without acrossBatches this is not a difference: the rows are also late in the calm run.
    await explore(timed, { lines: tooLate }, { seeds })
  })

  test('disorder within the delay changes no result, and disorder beyond it changes results', async () => {
    const stamped = Array.from({ length: 14 }, (_, at) => {
      return { value: `${'abc'[at % 3]} ${at + 1}`, timestampMs: (at + 1) * 1000 }
    })
    const compare = { acrossBatches: ['sink', 'windows'] }
    const within = { seeds, compare, disorderMs: 3000 }
    expect((await explore(timed, { lines: stamped }, within)).histories).toBe(seeds)
    const beyond = { seeds, compare, disorderMs: 12_000 }
    await expect(explore(timed, { lines: stamped }, beyond)).rejects.toThrow(ExplorationError)
  })

  test('the use of the batch time as event time is detected', async () => {
    const mixed = over((pairs, { sink }) => {
      pairs
        .transform((rdd, { timeMs }) =>
          rdd.map(([word, number]) => [word, { number, timeMs }] as const),
        )
        .withWatermark(([, { number, timeMs }]) => timeMs + number * 1000, { delayMs: 3000 })
        .keyBy(([word]) => word)
        .tumbling(4000)
        .count({ uid: 'windows' })
        .foreachRDD(async (rdd) => {
          for (const { key, startMs, value } of await rdd.collect()) {
            await sink.put(`${key} ${startMs}`, value)
          }
        })
    })
    const compare = { acrossBatches: ['sink'] }
    await expect(explore(mixed, { lines: late }, { seeds, compare })).rejects.toThrow(
      /the time of a batch must not stand for that of an event/,
    )
  })
})

describe('a difference', () => {
  test('is reported as the shortest history that leads to it', async () => {
    const appends = over((pairs, { sink }) => {
      pairs.reduceByKey<string, number>(sum).foreachRDD(async (rdd) => {
        for (const pair of await rdd.collect()) await sink.append(pair)
      })
    })
    const found: unknown = await explore(appends, { lines: rows }, { seeds }).catch(
      (error) => error,
    )
    expect(found).toBeInstanceOf(ExplorationError)
    const { message, plan, seed, differences } = found as ExplorationError
    expect(plan.faults.length).toBe(1)
    expect(plan.batches.flatMap(({ records }) => records).length).toBe(1)
    expect(differences).toMatchObject([{ kind: 'list', name: 'sink' }])
    expect(message).toMatch(/\n {2}00:00:0\d {2}batch 1 runs: lines-\d "/)
    expect(message).toMatch(/\n {2}00:00:0\d {2}the driver restarts\n/)
    expect(message).toMatch(/expected it once, got it 2 times/)
    expect(message).toContain(`{ seeds: [${seed}] }`)
    await expect(explore(appends, { lines: rows }, { seeds: [seed] })).rejects.toThrow(message)
  })

  test('excludes failures of a job without any fault', async () => {
    const failing = over((pairs) => {
      pairs
        .map(([word]) => word.repeat(-1))
        .count()
        .view('all')
    })
    await expect(explore(failing, { lines: rows }, { seeds })).rejects.toThrow(
      /the job fails without anything else failing.*RangeError/s,
    )
  })

  test('restores Date and Math.random', async () => {
    const before = { Date, random: Math.random }
    await explore(right['totals by key']!.job, { lines: rows }, { seeds: 2 })
    expect({ Date, random: Math.random }).toEqual(before)
    expect(new Date(0).getTime()).toBe(0)
  })
})

describe('exploration', () => {
  test.each(Object.entries(wrong))('finds %s', async (_name, { job, hint, options }) => {
    const error = await explore(job, { lines: rows }, { seeds, partitions: 3, ...options }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(ExplorationError)
    expect((error as ExplorationError).hints.join('\n')).toMatch(hint)
  })

  test.each(Object.entries(right))('finds nothing in %s', async (_name, { job, options }) => {
    const figures = await explore(job, { lines: rows }, { seeds, partitions: 3, ...options })
    expect(figures.histories).toBe(seeds)
    expect(figures.faults).toBeGreaterThan(seeds / 2)
  })
})
