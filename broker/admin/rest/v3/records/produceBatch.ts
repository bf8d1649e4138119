// POST /v3/clusters/{cluster_id}/topics/{topic_name}/records:batch: produces several records.

import { Type } from 'typebox'
import type { AdminRoute, AdminServer } from '../../adminRoute.ts'
import { bodyValidator } from '../../requestValidation.ts'
import { RestError } from '../../restError.ts'
import { linksOf } from '../links.ts'
import { topicPath } from '../pathParameters.ts'
import type { ResourceOf } from '../resource.ts'
import { readStreams, wholeBody } from './bodyStream.ts'
import { batchEntrySchema, parseText, readRecord } from './produceRequest.ts'
import { failureFields, type ProduceResult, stored, storedFields } from './produceResult.ts'
import { RecordMemory } from './recordMemory.ts'
import { producerOf } from './recordProducer.ts'

const maxBodyBytes = 8 * 1024 * 1024

const batchSchema = Type.Object({
  entries: Type.Array(batchEntrySchema, { minItems: 1, maxItems: 1_000 }),
})
const id = Type.String({ description: 'Id of the entry in the request.' })
const batchResultSchema = Type.Object({
  successes: Type.Array(Type.Object({ id, ...storedFields })),
  failures: Type.Array(Type.Object({ id, error_code: Type.Integer(), ...failureFields })),
})

const validate = bodyValidator(batchSchema)

export const produceBatch: AdminRoute = (server, context) => {
  const producer = producerOf(server, context)
  server.register(async (plain) => {
    const scope = plain as unknown as AdminServer
    readStreams(scope, ['application/json'])
    scope.post(
      '/v3/clusters/:cluster_id/topics/:topic_name/records::batch',
      {
        config: { records: true },
        validatorCompiler: readStreams.validatorCompiler,
        schema: {
          operationId: 'produceRecordsBatch',
          summary: 'Produce several records',
          description:
            'Each entry succeeds or fails independently; the response identifies it by its id in the request.',
          tags: ['Records (v3)'],
          params: Type.Object(topicPath),
          body: batchSchema,
          response: { 207: batchResultSchema },
        },
      },
      async (request, reply) => {
        const { clusterId } = await linksOf(context, request, request.params)
        const { topic_name: topic } = request.params
        await producer.prepare(topic)
        const memory = new RecordMemory(context.recordMemory)
        try {
          const entries = readEntries(await wholeBody(request, maxBodyBytes, memory))
          request.changed = { records: entries.length }
          const results = await Promise.all(
            entries.map(async ({ id, ...entry }) => {
              const read = () => readRecord(entry, producer.nowMs)
              return { id, ...(await producer.produce({ clusterId, topic }, read)) }
            }),
          )
          return await reply.code(207).send(batchResult(results))
        } finally {
          memory.releaseAll()
        }
      },
    )
  })
}

function readEntries(body: Buffer): ResourceOf<typeof batchSchema>['entries'] {
  const checked = validate(parseText(body))
  if ('error' in checked) throw checked.error
  const { entries } = checked.value as ResourceOf<typeof batchSchema>
  if (new Set(entries.map(({ id }) => id)).size === entries.length) return entries
  throw new RestError(
    40002,
    'DUPLICATE_ENTRY_ID',
    'two entries have the same id',
    'give each entry a unique id: the response identifies entries by id',
  )
}

function batchResult(
  results: readonly (ProduceResult & { readonly id: string })[],
): ResourceOf<typeof batchResultSchema> {
  const successes = results
    .filter(({ error_code }) => error_code === stored)
    .map(({ error_code, ...success }) => success)
  return { successes, failures: results.filter(({ error_code }) => error_code !== stored) }
}
