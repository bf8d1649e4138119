// The test kit itself: how users write tests with it, its errors when it is misused, and that it
// kills a job at every durable step as requested.

import { describe, expect, test } from 'vitest'
import { add, envelope, job, json, seconds, subtract, sum, text } from '../../../engine/engine.ts'
import { type TestContext, testJob } from '../../../engine/testing/testing.ts'
import { partitionForKey } from '../../../protocol/client/producer/partitioner.ts'

const words = job('words', (stream) => {
  const counts = stream
    .fromTopic('lines', text())
    .flatMap(({ line }) => line.split(' '))
    .map((word) => [word, 1] as const)
    .reduceByKey<string, number>(sum)
  counts.updateStateByKey(add, { uid: 'totals' }).view('totals')
  counts.view('batch')
  counts
    .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
      inverse: subtract,
      filter: (count) => count > 0,
      uid: 'recent',
    })
    .view('recent')
})

describe('a job under test', () => {
  test('counts its input, batch by batch', async () => {
    await using run = await testJob(words)
    await run.feed('lines', ['a b', 'a'])
    await run.advance(1000)
    expect(run.view('totals')).toEqual([
      ['a', 2],
      ['b', 1],
    ])
    await run.feed('lines', ['b'])
    await run.advance(1000)
    expect(run.view('batch')).toEqual([['b', 1]])
    expect(await run.state('totals')).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
      ]),
    )
    expect(run.batches.map(({ records }) => records)).toEqual([0, 2, 1])
    expect(run.status()).toMatchObject({ state: 'running', recordsTotal: 3, lagRecords: 0 })
  })
})

describe('failures', () => {
  test('of tasks and executors change no result', async () => {
    await using run = await testJob(words)
    run.killTask({ times: 2 })
    run.killTask({ stage: 'map', at: 'end' })
    await run.feed('lines', ['a b', 'a'])
    await run.advance(1000)
    run.killExecutor(1)
    run.killTask({ stage: 'advance', partition: 0, at: 'end' })
    await run.feed('lines', ['b', 'c'])
    await run.advance(1000)
    const counts = [
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ]
    expect(run.view('totals')).toEqual(counts)
    expect(run.view('recent')).toEqual(counts)
  })

  test('of a task that fails too often stop the job, which can be restarted', async () => {
    await using run = await testJob(words)
    run.killTask({ times: 4, stage: 'map', partition: 0 })
    await run.feed('lines', ['a'])
    await expect(run.advance(1000)).rejects.toThrow(/failed 4 times.*killed by the test/)
    expect(run.isUp).toBe(false)
    expect(run.status().state).toBe('failed')
    await expect(run.advance(1000)).rejects.toThrow(/the job is down.*await test\.restart\(\)/)
    await run.restart()
    expect(run.view('totals')).toEqual([['a', 1]])
    expect(run.batches.at(-1)).toMatchObject({ batchId: 1, records: 1 })
  })

  test('of the driver between two batches lose no records, and missed intervals become one batch', async () => {
    await using run = await testJob(words)
    await run.feed('lines', ['a'])
    await run.advance(1000)
    run.killDriver({ loses: 'power' })
    expect(run.status()).toMatchObject({ state: 'failed', error: expect.stringMatching(/killed/) })
    await run.feed('lines', ['b'])
    await run.pause(60_000)
    await run.restart()
    expect(run.view('totals')).toEqual([
      ['a', 1],
      ['b', 1],
    ])
    expect(run.view('recent')).toEqual([['b', 1]])
    expect(run.batches.length).toBe(3)
  })
})

describe('another version of a job', () => {
  const version = (uid: string, build: (value: number) => number) =>
    job('words', (stream) => {
      stream
        .fromTopic('lines', text())
        .map(({ line }) => [line, build(1)] as const)
        .updateStateByKey(add, { uid })
        .view('totals')
    })

  test('continues with the state of its uid', async () => {
    await using run = await testJob(version('totals', (one) => one))
    await run.feed('lines', ['a', 'b'])
    await run.advance(1000)
    await run.restart(version('totals', (one) => one * 10))
    await run.feed('lines', ['a'])
    await run.advance(1000)
    expect(run.view('totals')).toEqual([
      ['a', 11],
      ['b', 1],
    ])
  })

  test('is refused if its state would be misinterpreted', async () => {
    await using run = await testJob(version('totals', (one) => one))
    await run.feed('lines', ['a'])
    await run.advance(1000)
    const windows = job('words', (stream) => {
      stream
        .fromTopic('lines', text())
        .map(({ line }) => [line, 1] as const)
        .reduceByKeyAndWindow<string, number>(sum, seconds(3), seconds(1), {
          inverse: subtract,
          uid: 'totals',
        })
        .view('totals')
    })
    await expect(run.restart(windows)).rejects.toMatchObject({ code: 'JOB_CHANGED' })
    expect(run.isUp).toBe(false)
    await run.restart()
    expect(run.view('totals')).toEqual([['a', 1]])
  })

  test('with another number of partitions finds all of its keys', async () => {
    const over = (partitions: number) =>
      job('words', { partitions }, (stream) => {
        stream
          .fromTopic('lines', text())
          .map(({ line }) => [line, 1] as const)
          .updateStateByKey(add, { uid: 'totals' })
          .view('totals')
      })
    await using run = await testJob(over(2))
    await run.feed('lines', ['a', 'b', 'c', 'd', 'e'])
    await run.advance(1000)
    await run.restart(over(3))
    await run.feed('lines', ['a', 'b', 'c', 'd', 'e'])
    await run.advance(1000)
    expect(await run.state('totals')).toEqual(
      new Map(['a', 'b', 'c', 'd', 'e'].map((key) => [key, 2])),
    )
  })
})

