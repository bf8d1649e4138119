// Starts, deaths and interruptions of executors: which of them are retried, with what pause, and
// which end the job. A job's author sees the same behavior.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { EngineError } from '../../../engine/engineError.ts'
import { ExecutorPool } from '../../../engine/executor/executorPool.ts'
import type { Executor, ExecutorListener, StateAnswer } from '../../../engine/executor/task.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

const answer: StateAnswer = { entries: [], hasMore: false }
const failedStart = () => new EngineError('EXECUTOR_FAILED', 'executor 0 ended unexpectedly')

let clock: ManualClock
let logger: MemoryLogger
let pool: ExecutorPool
/** The events so far, in order. */
let events: string[]
/** Outcomes of the next starts: an error, death before registration, or success. */
let starts: (Error | 'dies' | undefined)[]
let listener: ExecutorListener
let terminated: PromiseWithResolvers<void>

function executor(name: string): Executor {
  return {
    addBatch: ({ batchId }) => void events.push(`${name} batch ${batchId}`),
    run: (tasks) => void events.push(`${name} runs ${tasks.length}`),
    query: async () => {
      events.push(`${name} query`)
      return answer
    },
    stop: async () => void events.push(`${name} stop`),
    interrupt: () => {
      events.push(`${name} interrupt`)
      return terminated.promise
    },
  }
}

beforeEach(() => {
  clock = new ManualClock()
  logger = new MemoryLogger()
  events = []
  starts = []
  terminated = Promise.withResolvers()
  let count = 0
  pool = new ExecutorPool({
    runtime: { clock, random: seededRandom(1), scheduler: systemScheduler },
    logger,
    slots: 1,
    start: async (_slot, given) => {
      const name = `e${++count}`
      const failure = starts.shift()
      events.push(`${name} start`)
      if (failure === 'dies') given.onLost(failedStart())
      else if (failure) throw failure
      listener = given
      return executor(name)
    },
    history: () => [{ batchId: 7 } as never],
    onRegistered: () => void events.push('registered'),
    onReport: () => {},
    onLost: (_slot, error) => void events.push(`lost: ${error?.message}`),
    onFailed: (error) => void events.push(`failed: ${error.message}`),
  })
})

afterEach(async () => {
  await pool.stop()
  expect(clock.pendingTimers).toBe(0)
})

/** Advances the clock through the pauses, one after another; returns their lengths. */
async function pauses(): Promise<number[]> {
  const lengths: number[] = []
  await settle()
  while (clock.pendingTimers > 0) {
    lengths.push(clock.nextTimerInMs!)
    await clock.advanceAndSettle(clock.nextTimerInMs!)
  }
  return lengths
}

test('a failed start is retried with growing pauses, and the executor gets the current batch before it is registered', async () => {
  starts = [failedStart(), new Error('no memory'), failedStart(), failedStart()]
  const started = pool.start()
  const lengths = await pauses()
  await started
  expect(lengths.map((ms) => Math.floor(Math.log2(ms / 100)))).toEqual([0, 1, 2, 3])
  expect(events.slice(4)).toEqual(['e5 start', 'e5 batch 7', 'registered'])
  expect(logger.messages('warn')).toEqual(Array(4).fill('failed to start an executor; retrying'))
})

test('five failed starts in a row end the job with the last failure', async () => {
  starts = Array.from({ length: 9 }, failedStart)
  const started = pool.start()
  await pauses()
  await started
  expect(events).toEqual([
    ...[1, 2, 3, 4, 5].map((start) => `e${start} start`),
    'failed: executor 0 ended unexpectedly',
  ])
})

test('an error that no restart can fix ends the job immediately', async () => {
  starts = [new EngineError('JOB_MODULE_CHANGED', 'another graph')]
  await pool.start()
  expect(events).toEqual(['e1 start', 'failed: another graph'])
  expect(logger.messages('warn')).toEqual([])
})

test('the death of an executor is reported immediately, and the executor is replaced after a pause, however often it dies', async () => {
  await pool.start()
  for (let death = 1; death <= 8; death++) {
    // An error that would be final during a start is not final after it.
    listener.onLost(new EngineError('EXECUTOR_OUT_OF_MEMORY', `death ${death}`))
    expect(events.at(-1)).toBe(`lost: death ${death}`)
    pool.run(0, [])
    expect(events.at(-1)).toBe(`lost: death ${death}`)
    const [pauseMs] = await pauses()
    expect(pauseMs).toBeLessThanOrEqual(5_000)
    expect(events.slice(-3)).toEqual([`e${death + 1} start`, `e${death + 1} batch 7`, 'registered'])
  }
  expect(logger.messages('warn')).toEqual(Array(8).fill('an executor died; starting another one'))
})

test('the count of failed starts begins again after a successful start', async () => {
  starts = [failedStart(), failedStart(), failedStart(), failedStart(), undefined]
  const started = pool.start()
  await pauses()
  await started
  starts = [failedStart(), failedStart(), failedStart(), failedStart(), undefined]
  listener.onLost(new Error('poison'))
  await pauses()
  expect(events.at(-1)).toBe('registered')
})

test('an executor that dies before it is registered counts as a failed start', async () => {
  starts = ['dies']
  const started = pool.start()
  await pauses()
  await started
  expect(events).toEqual(['e1 start', 'e2 start', 'e2 batch 7', 'registered'])
})

test('an interrupted executor is reported immediately, and replaced without a pause when it has ended', async () => {
  await pool.start()
  pool.interrupt(0, 'the task takes too long')
  pool.interrupt(0, 'again')
  expect(events.slice(3)).toEqual(['lost: undefined', 'e1 interrupt'])
  await settle()
  expect(events.slice(5)).toEqual([])
  terminated.resolve()
  await settle()
  expect(events.slice(5)).toEqual(['e2 start', 'e2 batch 7', 'registered'])
})

test('tasks reach the executor synchronously, in the turn of the driver', async () => {
  await pool.start()
  pool.run(0, [])
  pool.addBatch({ batchId: 8 } as never)
  expect(events.slice(3)).toEqual(['e1 runs 0', 'e1 batch 8'])
})

test('a query waits for the replacement of its executor, and fails at its deadline', async () => {
  await pool.start()
  const query = { operator: 'totals', partition: 0, batchId: 0, limit: 1 }
  listener.onLost(new Error('poison'))
  const asked = pool.query(0, query)
  await settle()
  expect(events).not.toContain('e2 query')
  await clock.advanceAndSettle(200)
  expect(await asked).toBe(answer)
  expect(events.at(-1)).toBe('e2 query')
  pool.interrupt(0, 'hangs')
  const late = expect(pool.query(0, query)).rejects.toThrow('was not replaced in time')
  await clock.advanceAndSettle(10_000)
  await late
  terminated.resolve()
})

test('a stop ends the executor, a pending pause and waiting queries', async () => {
  await pool.start()
  await pool.stop()
  expect(events.at(-1)).toBe('e1 stop')
})

test('after a stop during a pause no executor is started', async () => {
  await pool.start()
  listener.onLost(new Error('poison'))
  await settle()
  const asked = expect(
    pool.query(0, { operator: 'totals', partition: 0, batchId: 0, limit: 1 }),
  ).rejects.toThrow('the job is stopping')
  await settle()
  await pool.stop()
  await asked
  expect(events.filter((event) => event.endsWith('start'))).toEqual(['e1 start'])
})
