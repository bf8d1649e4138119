// The test kit itself: what a user writes of it, what it says when it is used wrongly, and that a job is
// killed at every durable step where it is told to be.

import { describe, expect, test } from 'vitest'
import { add, job, seconds, subtract, sum, text } from '../../../engine/engine.ts'
import { testJob } from '../../../engine/testing/testing.ts'

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
  test('counts what it is fed with, batch by batch', async () => {
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

const written = ({ sink }: { sink: import('../../../engine/testing/testing.ts').TestSink }) =>
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
    'goes on after any durable step, when it loses its %s',
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
