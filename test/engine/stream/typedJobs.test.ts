// Ten jobs as their authors would first write them, without types that can be inferred. `tsc` is
// the test of this file; running it only shows that each is a job.

import { expect, test } from 'vitest'
import {
  add,
  avro,
  csv,
  type DStream,
  envelope,
  job,
  json,
  type State,
  seconds,
  subtract,
  sum,
  text,
} from '../../../engine/engine.ts'

interface Click {
  readonly user: string
  readonly page: string
  readonly at: string
  readonly ms?: number
}

/** Accepts a stream of exactly this type. */
function is<T>() {
  return <U>(
    _stream: DStream<U> & ([T, U] extends [U, T] ? unknown : { 'is of type': U }),
  ): void => {}
}

const minute = seconds(60)

const jobs = [
  job('words', (stream) => {
    stream
      .fromTopic('lines', text())
      .flatMap(({ line }) => line.split(/\s+/))
      .map((word) => [word, 1] as const)
      .reduceByKey(sum)
      .updateStateByKey(add)
      .view('words')
  }),

  job('pages', (stream) => {
    const counts = stream
      .fromTopic('clicks', json<Click>())
      .withWatermark(({ at }) => new Date(at), { delayMs: seconds(30) })
      .keyBy(({ page }) => page)
      .tumbling(minute)
      .count()
    counts.map(({ key, startMs, value }) => [`${key} ${startMs}`, value] as const).view('pages')
    counts.late
      .map(({ row }) => row.user)
      .count()
      .view('late')
  }),

  job('sessions', (stream) => {
    const sessions = stream
      .fromTopic('clicks', json<Click>())
      .withWatermark(({ at }) => Date.parse(at), { delayMs: seconds(5) })
      .filter(({ user }) => user !== '')
      .keyBy(({ user }) => user)
      .sessions(30 * minute)
      .allowedLateness(minute)
      .aggregate({
        create: () => ({ pages: new Set<string>(), clicks: 0 }),
        add(session, { page }) {
          session.pages.add(page)
          session.clicks++
          return session
        },
        merge(left, right) {
          for (const page of right.pages) left.pages.add(page)
          left.clicks += right.clicks
          return left
        },
      })
    is<readonly [string, number]>()(
      sessions.map(({ key, value }) => [key, value.pages.size / value.clicks] as const),
    )
    sessions.open().count().view('open')
  }),

  job('attackers', (stream) => {
    stream
      .fromTopic('auth', text())
      .filter(({ line }) => line.includes('Failed password'))
      .map(({ line }) => [line.split(' ').at(-4) ?? 'unknown', 1] as const)
      .reduceByKeyAndWindow(sum, seconds(20), seconds(1), { inverse: subtract })
      .filter(([, count]) => count >= 5)
      .view('attackers')
  }),

  job('orders', (stream) => {
    const orders = stream.fromTopic('orders', csv(['user', 'action', 'price']))
    const spent = orders
      .filter(({ action }) => action === 'buy')
      .map(({ user, price }) => [user, Number(price)] as const)
      .reduceByKey((left, right) => left + right)
    is<readonly [string, number]>()(spent)
    const clicks = stream
      .fromTopic('clicks', json<Click>())
      .map(({ user }) => [user, 1] as const)
      .reduceByKey(sum)
    spent
      .join(clicks)
      .mapValues(([money, count]) => money / count)
      .view('per click')
  }),

  job('devices', (stream) => {
    const readings = stream
      .fromTopic('readings', envelope(json<{ celsius: number }>()))
      .map(({ keyText, row, timestampMs }) => {
        return { device: keyText ?? 'unknown', celsius: row.celsius, at: timestampMs }
      })
      .withWatermark(({ at }) => at, { delayMs: 1000 })
      .keyBy(({ device }) => device)
    const hottest = readings
      .hopping(minute, seconds(10))
      .reduce((one, other) => (one.celsius >= other.celsius ? one : other))
    hottest.foreachRDD(async (rdd, { batchId }) => {
      for (const { key, value } of await rdd.collect()) {
        if (value.celsius > 90) console.warn(batchId, key.toUpperCase(), value.device)
      }
    })
  }),

  job('silent', (stream) => {
    stream
      .fromTopic('readings', json<{ device: string; at: number }>())
      .withWatermark(({ at }) => at, { delayMs: 0, idleTimeoutMs: minute })
      .keyBy(({ device }) => device)
      .transformWithState<number, { device: string; since: number }>({
        handleInput(_device, rows, context) {
          const before = context.get()
          if (before !== undefined) context.deleteEventTimer(before + minute)
          const latest = Math.max(before ?? 0, ...rows.map(({ timeMs }) => timeMs))
          context.update(latest)
          context.registerEventTimer(latest + minute)
        },
        handleTimer(device, { timeMs }, context) {
          context.emit({ device, since: timeMs - minute })
          context.remove()
        },
      })
      .map(({ device, since }) => [device, since] as const)
      .view('silent')
  }),

  job('last-page', (stream) => {
    const steps = stream
      .fromTopic('clicks', json<Click>())
      .map(({ user, page }) => [user, page] as const)
      .mapWithState(
        (_user, page, state: State<string>) => {
          const from = state.get()
          if (page !== undefined) state.update(page)
          return page === undefined || from === undefined ? undefined : `${from} > ${page}`
        },
        { timeoutMs: 30 * minute },
      )
    is<string>()(steps)
    steps
      .map((step) => [step, 1] as const)
      .reduceByKey(sum)
      .updateStateByKey(add, { ttlMs: 24 * 60 * minute })
      .view('steps')
  }),

  job('unique', (stream) => {
    const schema = {
      type: 'record',
      name: 'Payment',
      fields: [
        { name: 'id', type: 'string' },
        { name: 'cents', type: 'long' },
        { name: 'at', type: 'long' },
      ],
    }
    const payments = stream.fromTopic(
      'payments',
      avro<{ id: string; cents: number; at: number }>(schema),
    )
    const unique = payments
      .withWatermark(({ at }) => at, { delayMs: minute })
      .keyBy(({ id }) => id)
      .dropDuplicatesWithinWatermark()
    unique
      .keyBy(() => 'all')
      .tumbling(minute)
      .aggregate({
        create: () => 0,
        add: (cents, payment) => cents + payment.cents,
        merge: sum,
      })
      .map(({ startMs, value }) => [startMs, value] as const)
      .view('cents')
    unique.late.count().view('late')
  }),

  job('busy', (stream) => {
    const clicks = stream.fromTopic('clicks', json<Click>())
    const buys = stream.fromTopic('buys', json<{ user: string; at: number }>())
    clicks
      .withWatermark(({ at }) => Date.parse(at), { delayMs: 1000 })
      .map(({ user }) => ({ user, kind: 'click' }))
      .union(
        buys
          .withWatermark(({ at }) => at, { delayMs: 1000 })
          .map(({ user }) => ({ user, kind: 'buy' })),
      )
      .keyBy(({ user }) => user)
      .tumbling(minute)
      .aggregate({
        create: () => ({ clicks: 0, buys: 0 }),
        add: (count, { kind }) =>
          kind === 'buy'
            ? { ...count, buys: count.buys + 1 }
            : { ...count, clicks: count.clicks + 1 },
        merge: (left, right) => ({
          clicks: left.clicks + right.clicks,
          buys: left.buys + right.buys,
        }),
      })
      .filter(({ value }) => value.buys > 0 && value.clicks > 0)
      .map(({ key, value }) => [key, value.buys / value.clicks] as const)
      .view('rates')
  }),
]

type Anything = ReturnType<typeof JSON.parse>

/** These jobs are type-checked and never run: their rows have type any. */
function anything(): void {
  job('anything', (stream) => {
    const rows = stream.fromTopic('rows', json<Anything>())
    rows
      .map((row) => [row.user, row] as const)
      .updateStateByKey((values, state: Anything) => state ?? values[0])
      .view('states')
    const timed = rows.withWatermark((row) => row.at, { delayMs: 0 }).keyBy((row) => row.user)
    timed.tumbling(minute).reduce((one, other) => (one.n > other.n ? one : other))
    timed
      .sessions(minute)
      .aggregate({ create: () => ({}) as Anything, add: (all) => all, merge: (left) => left })
  })
}

test('types are inferred where jobs declare none', () => {
  expect(jobs.map(({ kind }) => kind)).toEqual(jobs.map(() => 'millrace-job'))
  expect(anything).toBeTypeOf('function')
})
