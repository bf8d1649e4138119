// The health of a job, as the main thread of its process sees it: every reason code, and when it
// applies.

import { beforeEach, describe, expect, test } from 'vitest'
import type { JobAnswers, ServedJob } from '../../../engine/address/servedJob.ts'
import { JobWatch } from '../../../engine/process/jobWatch.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import type { BatchStatus, JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { FakeJob } from '../fakeJob.ts'

let clock: ManualClock
let watch: JobWatch
/** The driver's answer; undefined while the driver does not answer. */
let said: Partial<JobStatus> | undefined
let asked: number

/** A job whose driver can be blocked. */
const job: ServedJob = {
  ...{ name: 'words', id: 'job/words/01234567' },
  call: async <Method extends keyof JobAnswers>(method: Method) => {
    expect(method).toBe('status')
    asked++
    if (said === undefined) throw new Error('the driver does not answer')
    const status = { ...new FakeJob().status(), timeMs: clock.nowMs(), ...said }
    return status as JobAnswers[Method]
  },
  stop: () => {},
  kill: () => {},
}

beforeEach(() => {
  clock = new ManualClock()
  watch = new JobWatch(clock)
  said = {}
  asked = 0
})

function codes(): Record<string, string[]> {
  const { health } = watch
  const all = {
    unhealthy: health.unhealthy(),
    notReady: health.notReady(),
    warnings: health.warnings!(),
  }
  const told = Object.entries(all).filter(([, reasons]) => reasons.length > 0)
  return Object.fromEntries(told.map(([kind, reasons]) => [kind, reasons.map(({ code }) => code)]))
}

async function says(status: Partial<JobStatus>): Promise<void> {
  said = status
  await clock.advanceAndSettle(1_000)
}

async function begin(): Promise<void> {
  watch.begin(job)
  await clock.advanceAndSettle(0)
}

describe('a job from its start to its end', () => {
  test('is starting, running, stopping, and has ended', async () => {
    expect(codes()).toEqual({ notReady: ['STARTING'] })
    await begin()
    expect(codes()).toEqual({})
    watch.stopping()
    expect(codes()).toEqual({ notReady: ['STOPPING'] })
    watch.end()
    expect(clock.pendingTimers).toBe(0)
  })

  test('reports the error of a failure and its time, until it runs again', async () => {
    await begin()
    const sinceMs = clock.nowMs()
    watch.end(new Error('batch 7 failed'))
    clock.advance(5_000)
    expect(codes()).toEqual({ unhealthy: ['JOB_FAILED'] })
    const reason = { code: 'JOB_FAILED', message: 'batch 7 failed', sinceMs }
    expect(watch.health.unhealthy()).toEqual([reason])
    await begin()
    expect(codes()).toEqual({})
    watch.close()
  })

  test('is polled once a second, and no longer after it has ended', async () => {
    await begin()
    await clock.advanceAndSettle(10_000)
    expect(asked).toBe(11)
    expect(watch.status).toMatchObject({ name: 'words' })
    watch.end()
    await clock.advanceAndSettle(10_000)
    expect(asked).toBe(11)
  })

  test('ignores a late answer of the job that it replaced', async () => {
    const late = Promise.withResolvers<JobStatus>()
    watch.begin({ ...job, call: () => late.promise as Promise<never> })
    watch.end()
    await begin()
    late.resolve({ ...new FakeJob().status(), waiting: 'of the old job' })
    await clock.advanceAndSettle(0)
    expect(codes()).toEqual({})
    watch.close()
  })
})

