// The jobs in seeded histories of crashes, retries and reorderings: whatever fails, and wherever
// batches end, the results are the same.

import { type ExploreInputs, explore, type TestedJob } from 'millrace/engine/testing'
import { expect, test } from 'vitest'
import { generatedRequests } from './inputs/accessLines.ts'
import { type Arrival, arrivals } from './inputs/arrival.ts'
import { generatedActions } from './inputs/shopActions.ts'
import { generatedSsh } from './inputs/sshLines.ts'
import { accessLog } from './modules/accessLog.ts'
import boughtTogether from './modules/boughtTogether.ts'
import { clicksToPurchases } from './modules/clicksToPurchases.ts'
import distinctUsers from './modules/distinctUsers.ts'
import purchasesByAge from './modules/purchasesByAge.ts'
import { shopSessions } from './modules/shopSessions.ts'
import { sshAttackers } from './modules/sshAttackers.ts'
import { statusCounts } from './modules/statusFiles.ts'

const dayMs = 24 * 60 * 60 * 1000
const histories = 20

function texts(arrived: readonly Arrival<unknown>[]): string[] {
  return arrived.map((each) => ('bad' in each ? each.bad : each.text))
}

const requests = texts(
  arrivals(generatedRequests(81, 80, 20_000), { seed: 81, boundMs: 60_000, bad: ['no line'] }),
)
const attempts = texts(arrivals(generatedSsh(82, 80, 3000), { seed: 82, boundMs: 30_000 }))
const shop = arrivals(generatedActions(83, 100, 60), { seed: 83, boundMs: dayMs })
const actions = texts(shop)
const withAction = (action: string) =>
  texts(shop.filter((each) => 'bad' in each || each.row.action === action))

interface Explored {
  readonly job: TestedJob
  readonly inputs: ExploreInputs
  /** Outputs that must not depend on where batches end. */
  readonly acrossBatches: readonly string[]
}

const explored: Readonly<Record<string, Explored>> = {
  'server errors by the minute': {
    job: ({ sink }) =>
      accessLog({
        minutes: async (results) => {
          for (const { startMs, value } of results) await sink.put(startMs, value)
        },
        late: () => {},
      }),
    inputs: { access: requests },
    acrossBatches: ['paths'],
  },
  attacks: {
    job: ({ sink }) =>
      sshAttackers({
        attacks: async (windows) => {
          for (const { key, startMs, value } of windows) await sink.put(`${key} ${startMs}`, value)
        },
        late: () => {},
      }),
    inputs: { ssh: attempts },
    acrossBatches: [],
  },
  visits: {
    job: ({ sink }) =>
      shopSessions({
        closed: async (visits) => {
          for (const { key, startMs, value } of visits) await sink.put(`${key} ${startMs}`, value)
        },
        late: () => {},
      }),
    inputs: { actions },
    acrossBatches: [],
  },
  'clicks joined with purchases': {
    job: ({ sink }) =>
      clicksToPurchases({
        joined: async (rows) => {
          for (const each of rows) await sink.put(JSON.stringify(each), true)
        },
        late: () => {},
      }),
    inputs: { clicks: withAction('0'), purchases: withAction('2') },
    acrossBatches: [],
  },
  'purchases by age': { job: purchasesByAge, inputs: { actions }, acrossBatches: ['purchases'] },
  'distinct users': {
    job: distinctUsers,
    inputs: { actions },
    acrossBatches: ['user-count', 'buyers'],
  },
  'bought together': { job: boughtTogether, inputs: { actions }, acrossBatches: ['pairs'] },
  'counts by batch id': {
    job: ({ sink }) =>
      statusCounts((batchId, counts) => sink.put(batchId, Object.fromEntries(counts))),
    inputs: { access: requests },
    acrossBatches: [],
  },
}

test.each(Object.entries(explored))('%s', async (_name, { job, inputs, acrossBatches }) => {
  const found = await explore(job, inputs, { seeds: histories, compare: { acrossBatches } })
  expect(found.histories).toBe(histories)
  expect(found.faults).toBeGreaterThan(histories)
})
