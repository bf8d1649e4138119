// The actions that a job may run in the driver on a batch's RDD, and the errors of what it must not
// do.

import { expect, test } from 'vitest'
import { add, job, type RowFormat, sum, text } from '../../../engine/engine.ts'
import type { Rdd } from '../../../engine/rdd/rdd.ts'
import { StreamHarness } from './streamHarness.ts'

test('runs actions in every batch', async () => {
  const seen: unknown[] = []
  const actions = job('actions', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).foreachRDD(async (rdd, { batchId }) => {
      seen.push([batchId, await rdd.count(), (await rdd.collect()).sort(), await rdd.take(1)])
    })
  })
  await using harness = await StreamHarness.start(actions)
  await harness.batch(['b', 'a'])
  await harness.batch([])
  expect(seen).toEqual([
    [0, 2, ['a', 'b'], ['b']],
    [1, 0, [], []],
  ])
})

test('transforms, reduces and joins, with functions that exist only in the driver', async () => {
  const seen: unknown[] = []
  const longest = job('longest', { partitions: 3 }, (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    lines.foreachRDD(async (rdd) => {
      const lengths = rdd.map((line) => [line, line.length] as const)
      const pairs = rdd
        .keyBy((line) => line[0]!)
        .groupByKey()
        .mapValues((all) => all.length)
      seen.push({
        sum: await rdd.map(({ length }) => length).reduce((one, other) => one + other),
        longest: await rdd.reduce((one, other) => (one.length >= other.length ? one : other)),
        long: (await rdd.filter((line) => line.length > 1).collect()).sort(),
        first: await rdd.map((line) => line.toUpperCase()).first(),
        byLength: (await lengths.reduceByKey(Math.max).collect()).sort(),
        joined: (await lengths.join(lengths).collect()).sort(),
        twice: await rdd.union(rdd).count(),
        byLetter: (await pairs.collect()).sort(),
      })
    })
  })
  await using harness = await StreamHarness.start(longest)
  await harness.batch(['a', 'bbb', 'aa'])
  await harness.batch([])
  expect(seen).toEqual([
    {
      ...{ sum: 6, longest: 'bbb', long: ['aa', 'bbb'], first: 'A', twice: 6 },
      byLength: [
        ['a', 1],
        ['aa', 2],
        ['bbb', 3],
      ],
      joined: [
        ['a', [1, 1]],
        ['aa', [2, 2]],
        ['bbb', [3, 3]],
      ],
      byLetter: [
        ['a', 2],
        ['b', 1],
      ],
    },
    {
      ...{ sum: undefined, longest: undefined, long: [], first: undefined, twice: 0 },
      ...{ byLength: [], joined: [], byLetter: [] },
    },
  ])
})

test('an update that throws is reported with its state and key', async () => {
  const throwing = job('throwing', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line): [string, number] => [line, 1])
      .updateStateByKey(
        (values: readonly number[], state: number | undefined) => {
          if (values.length > 1) throw new TypeError('too many')
          return (state ?? 0) + values.length
        },
        { uid: 'totals' },
      )
      .view('totals')
  })
  await using harness = await StreamHarness.start(throwing)
  await expect(harness.batch(['a', 'x', 'a'])).rejects.toThrow(
    /TypeError: too many \(.*foreachRdd\.test\.ts:\d+:\d+\) in updateStateByKey 'totals', at key "a"/,
  )
})

test('an RDD derived from another one expires with its batch', async () => {
  const kept: Rdd<string>[] = []
  const keeps = job('keeps', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).foreachRDD((rdd) => {
      kept.push(rdd.map((line) => line))
    })
  })
  await using harness = await StreamHarness.start(keeps)
  await harness.batch(['a'])
  await harness.batch(['b'])
  await expect(kept[0]!.collect()).rejects.toThrow(/batch 0 has ended/)
  expect(() => kept[0]!.union(kept[1]!)).toThrow(/within the same batch/)
})

test('an action in the graph is refused with advice', async () => {
  const failures: Error[] = []
  const inGraph = job('in-graph', (stream) => {
    stream
      .fromTopic('lines', StreamHarness.lines)
      .transform((rdd) => {
        rdd.count().catch((error) => failures.push(error))
        return rdd
      })
      .foreachRDD(async (rdd) => void (await rdd.count()))
  })
  await using harness = await StreamHarness.start(inGraph)
  await harness.batch(['a'])
  expect(failures[0]).toMatchObject({
    code: 'JOB_GRAPH_INVALID',
    message: expect.stringContaining('use foreachRDD'),
  })
})

test('take reads no more records than it returns, other actions read all', async () => {
  const decoded: string[] = []
  const noting: RowFormat<string> = {
    ...StreamHarness.lines,
    row(bytes, start, end, record) {
      const line = StreamHarness.lines.row(bytes, start, end, record)
      decoded.push(line)
      return line
    },
  }
  const taken: unknown[] = []
  const takes = job('takes', (stream) => {
    const lines = stream.fromTopic('lines', noting)
    lines.foreachRDD(async (rdd) => void taken.push(await rdd.take(2), await rdd.take(0)))
  })
  await using harness = await StreamHarness.start(takes)
  await harness.batch(['a', '-', 'b', '-', 'c', '-', 'd', '-'])
  expect(taken).toEqual([['a', 'b'], []])
  expect(decoded).toEqual(['a', 'b'])
})

test('a take beside another output of the same stream does not affect that output', async () => {
  const taken: unknown[] = []
  const both = job('both', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    lines.foreachRDD(async (rdd) => void taken.push(await rdd.first()))
    lines.count().view('count')
  })
  await using harness = await StreamHarness.start(both)
  const views = await harness.batch(['a', 'b', 'c', 'd', 'e'])
  expect(taken).toEqual(['a'])
  expect(views.get('count')).toEqual([['count', 5]])
})

test('an RDD kept after its batch cannot change a state', async () => {
  const kept: Rdd<unknown>[] = []
  const totals = job('totals', (stream) => {
    const counts = stream
      .fromTopic('lines', StreamHarness.lines)
      .map((line) => [line, 1] as const)
      .reduceByKey(sum)
      .updateStateByKey(add)
    counts.view('totals', { title: 'totals', chart: 'bar' })
    counts.foreachRDD((rdd) => {
      kept.push(rdd)
    })
  })
  await using harness = await StreamHarness.start(totals)
  await harness.batch(['a'])
  await harness.batch(['a'])
  await expect(kept[0]!.collect()).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
  expect((await harness.batch(['a'])).get('totals')).toEqual([['a', 3]])
})

test('the driver is idle only when actions that are not awaited have ended', async () => {
  let collected: unknown
  const careless = job('careless', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).foreachRDD((rdd) => {
      void rdd.collect().then((lines) => {
        collected = lines
      })
    })
  })
  await using harness = await StreamHarness.start(careless)
  await harness.batch(['a'])
  await harness.driver.idle()
  expect(collected).toEqual(['a'])
})

test.each(['groupByKey', 'collect'])('views of rows cannot be passed to %s', async (where) => {
  const rows = job('rows', (stream) => {
    const keyed = stream
      .fromTopic('lines', text())
      .map((row) => [row.line, row] as const)
      .filter(([line]) => line !== '')
    if (where === 'collect') keyed.foreachRDD(async (rdd) => void (await rdd.collect()))
    else keyed.groupByKey().foreachRDD(async (rdd) => void (await rdd.count()))
  })
  await using harness = await StreamHarness.start(rows)
  await harness.batch([])
  await expect(harness.batch(['a'])).rejects.toThrow(/TextLine cannot go to another task/)
})
