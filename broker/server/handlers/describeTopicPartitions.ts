// Describes partitions a page at a time, by topic name: a client goes on from the cursor that it got
// with the page before, so that an answer stays small however many partitions there are (KIP-966).

import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../protocol/kafka/fields.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { Topic } from '../../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { topicNameProblem } from '../../controller/topics/topicName.ts'
import { allOperations, noOperations } from '../authorizedOperations.ts'
import { handler } from '../handler.ts'
import { replicasOf } from '../partitionReplicas.ts'
import type { BrokerParts } from '../requestContext.ts'

type Cursor = NonNullable<RequestOf<typeof describeTopicPartitions>['cursor']>

/** Kafka's default of max.request.partition.size.limit. */
const maxPartitionsPerPage = 2000

export const describeTopicPartitionsHandler = handler(
  describeTopicPartitions,
  ({ topics, cursor, responsePartitionLimit }, { broker }) => {
    const asked = topics.map(({ name }) => name)
    if (cursor && !isUsable(cursor, asked)) {
      return { topics: asked.map((name) => missing(name, ErrorCode.invalidRequest, noOperations)) }
    }
    const all = asked.length > 0 ? asked : [...broker.controller.state.topics()].map(nameOf)
    const names = [...new Set(all)].filter((name) => !cursor || name >= cursor.topicName).sort()
    const limit = Math.min(Math.max(1, responsePartitionLimit), maxPartitionsPerPage)
    return describePage(names, cursor, limit, broker)
  },
)

function nameOf({ name }: Topic): string {
  return name
}

function isUsable({ topicName, partitionIndex }: Cursor, asked: readonly string[]): boolean {
  return partitionIndex >= 0 && (asked.length === 0 || asked.includes(topicName))
}

function describePage(
  names: readonly string[],
  cursor: Cursor | null,
  limit: number,
  broker: BrokerParts,
) {
  const topics = []
  let left = limit
  for (const name of names) {
    const topic = broker.controller.state.topic(name)
    if (!topic) {
      const isName = topicNameProblem(name) === undefined
      const errorCode = isName ? ErrorCode.unknownTopicOrPartition : ErrorCode.invalidTopicException
      topics.push(missing(name, errorCode, allOperations.topic))
      continue
    }
    const from = cursor?.topicName === name ? cursor.partitionIndex : 0
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: from } }
    const until = Math.min(topic.partitions.length, from + left)
    topics.push(describe(topic, from, until, broker))
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
    topicAuthorizedOperations: allOperations.topic,
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
