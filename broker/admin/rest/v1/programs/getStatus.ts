// `GET /api/v1/status`: the picture that the console shows, as data. Fields have the names under
// which agents and jobs report them.

import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'

const number = Type.Number()
const count = Type.Integer()
const text = Type.String()
const maybeNumber = Type.Union([number, Type.Null()])
const topics = Type.Array(text)
const millisecondsSinceEpoch = Type.Number({ description: 'Milliseconds since the epoch.' })

const problem = Type.Object({
  subject: Type.Enum(['broker', 'topic', 'job', 'agent']),
  id: Type.String({ description: 'Id of the topic, job or agent; empty for the broker.' }),
  text,
})

const agent = Type.Object({
  ...{ id: text, name: text, host: text, state: Type.Enum(['running', 'stopped']), topics },
  ...{ linesTotal: count, linesPerSecond: maybeNumber },
  channel: Type.String({ description: 'The fullest channel.' }),
  channelFill: Type.Number({ description: 'Fill of the fullest channel, 0 to 1.' }),
  channelEvents: Type.Integer({ description: 'Events in all channels.' }),
  ageMs: Type.Number({ description: 'Time since the last report.' }),
  silent: Type.Boolean(),
  undrainedMs: Type.Number({
    description:
      'How long no sink has drained the channels although they hold events; 0 while they drain.',
  }),
})

const topic = Type.Object({
  ...{ name: text, partitions: count },
  offlinePartitions: Type.Integer({
    description: 'Partitions that can be neither read nor written.',
  }),
  records: Type.Union([count, Type.Null()], {
    description: 'Sum of the high watermarks; null while one is unknown.',
  }),
  ...{ recordsPerSecond: maybeNumber, bytesInPerSecond: maybeNumber },
  bytesOutPerSecond: maybeNumber,
  quiet: Type.Boolean({ description: 'No recent traffic, and not used by any agent or job.' }),
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
      "Accounts for every line of a job's input: read + elsewhere = stored + onTheWay; stored = before + counted + waiting.",
  },
)

const picture = Type.Object({
  timeMs: millisecondsSinceEpoch,
  momentMs: Type.Number({
    description: 'Moment of the figures: a few seconds before `timeMs` at most.',
  }),
  problems: Type.Array(problem, { description: 'Problems, most serious first.' }),
  agents: Type.Array(agent),
  topics: Type.Array(topic),
  topicsTotal: Type.Integer({
    description: 'Number of topics without internal ones; `topics` may hold fewer.',
  }),
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
        summary: 'Get the data of the console',
        description: 'Agents, topics, jobs and problems at one moment.',
        response: { 200: picture },
      },
    },
    async () => context.picture() as never,
  )
}