describe('the input and output of a job', () => {
  test('records have a key, headers, a time and a partition', async () => {
    const seen = job('seen', (stream) => {
      stream
        .fromTopic('orders', envelope(json<{ total: number }>()))
        .map(({ partition, timestampMs }) => [partition, timestampMs])
        .foreachRDD(() => {})
    })
    await using run = await testJob(seen, { partitions: { orders: 4 }, startMs: 5000 })
    await run.feed('orders', [
      { key: 'k', value: { total: 3 }, headers: { source: 'test' } },
      { value: { total: 4 }, timestampMs: 77, partition: 3 },
    ])
    await run.advance(1000)
    expect(run.output().toSorted()).toEqual(
      [
        [partitionForKey(Buffer.from('k'), 4), 5000],
        [3, 77],
      ].sort(),
    )
    expect(run.outputs.map(({ batchId, elements }) => [batchId, elements.length])).toEqual([
      [0, 0],
      [1, 2],
    ])
  })

  test('rows that cannot be shown fail only a batch that must show them', async () => {
    const counted: number[] = []
    const rows = job('rows', (stream) => {
      stream.fromTopic('lines', text()).foreachRDD(async (rdd) => {
        counted.push(await rdd.count())
      })
    })
    await using run = await testJob(rows)
    await run.feed('lines', ['a', 'b'])
    await run.advance(1000)
    expect(counted).toEqual([0, 2])
    expect(() => run.output()).toThrow(/map it to a plain value/)
  })

  test('records that fail are written to their dead letter topic', async () => {
    const lenient = job('lenient', (stream) => {
      stream
        .fromTopic('lines', text(), { onError: { deadLetter: 'broken' } })
        .map(({ line }) => {
          if (line === 'bad') throw new Error('this line is bad')
          return line
        })
        .count()
        .view('lines')
    })
    await using run = await testJob(lenient)
    await run.feed('lines', ['a', 'bad', 'b'])
    await run.advance(1000)
    expect(run.view('lines')).toEqual([['lines', 2]])
    expect(run.deadLetters('broken')).toMatchObject([
      {
        topic: 'lines',
        partition: 1,
        offset: 0,
        value: 'bad',
        error: expect.stringMatching(/this line is bad/),
      },
    ])
  })

  test('misuse is reported with advice', async () => {
    await using run = await testJob(words)
    expect(() => run.view('total')).toThrow(
      "the job has no view 'total'; it has 'totals', 'batch', 'recent'",
    )
    await expect(run.feed('line', ['a'])).rejects.toThrow(
      "does not read topic 'line'; it reads 'lines'",
    )
    await expect(run.feed('lines', [{ a: 1 } as never])).rejects.toThrow(/use \{ value: \.\.\. \}/)
    await expect(run.feed('lines', [{ value: 'a', partition: 9 }])).rejects.toThrow(
      /no partition 9; it has 2/,
    )
    expect(() => run.killExecutor(5)).toThrow(/no executor 5/)
    expect(() => run.killDriver({ atStep: 0 })).toThrow(
      /durable step 0 has already happened; the next one is \d+/,
    )
    await expect(testJob({} as never)).rejects.toThrow(/give the test a job/)
  })

  test("an error of a job's function names the failing step", async () => {
    const failing = job('failing', (stream) => {
      stream
        .fromTopic('lines', text())
        .map(({ line }) => line.repeat(-1))
        .count()
        .view('lines')
    })
    await using run = await testJob(failing)
    await run.feed('lines', ['a'])
    await expect(run.advance(1000)).rejects.toThrow(
      /RangeError.*testJob\.test\.ts.*lines-0 offset 0/,
    )
  })
})

const written = ({ sink }: TestContext) =>
  job('written', (stream) => {
    stream
      .fromTopic('lines', text())
      .map(({ line }) => [line, 1] as const)
      .reduceByKey<string, number>(sum)
      .updateStateByKey(add, { uid: 'totals' })
      .foreachRDD(async (rdd) => {
        for (const [key, count] of await rdd.collect()) await sink.put(key, count)
      })
  })

describe('a killed driver', () => {
  test.each(['process', 'power'] as const)(
    'continues when it loses its %s after any durable step',
    async (loses) => {
      for (const write of ['lost', 'kept'] as const) {
        await using calm = await testJob(written)
        const play = async (run: typeof calm) => {
          const up = async (work: () => Promise<void>) => {
            await work()
            while (!run.isUp) await run.restart()
            await run.advance(0)
          }
          await up(async () => {})
          for (const line of ['a', 'b', 'a']) {
            await run.feed('lines', [line])
            await up(() => run.advance(1000))
          }
        }
        await play(calm)
        expect([...calm.sink().table]).toEqual([
          ['a', 2],
          ['b', 1],
        ])
        expect(calm.steps.length).toBeGreaterThan(20)
        for (let atStep = 0; atStep < calm.steps.length; atStep++) {
          await using run = await testJob(written, { kill: { atStep, write, loses } })
          await play(run)
          expect(
            run.steps.length,
            `killed at ${JSON.stringify(calm.steps[atStep])}`,
          ).toBeGreaterThan(atStep)
          expect([...run.sink().table].sort(), JSON.stringify(calm.steps[atStep])).toEqual([
            ['a', 2],
            ['b', 1],
          ])
        }
      }
    },
  )
})
