// Jobs in real worker threads: a worker that dies in the middle of a task is replaced, and no
// record is lost or counted twice. Errors of a module or a directory are one sentence.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requireTypes } from '../../../engine/process/typeCheck.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
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

test('a state can be read while its job runs, even if its executor dies meanwhile', async () => {
  await broker.produce(['a', 'b', 'a'])
  const job = await broker.submit(join(jobs, 'deadly.ts'))
  await counted(job, 3)
  const [{ uid: operator } = { uid: '' }] = job.describe().operators
  const keys = ['a', 'b', 'c']
  const ask = async () => {
    const { entries } = await job.queryState!({ operator, keys, limit: 1 })
    return entries.map(({ value }) => value)
  }
  const before = await ask()
  expect(before).toEqual([2, 1, undefined])
  await broker.produce([`poison ${join(broker.directory, 'poisoned')}`, 'a'])
  const seen = new Set<string>()
  let isCounted = false
  const counting = counted(job, 5).then(() => {
    isCounted = true
  })
  while (!isCounted) seen.add(String(await ask()))
  await counting
  // The query never returns a value of a batch that was not committed.
  expect([...seen].filter((values) => values !== '2,1,' && values !== '3,1,')).toEqual([])
  expect(await ask()).toEqual([3, 1, undefined])
  await expect(job.queryState!({ operator: 'none', limit: 1 })).rejects.toMatchObject({
    code: 'STATE_QUERY_FAILED',
  })
}, 60_000)

test('a task that keeps failing fails the job, with the reason', async () => {
  const long = `x${String.fromCharCode(0x1b, 0x9b)}${'y'.repeat(5000)}`
  await broker.produce([long])
  const job = await broker.submit(join(jobs, 'stubborn.ts'))
  const failure = await job.finished.then(
    () => undefined,
    (error) => error,
  )
  expect(failure).toMatchObject({ code: 'USER_CODE_FAILED' })
  expect(failure.message).toMatch(
    /^job 'stubborn', batch 0: partition \d of map, reading words-[01] offsets 0 to 1, failed 4 times, the last time with: TypeError: cannot read x \(\/.*stubborn\.ts:9:\d+\) at words-[01] offset 0, value "x\\u001b\\u009by+"\.\.\. \(5004 in all\)$/,
  )
  expect(failure.message.length).toBeLessThan(700)
  // The stack of the job's own function is the innermost cause.
  expect(failure.cause).toMatchObject({ name: 'TypeError', message: 'cannot read x' })
  expect(failure.cause.stack).toMatch(/stubborn\.ts:9/)
  const { state, error } = job.status()
  expect(state).toBe('failed')
  expect(error).toMatch(/cannot read x .* at words-[01] offset 0$/)
}, 60_000)

test('a stop without waiting ends a job in the middle of a batch, and the job continues at its next start', async () => {
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

test('a state that cannot be stored fails the job once, and is logged once', async () => {
  await broker.produce(['x', 'y', 'x'])
  const logger = new MemoryLogger()
  const job = await broker.submit(join(jobs, 'classes.ts'), { logger })
  await expect(job.finished).rejects.toMatchObject({
    code: 'STATE_INVALID',
    message: expect.stringMatching(
      /^job 'classes', batch 0: .* failed with: the state 'distinct' cannot be stored: the value\.seen is an instance of Seen, at key "all"; .*or give the operator a codec/,
    ),
  })
  expect(job.status()).toMatchObject({
    state: 'failed',
    error: expect.stringContaining("the state 'distinct' cannot be stored"),
  })
  expect(logger.messages('warn')).toEqual([])
  expect(logger.messages('error')).toEqual(['the job has failed'])
}, 60_000)

test('a failing output fails the job, with batch and line', async () => {
  await broker.produce(['x'])
  const module = join(jobs, 'refused.ts')
  const job = await broker.submit(module)
  await expect(job.finished).rejects.toThrow(
    /^job 'refused', batch 0: foreachRDD failed with Error: connect ECONNREFUSED \(.*refused\.ts:\d+:\d+\)$/,
  )
}, 60_000)

test('a directory belongs to one running job', async () => {
  await broker.submit(join(jobs, 'deadly.ts'), { executors: 1 })
  await expect(broker.submit(join(jobs, 'deadly.ts'))).rejects.toMatchObject({
    code: 'JOB_ALREADY_RUNNING',
  })
}, 60_000)

test('errors in a module are reported when the job is submitted', async () => {
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
  await expect(requireTypes(wrong)).rejects.toMatchObject({
    code: 'JOB_TYPE_ERROR',
    message: expect.stringMatching(/wrong\.ts\(1,7\).*'string' is not assignable/),
  })
  await requireTypes(join(jobs, 'stubborn.ts'))
}, 60_000)
