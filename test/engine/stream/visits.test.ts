// A whole job by event time, in worker threads with states on disk, stopped midway.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const module = join(import.meta.dirname, 'jobs', 'visits.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('visits')
  await broker.createTopic(1)
})

afterEach(() => broker.stop())

test('windows, sessions and late rows of a job that is stopped and continues', async () => {
  await broker.produce(['ann 1000', 'ann 1400', 'bob 2100'])
  const first = await broker.submit(module)
  await counted(first, 3)
  await first.stop({ graceful: false })

  // The watermark is at 1600 in the batch that reads these, and at 8500 after it.
  await broker.produce(['ann 1900', 'ann 1250', 'carl 9000'])
  const second = await broker.submit(module)
  await counted(second, 6)
  await broker.produce(['dan 1000', 'carl 9100'])
  const { views, lateRows } = await counted(second, 8)
  // Counted whether or not the job reads the late rows; each operator counts its own.
  expect(lateRows).toBeGreaterThan(0)
  expect(Object.fromEntries(views.map(({ name, rows }) => [name, rows]))).toEqual({
    counts: [
      ['ann 1000', 4],
      ['bob 2000', 1],
    ],
    sessions: [
      ['ann 1000 1700', 3],
      ['ann 1900 2200', 1],
      ['bob 2100 2400', 1],
    ],
    late: [['dan 1000', 1000]],
    open: [['carl 9000', 2]],
  })
}, 60_000)
