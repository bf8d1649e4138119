// What a job may do with a batch's RDD in the driver, and what it is told when it does more.

import { expect, test } from 'vitest'
import { add, job, sum, text } from '../../../engine/engine.ts'
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

test('cannot transform an RDD, which no executor would know of', async () => {
  const transforms = job('transforms', (stream) => {
    stream.fromTopic('lines', StreamHarness.lines).foreachRDD((rdd) => {
      rdd.map((line) => line.length)
    })
  })
  await using harness = await StreamHarness.start(transforms)
  await expect(harness.batch(['a'])).rejects.toThrow(/use transform\(\) on the stream/)
})

test('an RDD that was kept after its batch changes no state', async () => {
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

test('the driver is idle only when actions that nobody waits for are done', async () => {
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

test.each(['groupByKey', 'collect'])('views of rows are not let into %s', async (where) => {
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
