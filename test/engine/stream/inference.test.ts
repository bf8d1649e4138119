// What a job's author writes first must fit without a type argument. `tsc` is the judge of this file;
// running it only shows that the words mean what they say.

import { expect, test } from 'vitest'
import { add, job, seconds, subtract } from '../../../engine/engine.ts'
import { StreamHarness } from './streamHarness.ts'

test('ones are numbers, and other values keep their type', async () => {
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
