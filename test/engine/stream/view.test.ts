// The rows of views, and which streams can be combined.

import { expect, test } from 'vitest'
import { add, type DStream, job, seconds, sum } from '../../../engine/engine.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'
import { viewRows } from '../../../engine/stream/view.ts'
import { StreamHarness } from './streamHarness.ts'

test('a view accepts numbers of any kind, single ones, and values that map to a number', async () => {
  const views = job('views', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    lines.count().view('lines')
    lines.map((line): [string, bigint] => [line, 5n]).view('bigints', { title: 'Bigints' })
    lines.map((line): [string, boolean] => [line, line === 'a']).view('booleans')
    lines
      .map((line): [string, { length: number }] => [line, { length: line.length }])
      .view('lengths', { chart: 'share', value: ({ length }, key) => length + key.length })
    // @ts-expect-error an object is not a number, and there is no `value`
    lines.map((line): [string, { length: number }] => [line, line]).view('objects')
  })
  await using harness = await StreamHarness.start(views)
  await expect(harness.batch(['a', 'bb'])).rejects.toThrow(
    /view 'objects' shows numbers, but got a value of type (string|object) at key "a": give the view/,
  )
  await using others = await StreamHarness.start(
    job('others', (stream) => {
      const lines = stream.fromTopic('lines', StreamHarness.lines)
      lines.count().view('lines')
      lines.map((line): [string, bigint] => [line, 5n]).view('bigints', { title: 'Bigints' })
      lines.map((line): [string, boolean] => [line, line === 'a']).view('booleans')
      lines
        .map((line): [string, { length: number }] => [line, { length: line.length }])
        .view('lengths', { chart: 'share', value: ({ length }, key) => length + key.length })
    }),
  )
  expect(Object.fromEntries(await others.batch(['a', 'bb']))).toEqual({
    lines: [['lines', 2]],
    bigints: [
      ['a', 5],
      ['bb', 5],
    ],
    booleans: [
      ['a', 1],
      ['bb', 0],
    ],
    lengths: [
      ['a', 2],
      ['bb', 4],
    ],
  })
})

test('non-finite numbers are omitted and reported, other values are an error', () => {
  const elements = [
    ['a', 1],
    ['b', Number.NaN],
    ['c', Infinity],
  ]
  expect(viewRows('v', elements)).toEqual({ rows: [['a', 1]], unshown: 'b' })
  for (const value of [undefined, null, 'one', {}]) {
    expect(() => viewRows('v', [['k', value]])).toThrow(/view 'v' shows numbers, but got/)
  }
})

function graphOf(build: (lines: DStream<string>) => unknown): StreamGraph {
  const built = job('built', (stream) => {
    const lines = stream.fromTopic('lines', StreamHarness.lines)
    build(lines)
    lines.count().view('count')
  })
  return new StreamGraph(built, { batchIntervalMs: 1000 })
}

test('streams with different slides cannot be united or joined: batches would be dropped', () => {
  const slow = (lines: DStream<string>) => lines.window(seconds(10), seconds(10))
  const advice = /equal slides, but these slide by 1000 and 10000 ms; .*window\(10000, 10000\)/
  expect(() => graphOf((lines) => lines.union(slow(lines)))).toThrow(advice)
  const pairs = (lines: DStream<string>) => lines.map((line): [string, number] => [line, 1])
  expect(() => graphOf((lines) => pairs(lines).join(pairs(slow(lines))))).toThrow(advice)
  graphOf((lines) => slow(lines).union(slow(lines)))
})

test('a stream may be transformed any number of times, and united with itself', async () => {
  const deep = job('deep', (stream) => {
    let lines = stream.fromTopic('lines', StreamHarness.lines)
    for (let step = 0; step < 20_000; step++) lines = lines.map((line) => line)
    const pairs = lines.map((line): [string, number] => [line, 1])
    pairs.reduceByKey(sum).updateStateByKey(add).view('counts')
    pairs.window(seconds(2), seconds(1)).reduceByKey(sum).view('window')
    // Nested unions once took 2^40 steps.
    let doubled = stream.fromTopic('lines', StreamHarness.lines).filter(() => false)
    for (let step = 0; step < 40; step++) {
      doubled = doubled.transform((rdd) => rdd).union(doubled.filter(() => false))
    }
  })
  await using harness = await StreamHarness.start(deep)
  await harness.batch(['a', 'b', 'a'])
  const views = await harness.batch(['a'])
  expect(views.get('counts')).toEqual([
    ['a', 3],
    ['b', 1],
  ])
  expect(views.get('window')).toEqual(views.get('counts'))
})
