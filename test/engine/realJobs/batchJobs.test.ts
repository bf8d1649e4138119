// Jobs whose results do not depend on time, over generated and real input, with the driver paused
// midway: each result is compared with a plain script.

import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { sharedFile } from '../../sharedFile.ts'
import { type Arrival, arrivals, type Line, skewed } from './inputs/arrival.ts'
import { generatedActions, readActions, type ShopAction } from './inputs/shopActions.ts'
import { type JobRun, pausesMs, runJob } from './jobRun.ts'
import boughtTogether from './modules/boughtTogether.ts'
import distinctUsers from './modules/distinctUsers.ts'
import purchasesByAge from './modules/purchasesByAge.ts'
import wordCount from './modules/wordCount.ts'
import { byKey, type Counts, countsOf, linesOf, sumOf } from './plain/counts.ts'

const runs: JobRun[] = []

afterEach(async () => {
  for (const { test } of runs.splice(0)) await test[Symbol.asyncDispose]()
})

/**
 * Batches are small compared with the input, so that the job is always behind and pauses leave a
 * backlog.
 */
async function run(job: Parameters<typeof runJob>[0], topic: string, arrived: Arrival<unknown>[]) {
  const maxRecordsPerPartition = Math.ceil(arrived.length / 60)
  const done = await runJob(job, [{ topic, arrivals: arrived }], {
    ...{ pausesMs, maxRecordsPerPartition },
  })
  runs.push(done)
  expect(done.batches.length).toBeGreaterThan(29)
  return done.test
}

describe('word count', () => {
  test('matches a plain script', async () => {
    const random = seededRandom(11)
    const vocabulary = Array.from({ length: 300 }, (_, at) => `w${at}`)
    const line = () => Array.from({ length: random.below(9) }, () => skewed(random, vocabulary))
    const texts = Array.from({ length: 1200 }, () => line().join(random.below(9) ? ' ' : '  '))
    const counted = await run(wordCount, 'zookeeper', textArrivals(texts))
    expect(counted.view('words')).toEqual(countWords(texts))
  })

  const log = sharedFile('data/zookeeper.log')
  test.runIf(log)('counts a real log', async () => {
    const texts = readFileSync(log!, 'utf8').trimEnd().split('\n')
    const counted = await run(wordCount, 'zookeeper', textArrivals(texts))
    const words = await counted.state('words')
    expect(words.size).toBe(3004)
    expect([...words]).toEqual(countWords(texts))
  })

  function textArrivals(texts: readonly string[]): Arrival<string>[] {
    return texts.map((text) => ({ timeMs: 0, row: text, text }))
  }

  function countWords(texts: readonly string[]): Counts {
    return countsOf(texts.flatMap((text) => text.match(/\S+/g) ?? []))
  }
})

describe('a stream joined with a table', () => {
  test('matches a plain script', async () => {
    const arrived = arrivals(generatedActions(12, 3000, 90), { seed: 12, boundMs: 86_400_000 })
    const joined = await run(purchasesByAge, 'actions', arrived)
    const expected = countPurchases(arrived)
    expect(joined.view('purchases')).toEqual(expected)
    expect(sumOf(expected)).toBeGreaterThan(200)
  })

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('names the purchases of a real shop', async () => {
    const arrived = readActions(log!)
    const joined = await run(purchasesByAge, 'actions', arrived)
    expect(joined.view('purchases')).toEqual([
      ['18-24', 1431],
      ['25-29', 3564],
      ['30-34', 2750],
      ['35-39', 1349],
      ['40-49', 1229],
      ['50 and over', 174 + 39],
      ['unknown', 2758 + 52],
    ])
    expect(joined.view('purchases')).toEqual(countPurchases(arrived))
  })

  function countPurchases(arrived: readonly Arrival<{ action: string; age: string }>[]): Counts {
    const names = ['', '', '18-24', '25-29', '30-34', '35-39', '40-49']
    const bought = linesOf(arrived).filter(({ row }) => row.action === '2')
    return countsOf(
      bought.map(({ row: { age } }) => {
        if (age === '1') return 'under 18'
        return Number(age) >= 7 ? '50 and over' : names[Number(age)] || 'unknown'
      }),
    )
  }
})

describe('distinct users', () => {
  function distinct(actions: readonly Line<ShopAction>[]) {
    const buyers = new Map<string, Set<string>>()
    for (const { row } of actions) {
      if (row.action !== '2') continue
      buyers.set(row.item, (buyers.get(row.item) ?? new Set()).add(row.user))
    }
    return {
      users: new Set(actions.map(({ row }) => row.user)).size,
      buyers: byKey([...buyers].map(([item, users]) => [item, users.size])),
    }
  }

  test('match a plain script', async () => {
    const actions = generatedActions(13, 3000, 90)
    const counted = await run(distinctUsers, 'actions', actions)
    const { users, buyers } = distinct(actions)
    expect(counted.view('users')).toEqual([['users', users]])
    expect(counted.view('buyers')).toEqual(buyers)
    expect(sumOf(buyers)).toBeGreaterThan(100)
  })

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('match the log of a real shop', async () => {
    const actions = readActions(log!)
    const counted = await run(distinctUsers, 'actions', actions)
    const sets = (await counted.state('buyers')) as ReadonlyMap<string, Set<string>>
    expect(counted.view('users')).toEqual([['users', 9617]])
    expect(byKey([...sets].map(([item, users]) => [item, users.size]))).toEqual(
      distinct(actions).buyers,
    )
  })
})

describe('items bought together', () => {
  function together(actions: readonly Line<ShopAction>[]): Counts {
    const items = new Map<string, Set<string>>()
    for (const { row } of actions) {
      if (row.action !== '2') continue
      items.set(row.user, (items.get(row.user) ?? new Set()).add(row.item))
    }
    const pairs: string[] = []
    for (const set of items.values()) {
      const all = [...set].sort()
      for (const [at, item] of all.entries()) {
        for (const other of all.slice(at + 1)) pairs.push(`${item}+${other}`)
      }
    }
    return countsOf(pairs)
  }

  test('match a plain script', async () => {
    const arrived = arrivals(generatedActions(14, 3000, 90), { seed: 14, boundMs: 86_400_000 })
    const counted = await run(boughtTogether, 'actions', arrived)
    const expected = together(linesOf(arrived))
    expect(byKey((await counted.state('pairs')) as Map<string, number>)).toEqual(expected)
    expect(expected.some(([, count]) => count > 3)).toBe(true)
  })

  const log = sharedFile('data/tmall-double11.csv')
  test.runIf(log)('match the log of a real shop', async () => {
    const actions = readActions(log!)
    const counted = await run(boughtTogether, 'actions', actions)
    const pairs = byKey((await counted.state('pairs')) as Map<string, number>)
    expect(pairs).toEqual(together(actions))
    const top = pairs.toSorted(([, one], [, other]) => other - one).slice(0, 10)
    expect(top[0]![1]).toBeGreaterThan(top[9]![1])
  })
})
