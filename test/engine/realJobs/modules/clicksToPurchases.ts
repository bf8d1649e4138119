// Joins two streams over time: each purchase with the clicks of the same user on the same item in
// the 30 days before it, or with nothing (a left outer join). The topics may lag each other by
// days. A purchase is emitted when the watermark has passed its time: after that, no matching click
// can arrive. Rows are removed once nothing can be joined with them any longer.

import { csv, type EventStatefulProcessor, type Job, job, type LateRow } from 'millrace/engine'
import { columns, dayMs, dayTimeMs } from './shopLog.ts'

const joinedMs = 30 * dayMs

export interface Action {
  readonly user: string
  readonly item: string
  readonly kind: 'click' | 'purchase'
}

export interface Joined {
  readonly user: string
  readonly item: string
  readonly purchaseMs: number
  /** Undefined if no click matches. */
  readonly clickMs: number | undefined
}

/** Times of the rows that can still be joined; a purchase that occurs twice is listed twice. */
interface Waiting {
  readonly clicks: readonly number[]
  readonly purchases: readonly number[]
}

/**
 * Timers of one time fire in the order of their tags: a purchase is emitted before a click that
 * matches it is removed.
 */
const answer = 0
const forget = 1

const join: EventStatefulProcessor<string, Action, Waiting, Joined> = {
  handleInput(_key, rows, context) {
    const { clicks, purchases } = context.get() ?? { clicks: [], purchases: [] }
    const timesOf = (kind: Action['kind']) =>
      rows.filter(({ row }) => row.kind === kind).map(({ timeMs }) => timeMs)
    const clicked = timesOf('click')
    const bought = timesOf('purchase')
    context.update({ clicks: [...clicks, ...clicked], purchases: [...purchases, ...bought] })
    // A timer fires when the watermark reaches its time; rows of that very time may arrive until
    // then, so the timer is 1 ms later.
    for (const timeMs of clicked) context.registerEventTimer(timeMs + joinedMs + 1, forget)
    for (const timeMs of bought) context.registerEventTimer(timeMs + 1, answer)
  },
  handleTimer(key, timer, context) {
    const waiting = context.get()
    if (waiting === undefined) return
    const { clicks, purchases } = waiting
    if (timer.tag === answer) {
      const purchaseMs = timer.timeMs - 1
      const [user = '', item = ''] = key.split('/')
      const found = clicks.filter((ms) => ms <= purchaseMs && ms >= purchaseMs - joinedMs)
      for (const _ of purchases.filter((ms) => ms === purchaseMs)) {
        if (found.length === 0) context.emit({ user, item, purchaseMs, clickMs: undefined })
        for (const clickMs of found) context.emit({ user, item, purchaseMs, clickMs })
      }
    }
    const left = {
      clicks: clicks.filter((ms) => timer.tag !== forget || ms + joinedMs >= timer.timeMs),
      purchases: purchases.filter((ms) => timer.tag !== answer || ms >= timer.timeMs),
    }
    if (left.clicks.length + left.purchases.length === 0) context.remove()
    else context.update(left)
  },
}

export interface JoinOutputs {
  joined(rows: readonly Joined[]): unknown
  /** Rows that arrived behind the watermark: they are not joined. */
  late(rows: readonly LateRow<string, Action>[]): unknown
}

export function clicksToPurchases(outputs: JoinOutputs): Job {
  return job('clicks-to-purchases', (stream) => {
    const actions = (topic: string, kind: Action['kind']) =>
      stream
        .fromTopic(topic, csv(columns))
        .withWatermark(dayTimeMs, {
          delayMs: dayMs,
          uid: topic,
        })
        .map(({ user, item }): Action => ({ user, item, kind }))
    const joined = actions('clicks', 'click')
      .union(actions('purchases', 'purchase'))
      .keyBy(({ user, item }) => `${user}/${item}`)
      .transformWithState(join, { uid: 'waiting' })
    joined.foreachRDD(async (rdd) => {
      await outputs.joined(await rdd.collect())
    })
    joined.late.foreachRDD(async (rdd) => {
      await outputs.late(await rdd.collect())
    })
  })
}

export default clicksToPurchases({
  joined: (rows) => {
    for (const each of rows) console.log(each)
  },
  late: (rows) => {
    for (const { key, row } of rows) console.log('late:', row.kind, key)
  },
})
