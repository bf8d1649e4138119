// Where watermarks come from: the times that a task reports, the specs that the planner receives,
// and the uses that are refused.

import { describe, expect, test } from 'vitest'
import { type JobStream, job, seconds } from '../../../engine/engine.ts'
import { StreamHarness, visits } from './streamHarness.ts'

const delayMs = 10

describe('withWatermark', () => {
  test('reports the largest time of each topic partition, once per task, and nothing without rows', async () => {
    const program = job('reports', (stream) => {
      const rows = visits(stream)
      rows
        .filter(({ key }) => key !== 'hidden')
        .union(rows.filter(({ key }) => key === 'shown again'))
        .withWatermark(({ time }) => new Date(time), { delayMs, uid: 'visits' })
        .timedRows()
        .foreachRDD(async (rdd) => void (await rdd.collect()))
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['a 5', 'a 700', 'a 30', 'hidden 9000'], []])
    expect(harness.eventTimes[0]).toEqual([{ watermark: 'visits', source: 'lines-0', timeMs: 700 }])
    await harness.batchOf([['a 6.9'], ['b -40']])
    expect(harness.eventTimes[1]).toEqual([
      { watermark: 'visits', source: 'lines-0', timeMs: 6 },
      { watermark: 'visits', source: 'lines-1', timeMs: -40 },
    ])
  })

  test('passes the specs of the watermarks to the planner', async () => {
    const program = job('specs', (stream) => {
      const lines = stream.fromTopic('lines', StreamHarness.lines)
      const others = stream.fromTopic('others', StreamHarness.lines)
      lines
        .union(others)
        .withWatermark(() => 1, { delayMs: 0, idleTimeoutMs: 5, uid: 'both' })
        .timedRows()
        .foreachRDD(() => {})
      lines
        .withWatermark(() => 1, { delayMs: 7 })
        .timedRows()
        .foreachRDD(() => {})
    })
    await using harness = await StreamHarness.start(program)
    expect(harness.driver.graph.watermarks).toEqual([
      { uid: 'both', delayMs: 0, idleTimeoutMs: 5, topics: ['lines', 'others'] },
      { uid: 'watermark-lines', delayMs: 7, idleTimeoutMs: 10_000, topics: ['lines'] },
    ])
  })

  test('is named by its topics, and a second one needs a uid', async () => {
    const program = (uid?: string) =>
      job('named', (stream) => {
        for (const given of [undefined, uid]) {
          visits(stream)
            .withWatermark(({ time }) => time, {
              delayMs,
              ...(given !== undefined && { uid: given }),
            })
            .keyBy(({ key }) => key)
            .tumbling(10)
            .count({ version: 3 })
            .foreachRDD(() => {})
        }
      })
    await expect(StreamHarness.start(program())).rejects.toThrow(
      'lines have more than one withWatermark; use the stream of one of them several times, or name them',
    )
    await using harness = await StreamHarness.start(program('other'))
    // A window on another watermark is a different operator.
    expect(harness.driver.graph.operators.map(({ shape }) => shape)).toEqual([
      'window 10 10 0 by watermark-lines version 3',
      'window 10 10 0 by other version 3',
    ])
    await expect(StreamHarness.start(program('watermark-lines'))).rejects.toThrow(
      "'watermark-lines' is not a valid uid of a state or a watermark",
    )
  })

  test.each([
    ['NaN', () => Number.NaN, 'NaN'],
    ['infinite', () => Infinity, 'Infinity'],
    ['too large', () => 1e16, '10000000000000000'],
    ['an invalid Date', () => new Date('yesterday'), 'an invalid Date'],
    ['a string', () => '5' as unknown as number, 'a value of type string'],
    ['undefined', () => undefined as unknown as number, 'a value of type undefined'],
  ])('a time that is %s fails, with the value in the error', async (_name, timeOf, shown) => {
    const program = job('invalid', (stream) => {
      visits(stream)
        .withWatermark(timeOf, { delayMs })
        .timedRows()
        .foreachRDD(async (rdd) => void (await rdd.collect()))
    })
    await using harness = await StreamHarness.start(program)
    await expect(harness.batch(['a 1'])).rejects.toThrow(`the event time of the row is ${shown};`)
  })

  test('a record without a time, or that fails, is rejected by the policy of its topic', async () => {
    const counts: unknown[] = []
    const program = job('skipping', { partitions: 1 }, (stream) => {
      stream
        .fromTopic('lines', StreamHarness.lines, { onError: 'skip' })
        .withWatermark((line) => Number(line.split(' ')[1]), { delayMs })
        .map((line) => {
          if (line.startsWith('bad')) throw new TypeError('a bad line')
          return line.split(' ')[0]!
        })
        .keyBy((key) => key)
        .tumbling(10)
        .count()
        .open()
        .foreachRDD(async (rdd) => {
          counts.push(...(await rdd.collect()).map(({ key, value }) => [key, value]))
        })
    })
    await using harness = await StreamHarness.start(program)
    await harness.batchOf([['a 5', 'a soon', 'bad 7', 'a 6'], ['bad never']])
    expect(counts).toEqual([['a', 2]])
    expect(harness.rejected.map(({ error }) => error)).toEqual([
      expect.stringContaining('the event time of the row is NaN'),
      expect.stringContaining('a bad line'),
      expect.stringContaining('the event time of the row is NaN'),
    ])
    expect(harness.eventTimes[0]).toEqual([
      { watermark: 'watermark-lines', source: 'lines-0', timeMs: 7 },
    ])
  })

  const after: [string, (stream: JobStream) => unknown, string][] = [
    [
      'a shuffle',
      (stream) =>
        visits(stream)
          .map(({ key, time }) => [key, time] as const)
          .reduceByKey<string, number>(Math.max)
          .withWatermark(([, time]) => time, { delayMs }),
      'reduceByKey comes before',
    ],
    [
      'a window',
      (stream) =>
        visits(stream)
          .window(seconds(2))
          .withWatermark(({ time }) => time, { delayMs }),
      'window comes before',
    ],
    [
      'a watermark',
      (stream) =>
        visits(stream)
          .withWatermark(({ time }) => time, { delayMs })
          .timedRows()
          .withWatermark(({ timeMs }) => timeMs, { delayMs }),
      'the rows have a watermark already',
    ],
  ]
  test.each(after)('after %s is refused with advice', async (_name, build, why) => {
    const program = job('refused', (stream) => void build(stream))
    await expect(StreamHarness.start(program)).rejects.toMatchObject({
      code: 'JOB_GRAPH_INVALID',
      message: expect.stringMatching(`${why}; put it right after fromTopic`),
    })
  })

  test('after a transform that shuffles is refused in the first batch', async () => {
    const program = job('shuffled', (stream) => {
      visits(stream)
        .transform((rdd) =>
          rdd
            .keyBy(({ key }) => key)
            .groupByKey()
            .map(([, [first]]) => first!),
        )
        .withWatermark(({ time }) => time, { delayMs })
        .timedRows()
        .foreachRDD(() => {})
    })
    await using harness = await StreamHarness.start(program)
    await expect(harness.batch(['a 1'])).rejects.toThrow(/more than one topic partition; put it/)
  })

  test.each([
    ['delayMs', { delayMs: -1 }],
    ['delayMs', { delayMs: Number.NaN }],
    ['idleTimeoutMs', { delayMs: 1, idleTimeoutMs: 0.5 }],
  ])('a %s that is not a number of milliseconds is refused', async (name, options) => {
    const program = job('refused', (stream) => {
      visits(stream).withWatermark(({ time }) => time, options)
    })
    await expect(StreamHarness.start(program)).rejects.toThrow(`${name} of withWatermark must be`)
  })
})
