// The status of a job is bounded, whatever the job does.

import { expect, test } from 'vitest'
import { JobStatusRecord } from '../../../engine/lifecycle/jobStatus.ts'
import { describeProgress } from '../../../engine/scheduler/batchProgress.ts'
import type { RejectedRecord } from '../../../engine/sources/scan.ts'
import {
  decodeStatus,
  encodeStatus,
  maxRejectedShown,
} from '../../../protocol/telemetry/status/status.ts'

const operator = { uid: 'counts', isNamed: true, kind: 'updateStateByKey', shape: '', codec: 'v8' }
const graph = {
  ...{ name: 'words', topics: ['words'], batchIntervalMs: 100, outputs: [], operators: [operator] },
}

const record = () =>
  new JobStatusRecord(graph, '01234567', 0, {
    ...{ startedMs: 5, host: 'h1', code: 'f'.repeat(64), partitions: 2 },
  })

const rejected = (offset: number, error = 'not a number'): RejectedRecord => ({
  ...{ topic: 'words', partition: 1, offset, timestampMs: 0, onError: 'skip', error },
})

test('a status contains the process of the job, its address, and its states', () => {
  const one = record()
  one.announce('http://127.0.0.1:4711')
  expect(one.at(10)).toMatchObject({
    ...{ startedMs: 5, host: 'h1', address: 'http://127.0.0.1:4711', code: 'ffffffffffff' },
    operators: [{ uid: 'counts', kind: 'updateStateByKey', codec: 'v8', partitions: 2 }],
  })
  one.ended('stopped')
  expect(one.at(11)).not.toHaveProperty('address')
})

test('rejected records are counted by topic, and the first few are shown, shortened', () => {
  const one = record()
  expect(one.at(10)).not.toHaveProperty('rejected')
  for (let offset = 0; offset < 30; offset += 3) {
    one.rejected({
      total: 3,
      counts: new Map([['words', 3]]),
      first: [rejected(offset, 'x'.repeat(20_000)), rejected(offset + 1), rejected(offset + 2)],
    })
  }
  const status = decodeStatus(encodeStatus(one.at(10)).value)
  expect(status).toMatchObject({
    rejected: { total: 30, topics: [{ topic: 'words', records: 30 }] },
  })
  const first = 'rejected' in status ? status.rejected!.first : []
  expect(first.map(({ offset }) => offset)).toEqual(
    Array.from({ length: maxRejectedShown }, (_, at) => at),
  )
})

test('the watermarks are those of the newest committed batch; lost records add up', () => {
  const one = record()
  one.lost(3)
  one.lost(4)
  one.batchCommitted({
    batch: { batchId: 0, timeMs: 10, ranges: [], watermarks: { purchases: 7_000 } },
    ...{ records: 1, recordsTotal: 1, startedMs: 10, finishedMs: 12, oldestTimestampMs: undefined },
    ...{ rows: new Map(), lagRecords: 0 },
  })
  expect(one.at(10)).toMatchObject({ watermarks: { purchases: 7_000 }, lostRecords: 7 })
})

test('the progress of a batch is in its status, with the running tasks', () => {
  const task = { stage: '2', operator: 'map', partition: 3, executor: 0, attempt: 2, sinceMs: 0 }
  const text = describeProgress(
    {
      ...{ batchId: 17, sinceMs: 0 },
      stages: [{ ordinal: 2, of: 3, operator: 'map', partitions: 8, done: 5, oldest: task }],
    },
    60_000,
  )
  expect(text).toBe('batch 17 for 60 s, partition 3 of stage 2 (map), attempt 2')
  const running = { batchId: 17, sinceMs: 0, tasks: [task], text, tasksDone: 5, tasksTotal: 8 }
  expect(record().at(60_000, running)).toMatchObject({
    running: { batchId: 17, tasks: [task] },
    progress: { text, batchId: 17, sinceMs: 0, tasksDone: 5, tasksTotal: 8 },
  })
})

test('a job that fails to read its topics reports the reason until it succeeds', () => {
  const one = record()
  one.waitsFor(`failed to read the topics: ${'x'.repeat(5_000)}`)
  expect(decodeStatus(encodeStatus(one.at(10)).value)).toMatchObject({
    waiting: expect.stringMatching(/^failed to read the topics: x+$/),
  })
  one.waitsFor(undefined)
  expect(one.at(10)).not.toHaveProperty('waiting')
})
