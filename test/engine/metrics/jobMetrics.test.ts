import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JobAddressError } from '../../../engine/address/servedJob.ts'
import { JobCounts, type JobFigures } from '../../../engine/metrics/jobFigures.ts'
import { JobExposition } from '../../../engine/metrics/jobMetrics.ts'
import { jobMetrics } from '../../../engine/metrics/jobMetricTable.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { breaches } from '../../protocol/telemetry/namingRules.ts'
import { checkMetrics, hasPromtool } from '../../protocol/telemetry/promtool.ts'
import { samplesOf } from '../../protocol/telemetry/samples.ts'
import { counted, JobBroker } from '../jobs/jobBroker.ts'

const batch = { batchId: 7, timeMs: 1000, startedMs: 1500, finishedMs: 3500, checkpointMs: 20 }

function figuresOf(counts: JobCounts, more: Partial<JobFigures> = {}): JobFigures {
  const { timeMs = 4000, lagRecords = 0 } = more
  return {
    ...counts.figures(timeMs, lagRecords),
    ...{ name: 'words', state: 'running', timeMs, startedMs: 500, batchIntervalMs: 1000 },
    ...{ isWaiting: false, runningSinceMs: undefined, recordsTotal: 12, lagRecords },
    ...{ watermarks: {}, lateRows: 0, lostRecords: 0, recordsPerSecond: undefined },
    tasks: { finished: 9, failed: 2, retried: 1, executors: 2, executorsLost: 1 },
    checkpointBytes: 345,
    ...more,
  }
}

async function samples(figures: () => Promise<JobFigures>): Promise<Map<string, number>> {
  return samplesOf(await new JobExposition(new Metrics(), figures).expose())
}

const words = '{job_name="words"}'

describe('the table', () => {
  test('follows the rules of names and help texts, and has no duplicate names', () => {
    expect(jobMetrics.flatMap(breaches)).toEqual([])
    const names = jobMetrics.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
  })

  test('has no label that Prometheus sets on targets', () => {
    const labels = new Set(jobMetrics.flatMap((metric) => metric.labels ?? []))
    expect([...labels].filter((label) => label === 'job' || label === 'instance')).toEqual([])
  })

  test.skipIf(!hasPromtool)('promtool finds no problem in the exposed metrics', async () => {
    const counts = new JobCounts(-1)
    counts.committed({ ...batch, records: 5, oldestTimestampMs: 1 })
    const text = await new JobExposition(new Metrics(), async () => figuresOf(counts)).expose()
    expect(checkMetrics(text)).toBe('')
  })
})

describe('the counters', () => {
  test('count each committed batch once, however rarely they are scraped', async () => {
    const counts = new JobCounts(6)
    for (let batchId = 7; batchId < 207; batchId++) {
      counts.committed({ ...batch, batchId, records: 3, oldestTimestampMs: 500 })
    }
    counts.split()
    const all = await samples(async () => figuresOf(counts, { lagRecords: 5 }))
    expect(Object.fromEntries(all)).toMatchObject({
      [`millrace_job_batch_processing_seconds_count${words}`]: 200,
      [`millrace_job_batch_processing_seconds_sum${words}`]: 400,
      [`millrace_job_batch_scheduling_delay_seconds_sum${words}`]: 100,
      [`millrace_job_batch_total_delay_seconds_sum${words}`]: 500,
      [`millrace_job_record_latency_seconds_sum${words}`]: 600,
      [`millrace_job_batch_records_sum${words}`]: 600,
      [`millrace_job_checkpoint_seconds_count${words}`]: 200,
      [`millrace_job_batch_splits_total${words}`]: 1,
      [`millrace_job_batch_id${words}`]: 206,
      [`millrace_job_last_commit_timestamp_seconds${words}`]: 3.5,
      [`millrace_job_lag_records${words}`]: 5,
      [`millrace_job_lag_seconds${words}`]: 3.5,
      [`millrace_job_records_total${words}`]: 12,
      [`millrace_job_tasks_failed_total${words}`]: 2,
      [`millrace_job_executors_lost_total${words}`]: 1,
      [`millrace_job_checkpoint_bytes${words}`]: 345,
      [`millrace_job_batch_running_seconds${words}`]: 0,
      'millrace_job_state{job_name="words",state="running"}': 1,
      'millrace_job_state{job_name="words",state="failed"}': 0,
      millrace_job_driver_up: 1,
    })
    expect(all.has(`millrace_job_rate_limit_records_per_second${words}`)).toBe(false)
  })

  test('a job with no records to read has no lag, and a clock that was set back gives no delay', async () => {
    const counts = new JobCounts(-1)
    counts.committed({ ...batch, startedMs: 900, records: 0, oldestTimestampMs: undefined })
    const all = await samples(async () => figuresOf(counts))
    expect(all.get(`millrace_job_lag_seconds${words}`)).toBe(0)
    expect(all.get(`millrace_job_record_latency_seconds_count${words}`)).toBe(0)
    expect(all.get(`millrace_job_batch_scheduling_delay_seconds_sum${words}`)).toBe(0)
  })

  test('count rejected records by policy', async () => {
    const counts = new JobCounts(-1)
    const letter = { topic: 'words', partition: 0, timestampMs: 0, error: 'bad' }
    counts.rejected({
      counts: new Map([['words', 5]]),
      // A record with two dead letter topics counts once.
      deadLetters: [
        { ...letter, offset: 1, onError: { deadLetter: 'a' } },
        { ...letter, offset: 1, onError: { deadLetter: 'b' } },
        { ...letter, offset: 2, onError: { deadLetter: 'a' } },
      ],
    })
    const all = await samples(async () => figuresOf(counts))
    const of = (policy: string) =>
      all.get(
        `millrace_job_rejected_records_total{job_name="words",topic="words",policy="${policy}"}`,
      )
    expect([of('skip'), of('dead_letter')]).toEqual([3, 2])
  })

  test('include watermarks against the clock, the running batch, and states as of their newest batch', async () => {
    const counts = new JobCounts(-1)
    counts.advanced([{ operator: 'totals', partition: 0, rows: 1, bytes: 10 }])
    counts.advanced([{ operator: 'totals', partition: 1, rows: 2, bytes: 20 }])
    counts.advanced([{ operator: 'totals', partition: 0, rows: 5, bytes: 50 }])
    const figures = { watermarks: { clicks: 1000 }, runningSinceMs: 3000, recordsPerSecond: 100 }
    const all = await samples(async () => figuresOf(counts, figures))
    const partition = (index: number) => `{job_name="words",operator="totals",partition="${index}"}`
    expect(Object.fromEntries(all)).toMatchObject({
      [`millrace_job_state_rows${partition(0)}`]: 5,
      [`millrace_job_state_bytes${partition(0)}`]: 50,
      [`millrace_job_state_rows${partition(1)}`]: 2,
      'millrace_job_watermark_lag_seconds{job_name="words",watermark="clicks"}': 3,
      [`millrace_job_batch_running_seconds${words}`]: 1,
      [`millrace_job_rate_limit_records_per_second${words}`]: 100,
    })
  })
})

