// Jobs as shown on a terminal of 80 columns.

import { expect, test } from 'vitest'
import { describeJob, jobTable, summary } from '../../../engine/commandLine/jobListing.ts'
import type { JobStatus } from '../../../protocol/telemetry/status/status.ts'

const nowMs = Date.UTC(2026, 0, 1, 12)

const status = (more: Partial<JobStatus> = {}): JobStatus => ({
  ...{ kind: 'job', id: 'job/words/01234567', name: 'words', timeMs: nowMs - 500 },
  ...{ state: 'running', topics: ['words'], batchIntervalMs: 1_000, lagRecords: 12 },
  ...{ recordsTotal: 1_234_567, startedMs: nowMs - 180_000 },
  batches: [
    {
      ...{ id: 17, timeMs: nowMs - 1_000, records: 1_200, schedulingDelayMs: 3 },
      ...{ processingTimeMs: 20, totalDelayMs: 23 },
    },
  ],
  views: [],
  ...more,
})

test('a table has a line for each job and fits the terminal', () => {
  const jobs = [
    status(),
    status({ name: 'x'.repeat(200), id: 'job/x/89abcdef', recordsTotal: 9_007_199_254_740_991 }),
    status({ name: 'killed', id: 'job/killed/00000001', timeMs: nowMs - 60_000, batches: [] }),
    status({ name: 'a\x1b[2Jb', id: 'job/a/00000002', state: 'failed', timeMs: nowMs - 7_200_000 }),
  ]
  const lines = jobTable(jobs, nowMs, 80)
  expect(lines.every((line) => [...line].length <= 80)).toBe(true)
  expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
    'NAME STATE INSTANCE BATCH LAG TOTAL SINCE',
    'words running 01234567 17 12 1,234,567 3 min',
    `${'x'.repeat(18)}… running 89abcdef 17 12 9,007,199,254,740,991 3 min`,
    'killed silent 00000001 – 12 1,234,567 60 s',
    'a�[2Jb failed 00000002 17 12 1,234,567 2 h',
  ])
})

test('a table without a terminal shows whole names', () => {
  const name = 'x'.repeat(200)
  expect(jobTable([status({ name })], nowMs, Number.POSITIVE_INFINITY)[1]).toContain(`${name} `)
})

test('a job that waits for its topics shows the reason instead of a batch', () => {
  const waiting = 'failed to read the topics: no broker answers'
  expect(describeJob(status({ waiting }), undefined, nowMs)).toContain(`  now       ${waiting}`)
})

test('JSON contains numbers instead of text', () => {
  expect(JSON.parse(JSON.stringify(summary(status(), nowMs)))).toEqual({
    ...{ name: 'words', state: 'running', instance: '01234567', batch: 17, lagRecords: 12 },
    ...{ recordsTotal: 1_234_567, sinceMs: nowMs - 180_000 },
  })
})

test('a description shows the current work of the job, its last batch, and its errors', () => {
  const shown = describeJob(
    status({
      ...{ host: 'h1', address: 'http://127.0.0.1:4711', code: 'abc' },
      positions: [{ topic: 'words', partition: 0, until: 1_234_567 }],
      progress: { text: 'batch 18 for 60 s, partition 3 of stage 2', batchId: 18, sinceMs: 0 },
      operators: [{ uid: 'counts', kind: 'updateStateByKey', codec: 'v8', partitions: 2 }],
      watermarks: { purchases: nowMs, strange: Number.MAX_VALUE },
      rejected: {
        ...{ total: 2, topics: [{ topic: 'words', records: 2 }] },
        first: [{ topic: 'words', partition: 0, offset: 7, error: 'no\nnumber' }],
      },
      lostRecords: 5,
    }),
    undefined,
    nowMs,
  )
  expect(shown).toEqual([
    'job words, instance 01234567: running for 3 min on host h1 at http://127.0.0.1:4711',
    '  code      abc',
    '  counted   1,234,567 records, 12 waiting',
    '  batches   one every 1.0 s',
    '  newest    batch 17, 1.0 s ago: 1,200 records, waited 3 ms, took 20 ms',
    '  now       batch 18 for 60 s, partition 3 of stage 2',
    '  position  words-0 at 1,234,567',
    '  operator  counts: updateStateByKey, codec v8, 2 partitions',
    '  watermark purchases at 2026-01-01T12:00:00.000Z',
    `  watermark strange at ${Number.MAX_VALUE}`,
    '  rejected  2 records since the start (words 2); the first ones:',
    '            words-0 offset 7: no�number',
    '  lost      5 records removed before they were read',
  ])
  const failed = status({ state: 'failed', error: 'it broke\n  at batch 3', timeMs: nowMs - 5_000 })
  expect(describeJob(failed, undefined, nowMs)).toEqual(
    expect.arrayContaining([
      'job words, instance 01234567: failed 5.0 s ago',
      '  error     it broke',
      '              at batch 3',
    ]),
  )
})
