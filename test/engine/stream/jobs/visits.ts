// Visits by event time: all results of windows and sessions, and the late rows. A line is a name
// and a time: `ann 1500`.

import { add, job, sum, text } from 'millrace/engine'

export default job('visits', (stream) => {
  const visits = stream
    .fromTopic('visits', text())
    .map(({ line }) => {
      const [name = '', time] = line.split(' ')
      return { name, time: Number(time) }
    })
    .withWatermark(({ time }) => new Date(time), { delayMs: 500 })
    .keyBy(({ name }) => name)

  const counts = visits.tumbling(1000).count({ uid: 'counts' })
  const sessions = visits.sessions(300).aggregate(
    {
      create: () => new Map<number, number>(),
      add: (times, { time }) => times.set(time, (times.get(time) ?? 0) + 1),
      merge: (left, right) => new Map([...left, ...right]),
    },
    { uid: 'sessions' },
  )
  counts
    .map(({ key, startMs, value }) => [`${key} ${startMs}`, value] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'all-counts' })
    .view('counts')
  sessions
    .map(({ key, startMs, endMs, value }) => [`${key} ${startMs} ${endMs}`, value.size] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'all-sessions' })
    .view('sessions')
  counts.late
    .map(({ key, timeMs, row }) => [`${key} ${timeMs}`, row.time] as const)
    .updateStateByKey((times: readonly number[]) => times[0], { uid: 'all-late' })
    .view('late')
  counts
    .open()
    .map(({ key, startMs, value }) => [`${key} ${startMs}`, value] as const)
    .view('open')
})
