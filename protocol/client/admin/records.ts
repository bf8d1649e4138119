// Deletes the oldest records of partitions.

import { deleteRecords as deleteRecordsApi } from '../../kafka/apis/deleteRecords.ts'
import { ErrorCode } from '../../kafka/errors.ts'
import { PartitionMap } from '../../kafka/partitionMap.ts'
import type { TopicPartition } from '../../kafka/topicPartition.ts'
import type { Outcome, PartitionOutcome } from '../adminApi.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import type { AdminRequests } from './adminRequests.ts'
import { learnTopics } from './offsets.ts'
import { byTopic, toLeaders } from './partitionRouting.ts'

/** The offset below which the records of a partition are deleted. */
export interface RecordsBefore extends TopicPartition {
  /** New log start offset; -1 for the high watermark. */
  readonly offset: number
}

/** The new log start of a partition. */
export interface DeletedRecords extends PartitionOutcome {
  /** First remaining offset; -1 after a failure. */
  readonly lowWatermark: number
}

export async function deleteRecords(
  requests: AdminRequests,
  before: readonly RecordsBefore[],
): Promise<DeletedRecords[]> {
  await learnTopics(requests, before)
  const timeoutMs = requests.requestTimeoutMs
  const ask = async (connection: KafkaConnection, asked: readonly RecordsBefore[]) => {
    const answer = await connection.send(deleteRecordsApi, {
      topics: [...byTopic(asked)].map(([name, its]) => ({
        name,
        partitions: its.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
      })),
      timeoutMs,
    })
    const found = new PartitionMap<DeletedRecords>()
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, lowWatermark, errorCode } of partitions) {
        const place = { topic: name, partition: partitionIndex }
        found.set(name, partitionIndex, { ...place, lowWatermark, errorCode, errorMessage: null })
      }
    }
    return asked.map((item) => found.get(item.topic, item.partition) ?? failed(item, unknown))
  }
  return await requests.ofEach(before, toLeaders(requests.cluster, ask, failed))
}

const unknown: Outcome = { errorCode: ErrorCode.unknownTopicOrPartition, errorMessage: null }

function failed({ topic, partition }: TopicPartition, outcome: Outcome): DeletedRecords {
  return { topic, partition, lowWatermark: -1, ...outcome }
}
