// `GET /api/v1/topics`: the topics with their sizes and traffic.

import { Type } from 'typebox'
import type { TopicDescription } from '../../../../../protocol/client/admin.ts'
import type { AdminContext } from '../../adminContext.ts'
import type { AdminRoute } from '../../adminRoute.ts'
import { listMetadata, pageMetadata, pageOf, pageQuery } from '../../paging.ts'
import { logEnds } from '../groups/committedLag.ts'

const rate = (description: string) => Type.Union([Type.Number(), Type.Null()], { description })
const maybe = (description: string) => Type.Union([Type.Integer(), Type.Null()], { description })

const answer = Type.Object({
  kind: Type.Literal('TopicList'),
  metadata: listMetadata,
  data: Type.Array(
    Type.Object({
      topic: Type.String(),
      topic_id: Type.Union([Type.String(), Type.Null()], {
        description: 'Null with brokers older than Kafka 2.8.',
      }),
      internal: Type.Boolean(),
      partitions: Type.Integer(),
      replication_factor: Type.Integer({
        description: 'Largest replication factor of the partitions.',
      }),
      partitions_without_leader: Type.Integer(),
      under_replicated_partitions: Type.Integer(),
      records: maybe(
        'Offsets from the log start to the end, over all partitions: an upper bound of the records, as compaction and transactions leave gaps. Null if a partition is unavailable.',
      ),
      size_bytes: maybe('Size of the logs on all brokers. Null if no broker reports it.'),
      records_per_second: rate('Rate over the last seconds; null if unknown.'),
      bytes_in_per_second: rate('Null if unknown, as with brokers of other implementations.'),
      bytes_out_per_second: rate('Null if unknown, as with brokers of other implementations.'),
    }),
  ),
})

/** Each topic of a page costs requests for all of its partitions. */
const topicsOfPage = { ...pageQuery }

export const listTopics: AdminRoute = (server, context) => {
  server.get(
    '/api/v1/topics',
    {
      schema: {
        operationId: 'listTopics',
        tags: ['Topics'],
        summary: 'List the topics, with their size and traffic',
        querystring: Type.Object({
          ...topicsOfPage,
          internal: Type.Optional(
            Type.Boolean({
              default: false,
              description: "Whether to list Kafka's internal topics.",
            }),
          ),
        }),
        response: { 200: answer },
      },
    },
    async (request) => {
      const all = await context.admin.describeTopics()
      const { internal = false } = request.query
      const wanted = all.filter((topic) => internal || !topic.isInternal)
      const page = pageOf('topics', wanted, ({ name }) => name, request.query)
      const [records, sizes] = await Promise.all([
        recordsOf(context, page.entries),
        sizesOf(context),
      ])
      const flowing = new Map(context.picture().topics.map((topic) => [topic.name, topic]))
      return {
        kind: 'TopicList' as const,
        metadata: pageMetadata(request, page.nextToken),
        data: page.entries.map((topic) => {
          const flow = flowing.get(topic.name)
          return {
            ...shapeOf(topic),
            records: records.get(topic.name) ?? null,
            size_bytes: sizes === undefined ? null : (sizes.get(topic.name) ?? 0),
            records_per_second: flow?.recordsPerSecond ?? null,
            bytes_in_per_second: flow?.bytesInPerSecond ?? null,
            bytes_out_per_second: flow?.bytesOutPerSecond ?? null,
          }
        }),
      }
    },
  )
}

const zeroUuid = /^0{8}-0{4}-0{4}-0{4}-0{12}$/

function shapeOf({ name, topicId, isInternal, partitions }: TopicDescription) {
  return {
    topic: name,
    topic_id: zeroUuid.test(topicId) ? null : topicId,
    internal: isInternal,
    partitions: partitions.length,
    replication_factor: Math.max(0, ...partitions.map(({ replicas }) => replicas.length)),
    partitions_without_leader: partitions.filter(({ leader }) => leader < 0).length,
    under_replicated_partitions: partitions.filter(
      ({ isr, replicas }) => isr.length < replicas.length,
    ).length,
  }
}

/**
 * Null if a partition of the topic is unavailable: a partial sum would look like a complete one.
 */
async function recordsOf(
  { admin }: AdminContext,
  topics: readonly TopicDescription[],
): Promise<Map<string, number | null>> {
  const asked = topics.flatMap(({ name, partitions }) =>
    partitions.some(({ leader }) => leader < 0)
      ? []
      : partitions.map(({ partition }) => ({ topic: name, partition })),
  )
  const ends = await logEnds(admin, asked)
  const sums = new Map<string, number | null>()
  for (const [index, { topic }] of asked.entries()) {
    const { start, end } = ends[index]!
    const sum = sums.get(topic)
    if (start === null || end === null || sum === null) sums.set(topic, null)
    else sums.set(topic, (sum ?? 0) + (end - start))
  }
  return sums
}

/** Sizes by topic; undefined if no broker reports them. */
async function sizesOf({ admin }: AdminContext): Promise<Map<string, number> | undefined> {
  const directories = await admin.describeLogDirs()
  const readable = directories.filter(({ errorCode }) => errorCode === 0)
  if (readable.length === 0) return undefined
  const sizes = new Map<string, number>()
  for (const { topic, sizeBytes } of readable.flatMap(({ replicas }) => replicas)) {
    sizes.set(topic, (sizes.get(topic) ?? 0) + sizeBytes)
  }
  return sizes
}
