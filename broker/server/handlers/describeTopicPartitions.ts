// DescribeTopicPartitions: describes partitions in pages, ordered by topic name. Each page has a
// cursor with which the client requests the next page, so that responses stay small (KIP-966).

import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import { type ConnectionAccess, operationsNotRequested } from '../gate/connectionAccess.ts'
import { replicasOf } from '../partitions/partitionReplicas.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

type Cursor = NonNullable<RequestOf<typeof describeTopicPartitions>['cursor']>

/** Kafka's default of max.request.partition.size.limit. */
const maxPartitionsPerPage = 2000

export const describeTopicPartitionsHandler = handler(
  describeTopicPartitions,
  ({ topics, cursor, responsePartitionLimit }, { broker, access }) => {
    const requested = topics.map(({ name }) => name)
    if (cursor && !isUsable(cursor, requested)) {
      return {
        topics: requested.map((name) =>
          missing(name, ErrorCode.invalidRequest, operationsNotRequested),
        ),
      }
    }
    const all = requested.length > 0 ? requested : visibleTopics(broker, access)
    const names = [...new Set(all)].filter((name) => !cursor || name >= cursor.topicName).sort()
    const limit = Math.min(Math.max(1, responsePartitionLimit), maxPartitionsPerPage)
    return describePage(names, cursor, limit, broker, access)
  },
)

function visibleTopics({ controller }: BrokerParts, access: ConnectionAccess): string[] {
  return Array.from(controller.state.topics(), ({ name }) => name).filter((name) =>
    access.allows('describe', 'topic', name),
  )
}

function isUsable({ topicName, partitionIndex }: Cursor, requested: readonly string[]): boolean {
  return partitionIndex >= 0 && (requested.length === 0 || requested.includes(topicName))
}

function describePage(
  names: readonly string[],
  cursor: Cursor | null,
  limit: number,
  broker: BrokerParts,
  access: ConnectionAccess,
) {
  const topics = []
  let left = limit
  for (const name of names) {
    const topic = broker.controller.state.topic(name)
    if (!topic) {
      const isName = topicNameProblem(name) === undefined
      const errorCode = isName ? ErrorCode.unknownTopicOrPartition : ErrorCode.invalidTopicException
      topics.push(missing(name, errorCode, access.authorizedOperations('topic', name)))
      continue
    }
    const from = cursor?.topicName === name ? cursor.partitionIndex : 0
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: from } }
    const until = Math.min(topic.partitions.length, from + left)
    const operations = access.authorizedOperations('topic', name)
    topics.push({ ...describe(topic, from, until, broker), topicAuthorizedOperations: operations })
    left -= Math.max(0, until - from)
    if (until < topic.partitions.length) {
      return { topics, nextCursor: { topicName: name, partitionIndex: until } }
    }
  }
  return { topics, nextCursor: null }
}

function describe(topic: Topic, from: number, until: number, broker: BrokerParts) {
  return {
    errorCode: ErrorCode.none,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from({ length: Math.max(0, until - from) }, (_, index) => ({
      errorCode: ErrorCode.none,
      partitionIndex: from + index,
      ...replicasOf(topic, from + index, broker),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
  }
}

function missing(name: string, errorCode: number, topicAuthorizedOperations: number) {
  return {
    errorCode,
    name,
    topicId: zeroUuid,
    partitions: [],
    topicAuthorizedOperations,
  }
}
