// Tasks that never end: the job reports the running tasks and their start times, can be stopped,
// and fails once the time limit was exceeded too often.

import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../interop/eventually.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const endless = join(import.meta.dirname, 'jobs', 'endless.ts')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
})

afterEach(() => broker.stop())

test('a task over its time limit is retried, and then fails the job with its position', async () => {
  await broker.produce(['a', 'loop'])
  const job = await broker.submit(endless, { taskTimeoutMs: 150 })
  await expect(job.finished).rejects.toMatchObject({
    code: 'TASK_TIMED_OUT',
    message: expect.stringMatching(
      /job 'endless', batch 0: partition 0 of \S+, reading words-0 offsets 0 to 2, failed 4 times.*limit of 150 ms.*endless loop/,
    ),
  })
}, 60_000)

test('the status shows the running tasks; a stop cancels them, and the batch is rerun later', async () => {
  await broker.produce(['a', 'loop'])
  const job = await broker.submit(endless)
  const tasks = () => job.status().running?.tasks ?? []
  await eventually('a task runs', () => tasks().length > 0)
  const running = job.status().running!
  expect(running).toMatchObject({ batchId: 0, tasks: [{ partition: 0, executor: 0, attempt: 1 }] })
  expect(job.status().lagRecords).toBe(2)
  expect(running.tasks[0]!.sinceMs).toBeGreaterThanOrEqual(running.sinceMs)
  await job.stop({ timeoutMs: 10 })
  expect(job.status()).toMatchObject({ state: 'stopped', recordsTotal: 0 })
  expect(job.status().running).toBeUndefined()
  const again = await broker.submit(endless, { executors: 0 })
  expect((await counted(again, 2)).views[0]!.rows).toEqual([
    ['a', 1],
    ['loop', 1],
  ])
}, 60_000)

test('a batch that waits forever in foreachRDD does not block a stop', async () => {
  await broker.produce(['a'])
  const job = await broker.submit(join(import.meta.dirname, 'jobs', 'waiting.ts'))
  await eventually('a batch runs', () => job.status().running?.batchId === 0)
  await job.stop({ timeoutMs: 10 })
  expect(job.status()).toMatchObject({ state: 'stopped', recordsTotal: 0 })
}, 60_000)

test('a time limit that cannot be enforced is refused', async () => {
  await expect(broker.submit(endless, { executors: 0, taskTimeoutMs: 1000 })).rejects.toMatchObject(
    { code: 'JOB_OPTION_INVALID', message: expect.stringContaining('set at least 1 executor') },
  )
  await expect(broker.submit(endless, { taskTimeoutMs: 0 })).rejects.toMatchObject({
    code: 'JOB_OPTION_INVALID',
  })
})
