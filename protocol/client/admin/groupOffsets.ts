// Reads, sets and deletes the committed offsets of a group.

import { offsetCommit } from '../../kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../kafka/apis/offsetDelete.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { PartitionMap } from '../../kafka/partitionMap.ts'
import type { TopicPartition } from '../../kafka/topicPartition.ts'
import type { CommittedOffset, Outcome, PartitionOutcome } from '../adminApi.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import { fetchOffsets } from '../consumer/committedOffsets.ts'
import type { AdminRequests } from './adminRequests.ts'
import { mayPassAtCoordinator } from './groupRouting.ts'
import { byTopic } from './partitionRouting.ts'

/** The offset from which a group is to continue in a partition. */
export interface NewOffset extends TopicPartition {
  readonly offset: number
}

/** Returns offsets by topic and partition; empty for a group that does not exist. */
export async function groupOffsets(
  requests: AdminRequests,
  groupId: string,
): Promise<CommittedOffset[]> {
  const offsets = await requests.retrying(() => fetchOffsets(requests.cluster, groupId, null))
  return offsets.sort(byPlace)
}

/** Refused for a group with members, for example with UNKNOWN_MEMBER_ID. */
export async function alterGroupOffsets(
  requests: AdminRequests,
  groupId: string,
  offsets: readonly NewOffset[],
): Promise<PartitionOutcome[]> {
  return await ofCoordinator(requests, groupId, offsets, async (connection) => {
    const { topics } = await connection.send(offsetCommit, {
      groupId,
      topics: [...byTopic(offsets)].map(([name, its]) => ({
        name,
        partitions: its.map(({ partition, offset }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedMetadata: '',
        })),
      })),
    })
    return { errorCode: ErrorCode.none, topics }
  })
}

/** Offsets of topics that members subscribe to are refused with GROUP_SUBSCRIBED_TO_TOPIC. */
export async function deleteGroupOffsets(
  requests: AdminRequests,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<PartitionOutcome[]> {
  return await ofCoordinator(requests, groupId, partitions, (connection) =>
    connection.send(offsetDelete, {
      groupId,
      topics: [...byTopic(partitions)].map(([name, its]) => ({
        name,
        partitions: its.map(({ partition }) => ({ partitionIndex: partition })),
      })),
    }),
  )
}

interface CoordinatorAnswer {
  /** Error of the whole request. */
  readonly errorCode: number
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[]
}

/** Sends one request for all partitions; retried as a whole if the coordinator has moved. */
async function ofCoordinator(
  requests: AdminRequests,
  groupId: string,
  items: readonly TopicPartition[],
  ask: (connection: KafkaConnection) => Promise<CoordinatorAnswer>,
): Promise<PartitionOutcome[]> {
  const { cluster } = requests
  const answer = await requests.retrying(async () => {
    const connection = await cluster.coordinator(groupId)
    try {
      return throwIfMoved(await ask(connection), groupId)
    } catch (error) {
      cluster.forgetCoordinator(groupId)
      throw error
    }
  })
  const codes = new PartitionMap<number>()
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      codes.set(name, partitionIndex, errorCode)
    }
  }
  return items.map(({ topic, partition }) => {
    const ownCode = codes.get(topic, partition) ?? ErrorCode.unknownServerError
    const outcome: Outcome = {
      errorCode: answer.errorCode === ErrorCode.none ? ownCode : answer.errorCode,
      errorMessage: null,
    }
    return { topic, partition, ...outcome }
  })
}

function throwIfMoved(answer: CoordinatorAnswer, groupId: string): CoordinatorAnswer {
  const codes = answer.topics.flatMap(({ partitions }) => partitions.map((one) => one.errorCode))
  for (const errorCode of [answer.errorCode, ...codes]) {
    if (mayPassAtCoordinator(errorCode)) throw new KafkaError(errorCode, groupId)
  }
  return answer
}

function byPlace(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition
}
