// The resource KafkaPartition.

import { Type } from 'typebox'
import type {
  Admin,
  PartitionDescription,
  TopicDescription,
} from '../../../../../protocol/client/admin.ts'
import { ErrorCode, KafkaError } from '../../../../../protocol/kafka/errors.ts'
import type { Links } from '../links.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { topicOf } from '../topics/topic.ts'

export const partitionFields = { topic_name: Type.String(), partition_id: Type.Integer() }

export const partitionSchema = resourceSchema('KafkaPartition', {
  ...partitionFields,
  leader: Type.Optional(relationship),
  replicas: relationship,
  reassignment: relationship,
})

export function partitionResource(
  links: Links,
  topic: string,
  { partition, leader }: PartitionDescription,
): ResourceOf<typeof partitionSchema> {
  const path = ['topics', topic, 'partitions', partition] as const
  return {
    kind: 'KafkaPartition',
    metadata: links.metadata(...path),
    cluster_id: links.clusterId,
    topic_name: topic,
    partition_id: partition,
    ...(leader < 0 ? {} : { leader: links.related(...path, 'replicas', leader) }),
    replicas: links.related(...path, 'replicas'),
    reassignment: links.related(...path, 'reassignment'),
  }
}

/** Fails with UNKNOWN_TOPIC_OR_PARTITION if it does not exist. */
export async function partitionOf(
  admin: Admin,
  { topic_name, partition_id }: { readonly topic_name: string; readonly partition_id: number },
): Promise<PartitionDescription> {
  const topic = await topicOf(admin, topic_name)
  const partition = topic.partitions.find((each) => each.partition === partition_id)
  if (partition === undefined) throw unknownPartition(topic, partition_id)
  return partition
}

function unknownPartition({ name, partitions }: TopicDescription, partition: number): KafkaError {
  const detail = `${name}-${partition}: the topic has ${partitions.length} partitions`
  return new KafkaError(ErrorCode.unknownTopicOrPartition, detail)
}