test('a blocked driver fails no scrape: stale values are not repeated, and other metrics remain', async () => {
  const metrics = new Metrics()
  metrics.gauge({ name: 'other', help: 'Other.' }).set(3)
  let isHeld = false
  const exposition = new JobExposition(metrics, async () => {
    if (isHeld) throw new JobAddressError('DRIVER_HELD', 'the driver does not answer')
    return figuresOf(new JobCounts(-1))
  })
  const before = samplesOf(await exposition.expose())
  expect(before.get('millrace_job_driver_up')).toBe(1)
  expect(before.get(`millrace_job_batch_id${words}`)).toBe(-1)
  isHeld = true
  expect(Object.fromEntries(samplesOf(await exposition.expose()))).toEqual({
    other: 3,
    millrace_job_driver_up: 0,
  })
  isHeld = false
  expect(samplesOf(await exposition.expose()).get('millrace_job_driver_up')).toBe(1)
})

test('concurrent scrapes ask the driver once', async () => {
  let asked = 0
  const exposition = new JobExposition(new Metrics(), async () => {
    asked++
    return figuresOf(new JobCounts(-1))
  })
  const [one, other] = await Promise.all([exposition.expose(), exposition.expose()])
  expect(one).toBe(other)
  expect(asked).toBe(1)
})

describe('a running job', () => {
  let broker: JobBroker

  beforeEach(async () => {
    broker = await JobBroker.start('words')
    await broker.createTopic(1)
  })

  afterEach(() => broker.stop())

  test('reports its batches, tasks, state and rejected records', async () => {
    await broker.produce(['a', 'bad', 'b', 'bad', 'a'])
    const module = join(import.meta.dirname, '../jobs/modules/lenientWords.ts')
    const job = await broker.submit(module, { executors: 2 })
    await counted(job, 5)
    const figures = job.figures()
    const all = samplesOf(await new JobExposition(new Metrics(), async () => figures).expose())
    const name = 'job_name="lenient-words"'
    expect(all.get(`millrace_job_records_total{${name}}`)).toBe(5)
    expect(all.get(`millrace_job_batch_records_sum{${name}}`)).toBe(5)
    expect(all.get(`millrace_job_checkpoint_seconds_count{${name}}`)).toBe(figures.batchId + 1)
    expect(all.get(`millrace_job_tasks_finished_total{${name}}`)).toBeGreaterThan(0)
    expect(
      all.get(`millrace_job_rejected_records_total{${name},topic="words",policy="skip"}`),
    ).toBe(2)
    const rows = [...all].filter(([sample]) => sample.startsWith('millrace_job_state_rows'))
    expect(rows.reduce((sum, [, value]) => sum + value, 0)).toBe(2)
    expect(figures.checkpointBytes).toBeGreaterThan(0)
    // The figures cross threads, so they must be plain data.
    expect(structuredClone(figures)).toEqual(figures)
  }, 60_000)
})
