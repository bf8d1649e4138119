// POST /v3/clusters/{cluster_id}/topics/{topic_name}/records: produces one record, or a stream of
// records that lasts as long as the client wants.

import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { AdminRoute, AdminServer } from '../../adminRoute.ts'
import { RestError } from '../../restError.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import { bodyOf, idleLimit, longestTimeoutMs, readStreams } from './bodyStream.ts'
import { ConcatenatedJson, JsonLines } from './jsonTexts.ts'
import { produceRequestSchema } from './produceRequest.ts'
import { produceResultSchema } from './produceResult.ts'
import { RecordMemory } from './recordMemory.ts'
import { producerOf } from './recordProducer.ts'
import { maxRecordBytes, resultsOf } from './recordStream.ts'

const ndjson = 'application/x-ndjson'
const json = 'application/json; charset=utf-8'

export const produceRecords: AdminRoute = (server, context) => {
  const producer = producerOf(server, context)
  server.register(async (plain) => {
    const scope = plain as unknown as AdminServer
    readStreams(scope, ['application/json', ndjson])
    scope.post(
      '/v3/clusters/:cluster_id/topics/:topic_name/records',
      {
        config: { records: true, streamsBody: true },
        handlerTimeout: longestTimeoutMs,
        validatorCompiler: readStreams.validatorCompiler,
        schema: {
          operationId: 'produceRecord',
          summary: 'Produce records',
          description: `The body is one record, or any number of concatenated records (or one per line, as ${ndjson}). The response has one result per record, in the same order, sent as soon as it is known: a client may keep the request open and continue sending. A failed record does not affect the others; its result says why it failed.`,
          tags: ['Records (v3)'],
          params: Type.Object(topicPath),
          consumes: ['application/json', ndjson],
          body: produceRequestSchema,
          response: {
            200: {
              description:
                'One result per record, sent as soon as it is known; one per line for NDJSON.',
              content: {
                'application/json': { schema: produceResultSchema },
                [ndjson]: { schema: produceResultSchema },
              },
            },
          },
        },
      },
      async (request, reply) => {
        const { clusterId } = await linksOf(context, request, request.params)
        const { topic_name: topic } = request.params
        await producer.prepare(topic)
        const idle = idleLimit(request, reply, context.streamIdleMs)
        idle.catch(() => {})
        const isLines = request.headers['content-type']?.startsWith(ndjson) === true
        const memory = new RecordMemory(context.recordMemory)
        const limits = { maxBytes: maxRecordBytes, memory }
        const texts = isLines ? new JsonLines(limits) : new ConcatenatedJson(limits)
        const results = resultsOf(bodyOf(request), texts, memory, (text) =>
          producer.produceText({ clusterId, topic }, text),
        )
        const next = results.next()
        next.catch(() => {})
        const first = await Promise.race([next, idle])
        if (first.done === true) throw emptyBody()
        reply.header('content-type', isLines ? ndjson : json)
        return await reply.send(Readable.from(rest(first.value, results)) as never)
      },
    )
  })
}

/** Ends `results` when the client disconnects. */
async function* rest(first: string, results: AsyncGenerator<string>): AsyncGenerator<string> {
  try {
    yield first
    yield* results
  } finally {
    await results.return(undefined)
  }
}

function emptyBody(): RestError {
  return new RestError(
    400,
    'EMPTY_BODY',
    'the body contains no record',
    'send at least one: {"value": {"type": "STRING", "data": "hello"}}',
  )
}
