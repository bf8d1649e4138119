// A group notes how far it has got. Answered when that is durable.

import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { OffsetToCommit } from '../../groups/groupRequests.ts'
import { handler } from '../handler.ts'
import { partitionExists } from '../partitionExists.ts'

type Request = RequestOf<typeof offsetCommit>
type PartitionRequest = Request['topics'][number]['partitions'][number]

export const offsetCommitHandler = handler(offsetCommit, async (request, context) => {
  const { broker, apiVersion } = context
  const { state } = broker.controller
  const timestamps = timestampsOf(request, broker.clock.nowMs())
  const offsets = request.topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ partitionIndex }) => partitionExists(state, name, partitionIndex))
      .map((partition) => offsetOf(name, partition, timestamps)),
  )
  const committer = {
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    generationId: request.generationIdOrMemberEpoch,
    apiVersion,
  }
  const codes =
    offsets.length > 0 ? await broker.groups.commit(request.groupId, committer, offsets) : []
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

/** Up to version 4 a client may say how long its offsets are to be kept. */
function timestampsOf({ retentionTimeMs }: Request, nowMs: number) {
  // What is recorded must be a number that can be read again when the broker starts.
  const expireTimestampMs =
    retentionTimeMs < 0 ? -1 : Math.min(nowMs + retentionTimeMs, Number.MAX_SAFE_INTEGER)
  return { commitTimestampMs: nowMs, expireTimestampMs }
}

function offsetOf(
  topic: string,
  request: PartitionRequest,
  timestamps: ReturnType<typeof timestampsOf>,
): OffsetToCommit {
  return {
    topic,
    partition: request.partitionIndex,
    value: {
      offset: request.committedOffset,
      leaderEpoch: request.committedLeaderEpoch,
      metadata: request.committedMetadata ?? '',
      ...timestamps,
    },
  }
}
