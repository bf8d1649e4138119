// Visits of a shop's users: actions with less than four days between them, the finest gap that the
// log's days allow. A visit is emitted once the watermark has passed its end, whether or not the
// user returns.

import { csv, type Job, job, type LateRow, type WindowResult } from 'millrace/engine'
import { columns, dayMs, dayTimeMs } from './shopLog.ts'

export interface Visit {
  readonly actions: number
  readonly purchases: number
}

export interface VisitOutputs {
  closed(visits: readonly WindowResult<string, Visit>[]): unknown
  late(rows: readonly LateRow<string, unknown>[]): unknown
}

export function shopSessions(outputs: VisitOutputs): Job {
  return job('shop-sessions', (stream) => {
    const visits = stream
      .fromTopic('actions', csv(columns))
      .withWatermark(dayTimeMs, {
        delayMs: dayMs,
        uid: 'actions',
      })
      .map(({ user, action }) => ({ user, purchases: action === '2' ? 1 : 0 }))
      .keyBy(({ user }) => user)
      .sessions(4 * dayMs)
      .aggregate<Visit>(
        {
          create: () => ({ actions: 0, purchases: 0 }),
          add: (visit, { purchases }) => ({
            actions: visit.actions + 1,
            purchases: visit.purchases + purchases,
          }),
          merge: (left, right) => ({
            actions: left.actions + right.actions,
            purchases: left.purchases + right.purchases,
          }),
        },
        { uid: 'visits' },
      )
    visits.foreachRDD(async (rdd) => {
      await outputs.closed(await rdd.collect())
    })
    visits.late.foreachRDD(async (rdd) => {
      await outputs.late(await rdd.collect())
    })
  })
}

export default shopSessions({
  closed: (visits) => {
    for (const { key, startMs, value } of visits) console.log(key, new Date(startMs), value)
  },
  late: (rows) => {
    for (const { key, timeMs } of rows) console.log('late:', key, new Date(timeMs))
  },
})