describe('a driver that does not answer', () => {
  test('is held after 3 s, stuck after a minute, and healthy once it answers again', async () => {
    await begin()
    said = undefined
    await clock.advanceAndSettle(2_999)
    expect(codes()).toEqual({})
    await clock.advanceAndSettle(1)
    expect(codes()).toEqual({ notReady: ['DRIVER_HELD'] })
    const [reason] = watch.health.notReady()
    expect(reason!.message).toMatch(/has not answered for 3.* s.*endless loop/)
    expect(reason!.sinceMs).toBe(clock.nowMs() - 3_000)
    await clock.advanceAndSettle(56_999)
    expect(codes()).toEqual({ notReady: ['DRIVER_HELD'] })
    await clock.advanceAndSettle(1)
    expect(codes()).toEqual({ unhealthy: ['DRIVER_STUCK'] })
    await says({})
    expect(codes()).toEqual({})
    watch.close()
  })

  test('is reported instead of its stale status', async () => {
    await begin()
    await says({ waiting: 'failed to read the topics' })
    expect(codes()).toEqual({ notReady: ['TOPICS_UNREADABLE'] })
    said = undefined
    await clock.advanceAndSettle(3_000)
    expect(codes()).toEqual({ notReady: ['DRIVER_HELD'] })
    watch.close()
  })

  test('is measured from the start of the job until its first answer', async () => {
    said = undefined
    await begin()
    await clock.advanceAndSettle(3_000)
    expect(codes()).toEqual({ notReady: ['DRIVER_HELD'] })
    watch.close()
  })
})

describe('the status of a running job', () => {
  const task = { stage: 'result', operator: 'map', partition: 3, executor: 0, sinceMs: 0 }

  function running(attempts: readonly number[], ranMs = 0): Partial<JobStatus> {
    const timeMs = clock.nowMs()
    const tasks = attempts.map((attempt) => ({ ...task, attempt }))
    const running = { batchId: 17, sinceMs: timeMs - ranMs, tasks }
    return { timeMs, running, batchIntervalMs: 1_000 }
  }

  const batch: BatchStatus = {
    ...{ id: 16, timeMs: 0, records: 1, schedulingDelayMs: 0 },
    ...{ processingTimeMs: 1, totalDelayMs: 1 },
  }

  beforeEach(begin)

  test.each([
    ['waiting', 'TOPICS_UNREADABLE'],
    ['failing', 'OUTPUT_FAILING'],
  ])('%s: %s, with its message', async (field, code) => {
    await says({ [field]: 'these words' })
    expect(codes()).toEqual({ notReady: [code] })
    expect(watch.health.notReady()[0]!.message).toBe('these words')
    await says({})
    expect(codes()).toEqual({})
    watch.close()
  })

  test('retried tasks are counted, and the task with the most attempts is named', async () => {
    await says(running([1, 1]))
    expect(codes()).toEqual({})
    await says(running([1, 2, 4]))
    expect(codes()).toEqual({ warnings: ['TASKS_RETRIED'] })
    const [reason] = watch.health.warnings!()
    expect(reason!.message).toMatch(/^2 tasks of batch 17 .* up to attempt 4 \(map, partition 3\)/)
    watch.close()
  })

  test.each([
    ['ten intervals', 10_000, 100_000],
    ['30 s at least', 100, 30_000],
  ])('a batch is slow after %s', async (_name, batchIntervalMs, limitMs) => {
    await says({ ...running([1], limitMs), batchIntervalMs })
    expect(codes()).toEqual({})
    await says({ ...running([1], limitMs + 1), batchIntervalMs })
    expect(codes()).toEqual({ warnings: ['BATCH_SLOW'] })
    watch.close()
  })

  test.each([
    ['three intervals', 10_000, 30_000],
    ['10 s at least', 100, 10_000],
  ])('a job is behind when its newest batch started late by %s', async (...row) => {
    const [, batchIntervalMs, limitMs] = row
    const late = (schedulingDelayMs: number) => ({
      ...{ batchIntervalMs, lagRecords: 77 },
      batches: [
        { ...batch, schedulingDelayMs: 1e6 },
        { ...batch, schedulingDelayMs },
      ],
    })
    await says(late(limitMs))
    expect(codes()).toEqual({})
    await says(late(limitMs + 1))
    expect(codes()).toEqual({ warnings: ['BEHIND'] })
    expect(watch.health.warnings!()[0]!.message).toContain('77 records')
    watch.close()
  })
})
