// How far a consumer group is behind in a partition, as a resource: the records between the offset that it
// committed last and the end of the log.

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
  current_offset: Type.Integer({ description: 'The offset that the group committed last.' }),
  log_end_offset: Type.Integer({ description: 'The offset after the last record.' }),
  lag: Type.Integer({ description: 'Records between the two; never below 0.' }),
  consumer_id: Type.String({ description: 'Whose partition it is now; empty for nobody.' }),
  instance_id: nullable(Type.String()),
  client_id: Type.String(),
})

export interface Lag extends TopicPartition {
  readonly currentOffset: number
  readonly logEndOffset: number
  readonly lag: number
  /** Undefined for nobody. */
  readonly consumer: GroupMember | undefined
}

/** Of the partitions that the group committed offsets of and that still exist, by topic and partition. */
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

/** Offsets of deleted topics stay with the group until they expire. */
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
  // A topic that was created again begins before what was committed of the former one.
  const lag = Math.max(0, logEndOffset - currentOffset)
  return { topic, partition, currentOffset, logEndOffset, lag, consumer }
}
