// The resource KafkaConsumerLag: the records between the committed offset of a group in a partition
// and the end of the log.

import { Type } from 'typebox'
import { type Admin, OffsetSpec } from '../../../../../protocol/client/admin.ts'
import type {
  CommittedOffset,
  FoundOffset,
  GroupDescription,
  GroupMember,
} from '../../../../../protocol/client/adminApi.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import type { TopicPartition } from '../../../../../protocol/kafka/topicPartition.ts'
import { kafkaFailure } from '../../failures.ts'
import type { Links } from '../links.ts'
import { partitionFields } from '../partitions/partition.ts'
import { nullable, partitionKey, type ResourceOf, resourceSchema } from '../resource.ts'
import { groupFields } from './consumerGroup.ts'

export const lagSchema = resourceSchema('KafkaConsumerLag', {
  ...groupFields,
  ...partitionFields,
  current_offset: Type.Integer({ description: 'Committed offset of the group.' }),
  log_end_offset: Type.Integer({ description: 'Offset after the last record.' }),
  lag: Type.Integer({ description: 'Difference of the two; never below 0.' }),
  consumer_id: Type.String({
    description: 'Consumer that the partition is assigned to; empty if none.',
  }),
  instance_id: nullable(Type.String()),
  client_id: Type.String(),
})

export interface Lag extends TopicPartition {
  readonly currentOffset: number
  readonly logEndOffset: number
  readonly lag: number
  /** Undefined if the partition is not assigned. */
  readonly consumer: GroupMember | undefined
}

/** Lags of all existing partitions with committed offsets, by topic and partition. */
export async function lagsOf(
  admin: Admin,
  group: GroupDescription,
  isWanted: (place: TopicPartition) => boolean = () => true,
): Promise<Lag[]> {
  const committed = (await admin.groupOffsets(group.groupId)).filter(isWanted)
  const questions = committed.map(({ topic, partition }) => {
    return { topic, partition, at: OffsetSpec.latest }
  })
  const ends = await admin.findOffsets(questions)
  const consumers = new Map(
    group.members.flatMap((member) =>
      member.assignment.map(({ topic, partition }) => [partitionKey(topic, partition), member]),
    ),
  )
  return committed.flatMap((offset, index) => {
    const end = ends[index]!
    if (!isThere(end)) return []
    return [lagOf(offset, end, consumers.get(partitionKey(offset.topic, offset.partition)))]
  })
}

export function lagResource(
  links: Links,
  groupId: string,
  { topic, partition, currentOffset, logEndOffset, lag, consumer }: Lag,
): ResourceOf<typeof lagSchema> {
  return {
    kind: 'KafkaConsumerLag',
    metadata: links.metadata('consumer-groups', groupId, 'lags', topic, 'partitions', partition),
    cluster_id: links.clusterId,
    consumer_group_id: groupId,
    topic_name: topic,
    partition_id: partition,
    current_offset: currentOffset,
    log_end_offset: logEndOffset,
    lag,
    consumer_id: consumer?.memberId ?? '',
    instance_id: consumer?.instanceId ?? null,
    client_id: consumer?.clientId ?? '',
  }
}

/** Offsets of deleted topics are kept by the group until they expire. */
function isThere({ topic, partition, errorCode, errorMessage }: FoundOffset): boolean {
  if (errorCode === ErrorCode.unknownTopicOrPartition) return false
  if (errorCode === ErrorCode.none) return true
  throw kafkaFailure(errorCode, errorMessage ?? `${topic}-${partition}`)
}

function lagOf(
  { topic, partition, offset: currentOffset }: CommittedOffset,
  { offset: logEndOffset }: FoundOffset,
  consumer: GroupMember | undefined,
): Lag {
  // A recreated topic starts below the offsets committed for its predecessor.
  const lag = Math.max(0, logEndOffset - currentOffset)
  return { topic, partition, currentOffset, logEndOffset, lag, consumer }
}
