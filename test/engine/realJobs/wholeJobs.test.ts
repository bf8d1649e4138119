// Submitted jobs with a broker and worker threads: windows by event time, with the job stopped
// midway and records produced meanwhile.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { RunningJob } from '../../../engine/lifecycle/submit.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'
import { accessLine, generatedRequests } from './inputs/accessLines.ts'
import { arrivals } from './inputs/arrival.ts'
import { generatedSsh } from './inputs/sshLines.ts'
import { linesOf } from './plain/counts.ts'
import { wholeTumbling } from './plain/eventTime.ts'

const modules = join(import.meta.dirname, 'modules')
let broker: JobBroker
/** Values that functions of foreachRDD have printed. */
let printed: unknown[][]

beforeEach(() => {
  printed = []
  vi.spyOn(console, 'log').mockImplementation((...words) => printed.push(words))
})

afterEach(async () => {
  vi.restoreAllMocks()
  await broker.stop()
})

test('server errors per minute match plain code, across a stop of the job', async () => {
  broker = await JobBroker.start('access')
  await broker.createTopic(1)
  const requests = generatedRequests(91, 600, 3000)
  const lines = linesOf(arrivals(requests, { seed: 91, boundMs: 60_000 })).map(({ text }) => text)
  const lastMs = Math.max(...requests.map(({ timeMs }) => timeMs))
  const closing = accessLine(lastMs + 600_000, { ip: '10.0.0.1', path: '/', status: 200 })

  await broker.produce(lines.slice(0, 250))
  const first = await broker.submit(join(modules, 'accessLog.ts'))
  await counted(first, 250)
  await first.stop()
  await broker.produce(lines.slice(250, 400))
  const second = await broker.submit(join(modules, 'accessLog.ts'))
  await broker.produce([...lines.slice(400), 'no request', closing, ''])
  await counted(second, lines.length + 3)

  const weigh = ({ status }: { status: number }) =>
    status >= 500 ? { key: 'errors', count: 1 } : undefined
  const minutes = wholeTumbling(requests, 60_000, weigh)
  await afterBatch(second, () => printed.length >= minutes.length)
  expect(second.status().rejected).toMatchObject({
    total: 2,
    topics: [{ topic: 'access', records: 2 }],
  })
  expect(printed.sort()).toEqual(
    minutes.map(({ startMs, count }) => [new Date(startMs).toISOString(), count]),
  )
}, 60_000)

test('attacks within 20 s match plain code, across a stop of the job', async () => {
  broker = await JobBroker.start('ssh')
  await broker.createTopic(2)
  const attempts = generatedSsh(92, 600, 1500)
  const lines = linesOf(arrivals(attempts, { seed: 92, boundMs: 30_000 }))
  await broker.produce(lines.slice(0, 300).map(({ text }) => text))
  const first = await broker.submit(join(modules, 'sshAttackers.ts'))
  await counted(first, 300)
  await first.stop()
  await broker.produce(lines.slice(300).map(({ text }) => text))
  const second = await broker.submit(join(modules, 'sshAttackers.ts'))
  await counted(second, lines.length)

  // The producer spreads rows over the partitions, which affects the watermark: only windows that
  // are certainly closed are compared.
  const lastMs = Math.max(...attempts.map(({ timeMs }) => timeMs))
  const windows = wholeTumbling(
    attempts,
    20_000,
    (row) => row && { key: row.ip, count: row.attempts },
  )
  const closed = windows.filter(({ startMs, count }) => count >= 10 && startMs < lastMs - 120_000)
  expect(closed.length).toBeGreaterThan(5)
  await afterBatch(second, () => printed.length >= closed.length)
  const found = printed.map(([start, ip, count]) => `${(start as Date).getTime()} ${ip} ${count}`)
  expect(found).toEqual(
    expect.arrayContaining(closed.map(({ startMs, key, count }) => `${startMs} ${key} ${count}`)),
  )
  expect(new Set(found).size).toBe(found.length)
}, 60_000)

/** Resolves after the first batch for which `isSo` returns true. */
async function afterBatch(job: RunningJob, isSo: () => boolean): Promise<void> {
  if (isSo()) return
  const ended = job.finished.then(() => Promise.reject(new Error('the job has ended')))
  await Promise.race([
    ended,
    new Promise<void>((resolve) => {
      const unsubscribe = job.onBatch(() => {
        if (!isSo()) return
        unsubscribe()
        resolve()
      })
    }),
  ])
}
