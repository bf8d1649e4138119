// A group notes how far it has got. Answered when that is durable.

import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { OffsetToCommit } from '../../groups/groupCoordinator.ts'
import { handler } from '../handler.ts'
import type { BrokerParts } from '../requestContext.ts'

type PartitionRequest = RequestOf<typeof offsetCommit>['topics'][number]['partitions'][number]

export const offsetCommitHandler = handler(offsetCommit, async (request, { broker }) => {
  const nowMs = broker.clock.nowMs()
  const offsets: OffsetToCommit[] = []
  for (const { name, partitions } of request.topics) {
    for (const partition of partitions) {
      if (exists(broker, name, partition)) offsets.push(offsetOf(name, partition, nowMs))
    }
  }
  const identity = { memberId: request.memberId, groupInstanceId: request.groupInstanceId }
  const generationId = request.generationIdOrMemberEpoch
  const codes = await broker.groups.commit(request.groupId, identity, generationId, offsets)
  const codeOf = new Map(offsets.map((offset, index) => [keyOf(offset), codes[index]!]))
  const topics = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex: partition }) => ({
      partitionIndex: partition,
      errorCode: codeOf.get(keyOf({ topic: name, partition })) ?? ErrorCode.unknownTopicOrPartition,
    })),
  }))
  return { throttleTimeMs: 0, topics }
})

function keyOf({ topic, partition }: Pick<OffsetToCommit, 'topic' | 'partition'>): string {
  return `${topic}/${partition}`
}

function exists(
  { controller }: BrokerParts,
  name: string,
  { partitionIndex }: PartitionRequest,
): boolean {
  const topic = controller.state.topic(name)
  return topic !== undefined && partitionIndex >= 0 && partitionIndex < topic.partitions
}

function offsetOf(topic: string, request: PartitionRequest, nowMs: number): OffsetToCommit {
  return {
    topic,
    partition: request.partitionIndex,
    value: {
      offset: request.committedOffset,
      leaderEpoch: request.committedLeaderEpoch,
      metadata: request.committedMetadata ?? '',
      commitTimestampMs: nowMs,
    },
  }
}
