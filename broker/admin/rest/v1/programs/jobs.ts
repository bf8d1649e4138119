// `GET /api/v1/jobs` and `/api/v1/jobs/{job}`: the last reports of jobs, and the batches of one
// job.

import { type Static, Type } from 'typebox'
import type { JobStatus, Status } from '../../../../../protocol/telemetry/status/status.ts'
import type { JobPicture } from '../../../board/picture.ts'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata, pageOf, pageQuery } from '../../paging.ts'
import { RestError } from '../../restError.ts'
import { isoTime } from '../records/shownRecord.ts'

const count = Type.Integer({ minimum: 0 })
const maybeNumber = Type.Union([Type.Number(), Type.Null()])
const maybeText = Type.Union([Type.String(), Type.Null()])

const summary = {
  job: Type.String({ description: 'Id: `job/{name}`, or `job/{name}/{instance}`.' }),
  name: Type.String(),
  state: Type.Enum(['running', 'stopped', 'failed']),
  error: Type.Union([Type.String(), Type.Null()], { description: 'Why the job failed.' }),
  silent: Type.Boolean({ description: "Whether the job's report is overdue." }),
  age_ms: Type.Number({ description: 'Time since the last report.' }),
  host: maybeText,
  address: Type.Union([Type.String(), Type.Null()], {
    description:
      "Address of the job's own server, on its own host: state, health, savepoints. Null if the job does not report it.",
  }),
  topics: Type.Array(Type.String()),
  batch_interval_ms: Type.Number(),
  records_total: count,
  records_per_second: maybeNumber,
  lag_records: Type.Integer({ description: 'Records stored and not yet counted.' }),
  lag_ms: maybeNumber,
  latency_ms: Type.Union([Type.Number(), Type.Null()], {
    description: 'Time from line to result in the latest batch; null if it had no line.',
  }),
  lost_records: Type.Integer({ description: 'Records deleted before the job had read them.' }),
  late_rows: Type.Integer({ description: 'Rows that arrived after their windows had closed.' }),
  rejected_records: Type.Integer({
    description: 'Records that could not be processed and are not in the results.',
  }),
}

const batch = Type.Object({
  batch: count,
  time: maybeText,
  records: count,
  scheduling_delay_ms: Type.Number(),
  processing_time_ms: Type.Number(),
  total_delay_ms: Type.Number(),
  latency_ms: maybeNumber,
})

const details = Type.Object({
  ...summary,
  batches: Type.Array(batch, { description: 'Latest committed batches, newest first.' }),
  running: Type.Union(
    [Type.Object({ batch: count, progress: Type.String(), since: maybeText }), Type.Null()],
    { description: 'The running batch, if it takes unusually long.' },
  ),
  rejected: Type.Array(
    Type.Object({
      ...{ topic: Type.String(), partition: count, offset: count, error: Type.String() },
    }),
    { description: 'The first rejected records, with their errors.' },
  ),
  operators: Type.Array(
    Type.Object({ ...{ uid: Type.String(), kind: Type.String(), partitions: count } }),
    { description: 'Streams with state.' },
  ),
  watermarks: Type.Array(
    Type.Object({ uid: Type.String(), time: maybeText, time_ms: Type.Number() }),
  ),
  views: Type.Array(
    Type.Object({
      name: Type.String(),
      title: Type.String(),
      batch: Type.Integer(),
      rows: Type.Array(Type.Object({ key: Type.String(), value: Type.Number() })),
      rows_left_out: count,
    }),
  ),
})

export const listJobs: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/jobs',
    {
      schema: {
        operationId: 'listJobs',
        tags: ['Agents and jobs'],
        summary: 'List the jobs',
        querystring: Type.Object(pageQuery),
        response: {
          200: Type.Object({
            kind: Type.Literal('JobList'),
            metadata: listMetadata,
            data: Type.Array(Type.Object(summary)),
          }),
        },
      },
    },
    async (request) => {
      const page = pageOf('jobs', context.picture().jobs, ({ id }) => id, request.query)
      return {
        kind: 'JobList' as const,
        metadata: pageMetadata(request, page.nextToken),
        data: page.entries.map(summaryOf),
      }
    },
  )
}

export const getJob: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/jobs/:job',
    {
      schema: {
        operationId: 'getJob',
        tags: ['Agents and jobs'],
        summary: 'Get a job and its batches',
        params: Type.Object({
          job: Type.String({
            ...{ minLength: 1, maxLength: 1_024, examples: ['job/order-demographics'] },
            description: 'Id of the job, with slashes encoded as `%2F`.',
          }),
        }),
        response: { 200: details },
      },
    },
    async ({ params }) => {
      const picture = context.picture().jobs.find(({ id }) => id === params.job)
      if (picture === undefined) throw unknownJob(params.job)
      return detailsOf(picture, context)
    },
  )
}

function summaryOf(job: JobPicture) {
  return {
    job: job.id,
    ...{ name: job.name, state: job.state, error: job.error ?? null, silent: job.silent },
    age_ms: job.ageMs,
    host: job.host ?? null,
    address: job.address ?? null,
    topics: [...job.topics],
    batch_interval_ms: job.batchIntervalMs,
    records_total: job.recordsTotal,
    records_per_second: job.recordsPerSecond,
    lag_records: job.lagRecords,
    lag_ms: job.lagMs,
    latency_ms: job.latencyMs,
    lost_records: job.lostRecords,
    late_rows: job.lateRows,
    rejected_records: job.rejected?.total ?? 0,
  }
}

function detailsOf(job: JobPicture, { status }: AdminContext): Static<typeof details> {
  const reported = jobStatus(status?.(job.id))
  const { progress, batches = [], operators = [], watermarks = {} } = reported ?? {}
  const running =
    progress === undefined
      ? null
      : { batch: progress.batchId, progress: progress.text, since: isoTime(progress.sinceMs) }
  return {
    ...summaryOf(job),
    batches: batches.toReversed().map((each) => ({
      batch: each.id,
      time: isoTime(each.timeMs),
      records: each.records,
      scheduling_delay_ms: each.schedulingDelayMs,
      processing_time_ms: each.processingTimeMs,
      total_delay_ms: each.totalDelayMs,
      latency_ms: each.latencyMs ?? null,
    })),
    running,
    rejected: (job.rejected?.first ?? []).map(({ topic, partition, offset, error }) => ({
      ...{ topic, partition, offset, error },
    })),
    operators: operators.map(({ uid, kind, partitions }) => ({ uid, kind, partitions })),
    watermarks: Object.entries(watermarks).map(([uid, timeMs]) => ({
      ...{ uid, time: isoTime(timeMs), time_ms: timeMs },
    })),
    views: job.views.map(({ name, title, batchId, rows, rowsLeftOut }) => ({
      ...{ name, title, batch: batchId, rows_left_out: rowsLeftOut },
      rows: rows.map(([key, value]) => ({ key, value })),
    })),
  }
}

function jobStatus(status: Status | undefined): JobStatus | undefined {
  return status?.kind === 'job' ? status : undefined
}

function unknownJob(id: string): RestError {
  return new RestError(
    40401,
    'JOB_NOT_FOUND',
    `job ${id} has not reported`,
    'GET /api/v1/jobs lists the known jobs; a job is removed some time after its last report',
  )
}
