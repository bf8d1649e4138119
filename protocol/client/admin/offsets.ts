// Finds offsets of partitions: the first, the last, or the first at a time.

import { listOffsets as listOffsetsApi } from '../../kafka/apis/listOffsets.ts'
import { ErrorCode } from '../../kafka/errors.ts'
import { PartitionMap } from '../../kafka/partitionMap.ts'
import type { FoundOffset, OffsetQuestion, Outcome } from '../adminApi.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import type { Isolation } from '../consumer/isolation.ts'
import { isolationLevels } from '../consumer/partitionReader.ts'
import { type AdminRequests, throwUnlessNone } from './adminRequests.ts'
import { byTopic, toLeaders } from './partitionRouting.ts'

/** Kafka's special timestamps: the first offset, and the offset after the last record. */
export const OffsetSpec = { earliest: -2, latest: -1 } as const

export async function findOffsets(
  requests: AdminRequests,
  questions: readonly OffsetQuestion[],
  isolation: Isolation = 'uncommitted',
): Promise<FoundOffset[]> {
  await learnTopics(requests, questions)
  const ask = async (connection: KafkaConnection, asked: readonly OffsetQuestion[]) => {
    const found = await Promise.all(
      withoutRepeats(asked).map((questions) => askOnce(connection, questions, isolation)),
    )
    const answers = new Map(found.flat())
    return asked.map((question) => answers.get(question)!)
  }
  return await requests.ofEach(questions, toLeaders(requests.cluster, ask, notFound))
}

/** Returns offsets by partition; fails if one of them is not found. */
export async function listOffsets(
  requests: AdminRequests,
  topic: string,
  at: number,
  isolation?: Isolation,
): Promise<Map<number, number>> {
  const count = await requests.retrying(() => requests.cluster.partitionCount(topic))
  const questions = Array.from({ length: count }, (_, partition) => ({ topic, partition, at }))
  const offsets = new Map<number, number>()
  for (const found of await findOffsets(requests, questions, isolation)) {
    throwUnlessNone(found.errorCode, found.errorMessage ?? `${topic}-${found.partition}`)
    offsets.set(found.partition, found.offset)
  }
  return offsets
}

/** Fetches the metadata of all unknown topics with one request instead of one each. */
export async function learnTopics(
  requests: AdminRequests,
  items: readonly { readonly topic: string }[],
): Promise<void> {
  const names = items.map(({ topic }) => topic)
  await requests.retrying(() => requests.cluster.learnTopics(names))
}

async function askOnce(
  connection: KafkaConnection,
  questions: readonly OffsetQuestion[],
  isolation: Isolation,
): Promise<[OffsetQuestion, FoundOffset][]> {
  const answer = await connection.send(listOffsetsApi, {
    replicaId: -1,
    isolationLevel: isolationLevels[isolation],
    topics: [...byTopic(questions)].map(([name, its]) => ({
      name,
      partitions: its.map(({ partition, at }) => ({ partitionIndex: partition, timestamp: at })),
    })),
  })
  const found = new PartitionMap<FoundOffset>()
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, timestamp, offset } of partitions) {
      const place = { topic: name, partition: partitionIndex }
      const value = { ...place, offset, timestampMs: timestamp, errorCode, errorMessage: null }
      found.set(name, partitionIndex, value)
    }
  }
  return questions.map((question) => {
    const outcome = { errorCode: ErrorCode.unknownTopicOrPartition, errorMessage: null }
    return [question, found.get(question.topic, question.partition) ?? notFound(question, outcome)]
  })
}

/** Splits questions so that no request names a partition twice. */
function withoutRepeats(questions: readonly OffsetQuestion[]): OffsetQuestion[][] {
  const seen = new PartitionMap<number>()
  const requests: OffsetQuestion[][] = []
  for (const question of questions) {
    const repeat = seen.get(question.topic, question.partition) ?? 0
    seen.set(question.topic, question.partition, repeat + 1)
    const request = requests[repeat]
    if (request === undefined) requests.push([question])
    else request.push(question)
  }
  return requests
}

function notFound({ topic, partition }: OffsetQuestion, outcome: Outcome): FoundOffset {
  return { topic, partition, offset: -1, timestampMs: -1, ...outcome }
}
