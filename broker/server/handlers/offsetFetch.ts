// OffsetFetch: returns committed offsets; of several groups at once from version 8 on. A stable
// fetch does not return offsets that an open transaction may change (KIP-447).

import type { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { GroupService } from '../../groups/groupService.ts'
import type { GroupOffsets } from '../../groups/offsets/groupOffsets.ts'
import { handler } from '../request/handler.ts'

interface WantedTopic {
  readonly name: string
  readonly partitionIndexes: readonly number[]
}

interface WantedGroup {
  readonly groupId: string
  readonly memberId: string | null
  readonly memberEpoch: number
  /** The requested topics; null requests every partition that has a committed offset. */
  readonly topics: readonly WantedTopic[] | null
}

const batchedVersion = 8
/** First version with an error code for the whole group. */
const groupErrorVersion = 2

/** Approximate memory of one offset, as an object and in the answer, in bytes. */
const offsetBytes = 120

export const offsetFetchHandler = handler(offsetFetch, async (request, context) => {
  const { broker, apiVersion } = context
  const { requireStable } = request
  const allowance = context.answerMemory.allowance()
  if (apiVersion < batchedVersion) {
    const { groupId, topics } = request
    const wanted = { groupId, topics, memberId: null, memberEpoch: -1 }
    const group = await fetchGroup(broker.groups, wanted, requireStable, allowance)
    const { errorCode } = group
    const isRefused = errorCode !== ErrorCode.none && apiVersion < groupErrorVersion
    const response = isRefused ? refusedTopics(topics, errorCode) : group.topics
    return { errorCode, topics: response }
  }
  const groups = request.groups.map((wanted) =>
    fetchGroup(broker.groups, wanted, requireStable, allowance),
  )
  return { groups: await Promise.all(groups) }
})

async function fetchGroup(
  groups: GroupService,
  wanted: WantedGroup,
  requireStable: boolean,
  allowance: MemoryAllowance,
) {
  const { groupId, memberId, memberEpoch, topics } = wanted
  const errorCode = groups.admitOffsetFetch(groupId, memberId, memberEpoch)
  if (errorCode !== ErrorCode.none) return { groupId, topics: [], errorCode }
  const offsets = requireStable ? await groups.settledOffsets(groupId) : groups.offsets(groupId)
  // The coordinator may have moved meanwhile: an offset that is missing here may be committed
  // there.
  const coordinatorError = groups.coordinatorError(groupId)
  if (coordinatorError !== ErrorCode.none)
    return { groupId, topics: [], errorCode: coordinatorError }
  const answers = topicsOf(topics ?? allTopics(offsets), offsets, requireStable, allowance)
  return { groupId, topics: answers, errorCode }
}

function topicsOf(
  wanted: readonly WantedTopic[],
  offsets: GroupOffsets | undefined,
  requireStable: boolean,
  allowance: MemoryAllowance,
) {
  return wanted.map(({ name, partitionIndexes }) => ({
    name,
    topicId: zeroUuid,
    partitions: partitionIndexes.map((partition) => {
      const response = answer(name, partition, offsets, requireStable)
      allowance.take(offsetBytes + response.metadata.length, 'the response to OffsetFetch')
      return response
    }),
  }))
}

function refusedTopics(topics: readonly WantedTopic[] | null, errorCode: number) {
  return (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    topicId: zeroUuid,
    partitions: partitionIndexes.map((partition) => ({
      ...answer(name, partition, undefined, false),
      errorCode,
    })),
  }))
}

function allTopics(offsets: GroupOffsets | undefined): WantedTopic[] {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of offsets?.committed() ?? []) {
    const partitions = byTopic.get(topic)
    if (partitions) partitions.push(partition)
    else byTopic.set(topic, [partition])
  }
  return [...byTopic].map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
}

/** Returns the answer for one partition. A missing offset is not an error: it is -1. */
function answer(
  topic: string,
  partitionIndex: number,
  offsets: GroupOffsets | undefined,
  requireStable: boolean,
) {
  const isUnstable = requireStable && offsets?.isUnstable(topic, partitionIndex) === true
  const value = isUnstable ? undefined : offsets?.get(topic, partitionIndex)
  return {
    partitionIndex,
    committedOffset: value?.offset ?? -1,
    committedLeaderEpoch: value?.leaderEpoch ?? -1,
    metadata: value?.metadata ?? '',
    errorCode: isUnstable ? ErrorCode.unstableOffsetCommit : ErrorCode.none,
  }
}
