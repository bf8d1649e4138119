// Reads the access log of a web server: the most requested paths, and the server errors of each
// minute, emitted once the minute has passed by the times in the log. Malformed lines are skipped,
// and counted as rejected; requests that arrive after their minute has closed go to a separate
// output.

import { add, type Job, job, type LateRow, sum, text, type WindowResult } from 'millrace/engine'

export interface Request {
  readonly timeMs: number
  readonly path: string
  readonly status: number
}

export interface AccessOutputs {
  minutes(results: readonly WindowResult<string, number>[]): unknown
  late(rows: readonly LateRow<string, Request>[]): unknown
}

const pattern = /^\S+ \S+ \S+ \[([^\]]+)\] "\S+ (\S+)[^"]*" ([0-9]{3}) /

export function parseRequest(line: string): Request {
  const [, time = '', path = '', status] = pattern.exec(line) ?? []
  // 17/May/2015:10:05:03 +0000
  const timeMs = Date.parse(time.replaceAll('/', ' ').replace(':', ' '))
  if (Number.isNaN(timeMs)) throw new Error('no line of an access log')
  return { timeMs, path, status: Number(status) }
}

export function accessLog(outputs: AccessOutputs): Job {
  return job('access-log', (stream) => {
    const requests = stream
      .fromTopic('access', text(), { onError: 'skip' })
      .map(({ line }) => parseRequest(line))

    requests
      .map(({ path }) => [path, 1] as const)
      .reduceByKey(sum)
      .updateStateByKey(add, { uid: 'paths' })
      .mapPartitions((counts) => [['top', mostRequested(counts)] as const])
      .reduceByKey((left, right) => mostRequested([...left, ...right]))
      .flatMap(([, entries]) => entries)
      .view('paths', { title: 'Most requested paths', chart: 'bar' })

    const errors = requests
      .withWatermark(({ timeMs }) => timeMs, { delayMs: 60_000, uid: 'access' })
      .filter(({ status }) => status >= 500)
      .keyBy(() => 'errors')
      .tumbling(60_000)
      .count({ uid: 'errors' })
    errors.foreachRDD(async (rdd) => {
      await outputs.minutes(await rdd.collect())
    })
    errors.late.foreachRDD(async (rdd) => {
      await outputs.late(await rdd.collect())
    })
  })
}

type Entry = readonly [path: string, count: number]

/** Sorts ties by path, so that the ten paths are the same in every run. */
function mostRequested(entries: readonly Entry[]): Entry[] {
  return entries
    .toSorted(([path, count], [other, others]) => others - count || (path < other ? -1 : 1))
    .slice(0, 10)
}

export default accessLog({
  minutes: (results) => {
    for (const { startMs, value } of results) console.log(new Date(startMs).toISOString(), value)
  },
  late: (rows) => {
    for (const { row } of rows) console.log('late:', row)
  },
})
