// OffsetCommit: commits offsets of a group. Answered when they are durable.

import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { type CommitTimestamps, offsetToCommit } from '../offsetToCommit.ts'
import { codesByPartition } from '../partitions/codesByPartition.ts'
import { handler } from '../request/handler.ts'

type Request = RequestOf<typeof offsetCommit>

export const offsetCommitHandler = handler(offsetCommit, async (request, context) => {
  const { broker, apiVersion } = context
  const timestamps = timestampsOf(request, broker.clock.nowMs())
  const committer = {
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    generationId: request.generationIdOrMemberEpoch,
    apiVersion,
  }
  const topics = await codesByPartition(
    broker.controller.state,
    request.topics,
    (topic, partition) => offsetToCommit(topic, partition, timestamps),
    (offsets) => broker.groups.commit(request.groupId, committer, offsets),
  )
  return { topics }
})

/** Returns the timestamps of a commit. Up to version 4, a client may set a retention time. */
function timestampsOf({ retentionTimeMs }: Request, nowMs: number): CommitTimestamps {
  // The value must be one that can be decoded when the log is loaded.
  const expireTimestampMs =
    retentionTimeMs < 0 ? -1 : Math.min(nowMs + retentionTimeMs, Number.MAX_SAFE_INTEGER)
  return { commitTimestampMs: nowMs, expireTimestampMs }
}
