// Says how far groups have got; several groups at once from version 8.

import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/fields.ts'
import type { CommittedOffset } from '../../groups/groupRecords.ts'
import type { GroupService } from '../../groups/groupService.ts'
import { handler } from '../handler.ts'

interface WantedTopic {
  readonly name: string
  readonly partitionIndexes: readonly number[]
}

const batchedVersion = 8

export const offsetFetchHandler = handler(offsetFetch, (request, { broker, apiVersion }) => {
  if (apiVersion < batchedVersion) {
    const topics = topicsOf(broker.groups, request.groupId, request.topics)
    return { throttleTimeMs: 0, errorCode: ErrorCode.none, topics }
  }
  const groups = request.groups.map(({ groupId, topics }) => ({
    groupId,
    topics: topicsOf(broker.groups, groupId, topics),
    errorCode: ErrorCode.none,
  }))
  return { throttleTimeMs: 0, groups }
})

/** `wanted` null: every partition that the group has committed. */
function topicsOf(groups: GroupService, groupId: string, wanted: readonly WantedTopic[] | null) {
  const committed = groups.committed(groupId)
  if (wanted === null) return committed ? allTopics(committed.entries()) : []
  return wanted.map(({ name, partitionIndexes }) => ({
    name,
    topicId: zeroUuid,
    partitions: partitionIndexes.map((partition) =>
      answer(partition, committed?.get(name, partition)),
    ),
  }))
}

function allTopics(
  entries: Iterable<{ topic: string; partition: number; value: CommittedOffset }>,
) {
  const byTopic = new Map<string, ReturnType<typeof answer>[]>()
  for (const { topic, partition, value } of entries) {
    const partitions = byTopic.get(topic) ?? []
    partitions.push(answer(partition, value))
    byTopic.set(topic, partitions)
  }
  return [...byTopic].map(([name, partitions]) => ({ name, topicId: zeroUuid, partitions }))
}

/** Nothing committed is no error: the offset is -1. */
function answer(partitionIndex: number, value: CommittedOffset | undefined) {
  return {
    partitionIndex,
    committedOffset: value?.offset ?? -1,
    committedLeaderEpoch: value?.leaderEpoch ?? -1,
    metadata: value?.metadata ?? '',
    errorCode: ErrorCode.none,
  }
}
