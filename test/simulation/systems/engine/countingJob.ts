// The job of the system `engine`, and its results by plain code: keyed state, a shuffle, windows of
// event time, and outputs that a database takes once for each batch. A line is `id key number
// timeMs`.

import { add, type Job, job, sum, text } from '../../../../engine/engine.ts'
import type { TestContext } from '../../../../engine/testing/testing.ts'
import { inputTopic } from './engineParameters.ts'

const windowMs = 1000

export interface Row {
  readonly id: string
  readonly key: string
  readonly number: number
  readonly timeMs: number
}

/** What a transaction of a batch appends to its sink. */
export interface BatchRows {
  readonly batchId: number
  readonly rows: readonly unknown[]
}

export function countingJob({ sinkNamed }: TestContext, partitions: number): Job {
  return job('counting', { partitions }, (stream) => {
    const rows = stream.fromTopic(inputTopic, text()).map(({ line }) => parsed(line))
    const pairs = rows.map(({ key, number }) => [key, number] as const)
    pairs.updateStateByKey(add, { uid: 'totals' }).view('totals')
    const counts = pairs.reduceByKey<string, number>(sum)
    const events = rows
      .withWatermark(({ timeMs }) => timeMs, { delayMs: 0, idleTimeoutMs: 1e9, uid: 'events' })
      .keyBy(({ key }) => key)
    const windows = events.tumbling(windowMs).aggregate(
      {
        create: () => 0,
        add: (all, { number }) => all + number,
        merge: (one, other) => one + other,
      },
      { uid: 'windows' },
    )
    const written = {
      ids: rows.map(({ id }) => id),
      counts,
      windows: windows.map(({ key, startMs, value }) => [`${key} ${startMs}`, value] as const),
      grouped: pairs.groupByKey().mapValues((values) => values.join('+')),
    }
    for (const [name, results] of Object.entries(written)) {
      const to = sinkNamed(name)
      results.foreachRDD(async (rdd: { collect(): Promise<unknown[]> }, { batchId }) => {
        const all = await rdd.collect()
        await to.transaction(batchId, (tx) => {
          tx.append({ batchId, rows: all } satisfies BatchRows)
        })
      })
    }
  })
}

export function parsed(line: string): Row {
  const [id, key, number, timeMs] = line.split(' ')
  return { id: id!, key: key!, number: Number(number), timeMs: Number(timeMs) }
}

/** Sums by key. */
export function summed(rows: readonly Pick<Row, 'key' | 'number'>[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { key, number } of rows) sums.set(key, (sums.get(key) ?? 0) + number)
  return sums
}

/** The end of a window that `windowed` has named. */
export function endOfWindow(name: string): number {
  return Number(name.split(' ')[1]) + windowMs
}

/** Sums by key and window. */
export function windowed(rows: readonly Row[]): Map<string, number> {
  const inWindows = rows.map(({ key, number, timeMs }) => {
    return { key: `${key} ${Math.floor(timeMs / windowMs) * windowMs}`, number }
  })
  return summed(inWindows)
}
