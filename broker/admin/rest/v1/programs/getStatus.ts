// `GET /api/v1/status`: the picture that the console shows, as data. Its fields have the names that agents and jobs
// report them under.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'

const number = Type.Number()
const count = Type.Integer()
const text = Type.String()
const maybeNumber = Type.Union([number, Type.Null()])
const topics = Type.Array(text)
const millisecondsSinceEpoch = Type.Number({ description: 'In ms since the epoch.' })

const problem = Type.Object({
  subject: Type.Enum(['broker', 'topic', 'job', 'agent']),
  id: Type.String({ description: 'Of the topic, job or agent; empty for the broker.' }),
  text,
})

const agent = Type.Object({
  ...{ id: text, name: text, host: text, state: Type.Enum(['running', 'stopped']), topics },
  ...{ linesTotal: count, linesPerSecond: maybeNumber },
  channel: Type.String({ description: 'The fullest channel.' }),
  channelFill: Type.Number({ description: 'How full it is, 0 to 1.' }),
  channelEvents: Type.Integer({ description: 'Events in all channels.' }),
  ageMs: Type.Number({ description: 'Since the last report.' }),
  silent: Type.Boolean(),
  undrainedMs: Type.Number({
    description: 'How long the channels have held events without a sink draining any.',
  }),
})

const topic = Type.Object({
  ...{ name: text, partitions: count },
  offlinePartitions: Type.Integer({ description: 'Partitions that nobody can read or write.' }),
  records: Type.Union([count, Type.Null()], {
    description: 'High watermarks, summed; null while one is not known.',
  }),
  ...{ recordsPerSecond: maybeNumber, bytesInPerSecond: maybeNumber },
  bytesOutPerSecond: maybeNumber,
  quiet: Type.Boolean({ description: 'Without traffic lately, and used by no agent or job.' }),
})

const batch = Type.Object({
  ...{ id: count, timeMs: millisecondsSinceEpoch, records: count },
  ...{ schedulingDelayMs: number, processingTimeMs: number, totalDelayMs: number },
  latencyMs: Type.Optional(number),
})

const view = Type.Object({
  ...{ name: text, title: text, chart: Type.Enum(['bar', 'share']), batchId: count },
  offsets: Type.Array(Type.Object({ topic: text, partition: count, from: count, until: count })),
  rows: Type.Array(
    Type.Array(Type.Union([text, number]), {
      ...{ minItems: 2, maxItems: 2 },
      description: 'A key and its value.',
    }),
  ),
  labels: Type.Optional(Type.Record(text, text)),
  rowsLeftOut: count,
  total: number,
})

const rejected = Type.Object({
  total: count,
  topics: Type.Array(Type.Object({ topic: text, records: count })),
  first: Type.Array(Type.Object({ topic: text, partition: count, offset: count, error: text })),
})

const job = Type.Object({
  ...{ id: text, name: text, state: Type.Enum(['running', 'stopped', 'failed']) },
  ...{ error: Type.Optional(text), host: Type.Optional(text), address: Type.Optional(text) },
  slowBatch: Type.Optional(Type.Object({ text, runningMs: number })),
  rejected: Type.Optional(rejected),
  ...{ lostRecords: count, lateRows: count, topics, batchIntervalMs: number },
  ...{ recordsTotal: count, recordsPerSecond: maybeNumber, lagRecords: count },
  ...{ lagMs: maybeNumber, latencyMs: maybeNumber },
  lastBatch: Type.Optional(batch),
  ...{ slowBatches: count, views: Type.Array(view), ageMs: number, silent: Type.Boolean() },
})

const ledger = Type.Object(
  {
    ...{ job: text, topics, read: count, elsewhere: count, onTheWay: count, stored: count },
    ...{ before: count, counted: count, waiting: count },
  },
  {
    description:
      'Where every line of a job is: read + elsewhere = stored + onTheWay; stored = before + counted + waiting.',
  },
)

const picture = Type.Object({
  timeMs: millisecondsSinceEpoch,
  momentMs: Type.Number({
    description: 'What the figures are of: a few seconds before `timeMs` at most.',
  }),
  problems: Type.Array(problem, { description: 'What is not well, most serious first.' }),
  agents: Type.Array(agent),
  topics: Type.Array(topic),
  topicsTotal: Type.Integer({ description: 'All topics but internal ones; not all are shown.' }),
  jobs: Type.Array(job),
  ledgers: Type.Array(ledger),
})

export const getStatus: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/status',
    {
      schema: {
        operationId: 'getStatus',
        tags: ['Console'],
        summary: 'Get what the console shows',
        description: 'Agents, topics and jobs at one moment, and what is not well.',
        response: { 200: picture },
      },
    },
    async () => context.picture() as never,
  )
}
