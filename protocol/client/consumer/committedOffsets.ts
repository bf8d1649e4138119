// Fetches the committed offsets of a group from its coordinator. Handles both forms of OffsetFetch:
// one group in a request, and several from version 8 on.

import { offsetFetch } from '../../kafka/apis/offsetFetch.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { CommittedOffset } from '../adminApi.ts'
import { type Cluster, sharedLane } from '../cluster/cluster.ts'

/** The first version of OffsetFetch with several groups in one request. */
const severalGroupsVersion = 8

const coordinatorCodes: ReadonlySet<number> = new Set([
  ErrorCode.notCoordinator,
  ErrorCode.coordinatorNotAvailable,
])

/** Whether an error code says that the group has, or will have, another coordinator. */
export function saysCoordinatorMoved(errorCode: number): boolean {
  return coordinatorCodes.has(errorCode)
}

/**
 * Returns the committed offsets of the group, without partitions that have none. `topics` maps a
 * topic to its partitions; null selects all. Fails with a KafkaError, retriable while the
 * coordinator moves or loads.
 */
export async function fetchOffsets(
  cluster: Cluster,
  groupId: string,
  topics: ReadonlyMap<string, readonly number[]> | null,
  lane = sharedLane,
): Promise<CommittedOffset[]> {
  const connection = await cluster.coordinator(groupId, lane)
  const asked =
    topics && [...topics].map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
  const hasGroups = connection.versionOf(offsetFetch) >= severalGroupsVersion
  const request = hasGroups ? { groups: [{ groupId, topics: asked }] } : { groupId, topics: asked }
  const answer = await connection.send(offsetFetch, request)
  const found = answer.groups[0] ?? answer
  if (saysCoordinatorMoved(found.errorCode)) cluster.forgetCoordinator(groupId)
  if (found.errorCode !== ErrorCode.none) throw new KafkaError(found.errorCode, groupId)
  const offsets: CommittedOffset[] = []
  for (const { name: topic, partitions } of found.topics) {
    for (const { partitionIndex: partition, committedOffset, metadata, errorCode } of partitions) {
      const place = `${groupId}, ${topic}-${partition}`
      if (errorCode !== ErrorCode.none) throw new KafkaError(errorCode, place)
      if (committedOffset < 0) continue
      offsets.push({ topic, partition, offset: committedOffset, metadata: metadata ?? '' })
    }
  }
  return offsets
}

/** Like `fetchOffsets`, but returns only the next offsets to read, by topic and partition. */
export async function fetchCommittedOffsets(
  cluster: Cluster,
  groupId: string,
  topics: ReadonlyMap<string, readonly number[]> | null,
  lane = sharedLane,
): Promise<Map<string, Map<number, number>>> {
  const offsets = new Map<string, Map<number, number>>()
  for (const { topic, partition, offset } of await fetchOffsets(cluster, groupId, topics, lane)) {
    const ofTopic = offsets.get(topic) ?? new Map<number, number>()
    offsets.set(topic, ofTopic)
    ofTopic.set(partition, offset)
  }
  return offsets
}
