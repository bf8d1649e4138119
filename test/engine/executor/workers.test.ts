// Jobs in real worker threads: one that dies in the middle of a task is replaced and nothing is lost
// or counted twice; what is wrong with a module or a directory is said in one sentence.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const jobs = join(import.meta.dirname, 'jobs')
let broker: JobBroker

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(2)
})

afterEach(() => broker.stop())

test('a worker that dies is replaced, and every line counts once', async () => {
  await broker.produce(['a', 'b', 'a'])
  const job = await broker.submit(join(jobs, 'deadly.ts'))
  await counted(job, 3)
  const file = join(broker.directory, 'poisoned')
  await broker.produce([`poison ${file}`, 'a', 'b', 'c'])
  const { views } = await counted(job, 7)
  expect(views[0]!.rows).toEqual([
    ['a', 3],
    ['b', 2],
    ['c', 1],
    ['poison', 1],
  ])
}, 60_000)

test('a task that fails again and again fails the job, with the reason', async () => {
  await broker.produce(['x'])
  const job = await broker.submit(join(jobs, 'stubborn.ts'))
  await expect(job.finished).rejects.toThrow(/failed 4 times.*cannot read x/)
  expect(job.status()).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('cannot read x'),
  })
}, 60_000)

test('a stop that does not wait ends a job in the middle of a batch, and it goes on later', async () => {
  await broker.produce(['a', 'b'])
  const first = await broker.submit(join(jobs, 'deadly.ts'))
  await first.stop({ graceful: false })
  expect(first.status().state).toBe('stopped')
  const { views } = await counted(await broker.submit(join(jobs, 'deadly.ts')), 2)
  expect(views[0]!.rows).toEqual([
    ['a', 1],
    ['b', 1],
  ])
}, 60_000)

test('a directory belongs to one running job', async () => {
  await broker.submit(join(jobs, 'deadly.ts'), { executors: 1 })
  await expect(broker.submit(join(jobs, 'deadly.ts'))).rejects.toMatchObject({
    code: 'JOB_ALREADY_RUNNING',
  })
}, 60_000)

test('says what is wrong with a module', async () => {
  const broken = join(broker.directory, 'broken.ts')
  await writeFile(broken, 'export default job(')
  await expect(broker.submit(join(jobs, 'missing.ts'))).rejects.toMatchObject({
    code: 'JOB_MODULE_MISSING',
    message: expect.stringContaining('missing.ts'),
  })
  await expect(broker.submit(join(jobs, 'notAJob.ts'))).rejects.toMatchObject({
    code: 'JOB_MODULE_INVALID',
  })
  await expect(broker.submit(broken)).rejects.toMatchObject({ code: 'JOB_MODULE_INVALID' })
})

test('the compiler finds a type error before the job runs', async () => {
  const wrong = join(broker.directory, 'wrong.ts')
  await writeFile(wrong, "const count: number = 'many'\nexport default count\n")
  await expect(broker.submit(wrong, { checkTypes: true })).rejects.toMatchObject({
    code: 'JOB_TYPE_ERROR',
    message: expect.stringMatching(/wrong\.ts\(1,7\).*'string' is not assignable/),
  })
  await broker.submit(join(jobs, 'stubborn.ts'), { checkTypes: true, executors: 0 })
}, 60_000)
