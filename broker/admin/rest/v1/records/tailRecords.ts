// `GET /api/v1/topics/{topic}/records/tail`: streams new records of a topic as server-sent events,
// or as one JSON object per line with `accept: application/x-ndjson`.

import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { AdminRoute } from '../../adminRoute.ts'
import { restErrorOf } from '../../failures.ts'
import { RestError } from '../../restError.ts'
import { topicParams } from '../topics/topicParams.ts'
import { filterQuery, recordFilter } from './recordFilter.ts'
import { isolationOf, isolationQuery, logRanges, partitionsOf } from './recordRange.ts'
import { type TailEvent, type TailOptions, tail } from './recordTail.ts'
import { longestPosition, positionOfText, textOfPosition } from './tailPosition.ts'

/** The end offset of each partition is polled several times a second. */
const mostPartitions = 1_000

const query = Type.Object({
  partition: Type.Optional(
    Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), {
      maxItems: 200,
      description: 'Partitions to tail. Default: all partitions of the topic.',
    }),
  ),
  from_offset: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Start offset. Default: the end.' }),
  ),
  ...filterQuery,
  isolation: isolationQuery,
  max_per_second: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 1_000, default: 100 },
      description:
        'Maximum number of records read per second. Records beyond it are skipped, and an event `skipped` says how many.',
    }),
  ),
  max_value_bytes: Type.Optional(
    Type.Integer({
      ...{ minimum: 1, maximum: 256 * 1024, default: 16 * 1024 },
      description: 'Maximum number of bytes shown of a value; a longer value is truncated.',
    }),
  ),
})

const headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: longestPosition,
      description:
        'The `id` of the last event that the client received: the stream resumes after it, and `from_offset` is ignored. Browsers send it when they reconnect.',
    }),
  ),
})

const lines = Type.String({
  description:
    'Each event has an `id`, for `last-event-id`. Events: `record` (in the same shape as when browsing), `skipped` (number of skipped offsets), `heartbeat` (after 15 s without other events) and, as the last one, `error`.',
})

const ndjson = 'application/x-ndjson'
const eventStream = 'text/event-stream'

export const tailRecords: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/topics/:topic/records/tail',
    {
      // The response has no end: neither the request timeout nor HEAD apply.
      config: { scan: true, endless: true },
      exposeHeadRoute: false,
      schema: {
        operationId: 'tailRecords',
        tags: ['Records'],
        summary: 'Tail the records of a topic',
        description:
          'Server-sent events, until the client closes the connection; NDJSON with the header `accept: application/x-ndjson`.',
        params: topicParams,
        querystring: query,
        headers,
        response: {
          200: {
            description: 'The stream of events.',
            content: { [eventStream]: { schema: lines }, [ndjson]: { schema: lines } },
          },
        },
      },
    },
    async (request, reply) => {
      const { topic } = request.params
      const { max_per_second: mostPerSecond = 100, max_value_bytes = 16 * 1024 } = request.query
      const isolation = isolationOf(request.query.isolation)
      const giveBack = context.tails.take()
      const stop = new AbortController()
      const end = () => {
        giveBack()
        stop.abort()
      }
      // Also ends when the client disconnects before the response has started.
      reply.raw.once('close', end)
      try {
        const partitions = await partitionsOf(context.admin, topic, request.query.partition)
        if (partitions.length > mostPartitions) throw tooMany(topic, partitions.length)
        const lastId = request.headers['last-event-id']
        const position = lastId === undefined ? undefined : positionOfText(lastId, partitions)
        const { from_offset: offset } = request.query
        const from = offset === undefined ? {} : { offset }
        const logs = await logRanges(context.admin, topic, partitions, from, isolation)
        const options: TailOptions = {
          ...{ topic, isolation, mostPerSecond, mostValueBytes: max_value_bytes },
          from: new Map(
            logs.map(({ partition, low, logStartOffset, endOffset }) => {
              if (position === undefined) return [partition, offset === undefined ? endOffset : low]
              // A partition that the id does not contain was added later: it is read from the
              // start.
              const next = position.get(partition) ?? 0
              return [partition, Math.min(Math.max(next, logStartOffset), endOffset)]
            }),
          ),
          filter: recordFilter(request.query),
        }
        const isLines = request.headers.accept?.includes(ndjson) === true
        const events = texts(tail(context, options, stop.signal), isLines, request.id)
        const stream = Readable.from(events, { objectMode: false, highWaterMark: 64 * 1024 })
        reply.header('cache-control', 'no-store')
        return reply.type(isLines ? ndjson : eventStream).send(stream as unknown as string)
      } catch (error) {
        end()
        throw error
      }
    },
  )
}

/** A failure after the start of the response can only be reported within the stream. */
async function* texts(
  events: AsyncIterable<TailEvent>,
  isLines: boolean,
  requestId: string,
): AsyncGenerator<string, void> {
  const text = (event: string, data: object, id?: string) => {
    if (isLines) {
      const content = event === 'record' ? { record: data } : data
      return `${JSON.stringify({ event, id, ...content })}\n`
    }
    const idLine = id === undefined ? '' : `id: ${id}\n`
    return `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`
  }
  try {
    for await (const { event, data, position } of events) {
      yield text(event, data, textOfPosition(position))
    }
  } catch (error) {
    yield text('error', restErrorOf(error).body(requestId))
  }
}

function tooMany(topic: string, partitions: number): RestError {
  return new RestError(
    40002,
    'TOO_MANY_PARTITIONS',
    `topic ${topic} has ${partitions} partitions, too many to tail at once: the limit is ${mostPartitions}`,
    'select partitions with partition=0&partition=1',
  )
}
