// The examples of docs/testing-jobs.md, as in a user's tests; the page shows parts of this file.

import { readFileSync } from 'node:fs'
import { add, job, sum, text } from 'millrace/engine'
import { explore, type TestContext, testJob } from 'millrace/engine/testing'
import { expect, test } from 'vitest'

const words = job('words', (stream) => {
  stream
    .fromTopic('lines', text())
    .flatMap(({ line }) => line.split(' '))
    .map((word) => [word, 1] as const)
    .updateStateByKey(add, { uid: 'totals' })
    .view('totals')
})

test('words are counted', async () => {
  await using run = await testJob(words)
  await run.feed('lines', ['a b', 'a'])
  await run.advance(1000)
  expect(run.view('totals')).toEqual([
    ['a', 2],
    ['b', 1],
  ])
  expect(await run.state('totals')).toEqual(
    new Map([
      ['a', 2],
      ['b', 1],
    ]),
  )
})

const orders = ({ sink }: TestContext) =>
  job('orders', (stream) => {
    stream
      .fromTopic('orders', text())
      .map(({ line }) => [line, 1] as const)
      .reduceByKey<string, number>(sum)
      .foreachRDD(async (rdd, { batchId }) => {
        const counts = await rdd.collect()
        await sink.transaction(batchId, (tx) => {
          for (const count of counts) tx.append(count)
        })
      })
  })

test('orders are written once, wherever the driver dies', async () => {
  await using calm = await testJob(orders)
  await calm.feed('orders', ['book', 'pen'])
  await calm.advance(1000)
  const written = [...calm.sink().list].sort()

  for (let atStep = 0; atStep < calm.steps.length; atStep++) {
    await using run = await testJob(orders, { kill: { atStep, write: 'kept' } })
    if (!run.isUp) await run.restart()
    await run.feed('orders', ['book', 'pen'])
    await run.advance(1000)
    if (!run.isUp) await run.restart()
    expect([...run.sink().list].sort()).toEqual(written)
  }
})

test('orders are the same in a hundred histories', async () => {
  const lines = ['book', 'pen', 'book', 'ink', 'pen', 'book']
  await explore(orders, { orders: lines }, { seeds: 100 })
})

test('the page shows these examples', () => {
  const root = new URL('../../../', import.meta.url)
  const squeezed = (text: string) => text.replace(/\s+/g, '')
  const here = squeezed(readFileSync(new URL(import.meta.url), 'utf8'))
  const page = readFileSync(new URL('docs/testing-jobs.md', root), 'utf8')
  const shown = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  expect(shown.length).toBe(4)
  for (const code of shown) expect(here).toContain(squeezed(code))
})
