// The resource KafkaConsumerAssignment: a partition assigned to a consumer.

import { Type } from 'typebox'
import type { GroupMember } from '../../../../../protocol/client/adminApi.ts'
import type { TopicPartition } from '../../../../../protocol/kafka/topicPartition.ts'
import type { Links } from '../links.ts'
import { partitionFields } from '../partitions/partition.ts'
import { type ResourceOf, relationship, resourceSchema } from '../resource.ts'
import { groupFields } from './consumerGroup.ts'

export const assignmentSchema = resourceSchema('KafkaConsumerAssignment', {
  ...groupFields,
  consumer_id: Type.String(),
  ...partitionFields,
  partition: relationship,
  lag: relationship,
})

export function assignmentResource(
  links: Links,
  groupId: string,
  { memberId }: GroupMember,
  { topic, partition }: TopicPartition,
): ResourceOf<typeof assignmentSchema> {
  const group = ['consumer-groups', groupId] as const
  const place = [topic, 'partitions', partition] as const
  return {
    kind: 'KafkaConsumerAssignment',
    metadata: links.metadata(...group, 'consumers', memberId, 'assignments', ...place),
    cluster_id: links.clusterId,
    consumer_group_id: groupId,
    consumer_id: memberId,
    topic_name: topic,
    partition_id: partition,
    partition: links.related('topics', ...place),
    lag: links.related(...group, 'lags', ...place),
  }
}
