// The resource KafkaTopic.

import { Type } from 'typebox'
import type { Admin, TopicDescription } from '../../../../../protocol/client/admin.ts'
import type { Links } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'

export const topicSchema = resourceSchema('KafkaTopic', {
  topic_name: Type.String(),
  is_internal: Type.Boolean(),
  replication_factor: Type.Integer(),
  partitions_count: Type.Integer(),
  partitions: relationship,
  configs: relationship,
  partition_reassignments: relationship,
  authorized_operations: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Operations that this server may perform on the topic; only if requested.',
    }),
  ),
})

export interface TopicFigures {
  readonly name: string
  readonly isInternal: boolean
  readonly partitionCount: number
  readonly replicationFactor: number
  readonly authorizedOperations?: readonly string[] | undefined
}

export function topicResource(links: Links, topic: TopicFigures): ResourceOf<typeof topicSchema> {
  const { name, authorizedOperations } = topic
  return {
    kind: 'KafkaTopic',
    metadata: links.metadata('topics', name),
    cluster_id: links.clusterId,
    topic_name: name,
    is_internal: topic.isInternal,
    replication_factor: topic.replicationFactor,
    partitions_count: topic.partitionCount,
    partitions: links.related('topics', name, 'partitions'),
    configs: links.related('topics', name, 'configs'),
    partition_reassignments: links.related('topics', name, 'partitions', '-', 'reassignment'),
    ...(authorizedOperations === undefined
      ? {}
      : { authorized_operations: [...authorizedOperations] }),
  }
}

export function topicFigures(topic: TopicDescription): TopicFigures {
  const { name, isInternal, partitions, authorizedOperations } = topic
  return {
    name,
    isInternal,
    partitionCount: partitions.length,
    replicationFactor: partitions[0]?.replicas.length ?? 0,
    authorizedOperations,
  }
}

/** Fails with UNKNOWN_TOPIC_OR_PARTITION if the topic does not exist. */
export async function topicOf(admin: Admin, name: string): Promise<TopicDescription> {
  const [topic] = await admin.describeTopics([name])
  return topic!
}
