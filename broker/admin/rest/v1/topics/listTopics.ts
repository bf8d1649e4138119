// `GET /api/v1/topics`: the topics at a glance, with what is in them and what flows through them.

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
        description: 'Null from brokers before Kafka 2.8.',
      }),
      internal: Type.Boolean(),
      partitions: Type.Integer(),
      replication_factor: Type.Integer({ description: 'The largest of its partitions.' }),
      partitions_without_leader: Type.Integer(),
      under_replicated_partitions: Type.Integer(),
      records: maybe(
        'Offsets from the log start to the end, over all partitions: more than there are records where compaction or transactions have left gaps. Null when a partition cannot be asked.',
      ),
      size_bytes: maybe('Of the logs on all brokers. Null when no broker says.'),
      records_per_second: rate('Over the last seconds; null when it is not known.'),
      bytes_in_per_second: rate('Null when it is not known, as of brokers other than ours.'),
      bytes_out_per_second: rate('Null when it is not known, as of brokers other than ours.'),
    }),
  ),
})

/** A page costs a question about each partition in it. */
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
            Type.Boolean({ default: false, description: "Whether Kafka's own topics are listed." }),
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

/** Null for a topic of which a partition cannot be asked: a sum without it would look like one that is whole. */
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

/** By topic; undefined when no broker says. */
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
