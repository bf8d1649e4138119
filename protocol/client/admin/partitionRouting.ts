// Routes requests about partitions to their leaders.

import { ErrorCode } from '../../kafka/errors.ts'
import type { TopicPartition } from '../../kafka/topicPartition.ts'
import type { Outcome } from '../adminApi.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { saysStale } from '../cluster/clusterView.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import type { Routing } from './adminRequests.ts'

/**
 * A topic or partition that is missing in fresh metadata is a final outcome. One that its leader
 * does not know may have been created or moved just now: metadata decides.
 */
export function toLeaders<Item extends TopicPartition, Answer extends Outcome>(
  cluster: Cluster,
  ask: (connection: KafkaConnection, items: readonly Item[]) => Promise<readonly Answer[]>,
  failed: (item: Item, outcome: Outcome) => Answer,
): Routing<Item, Answer> {
  return {
    route: ({ topic, partition }) => cluster.leader(topic, partition),
    ask,
    failed,
    mayPass: (errorCode) => saysStale(errorCode) || errorCode === ErrorCode.offsetNotAvailable,
    routeMayPass: (errorCode) =>
      errorCode !== ErrorCode.unknownTopicOrPartition && saysStale(errorCode),
    forget: ({ topic }) => cluster.invalidate(topic),
  }
}

/** Groups partitions by topic, as requests need them. */
export function byTopic<Item extends TopicPartition>(items: readonly Item[]): Map<string, Item[]> {
  const topics = new Map<string, Item[]>()
  for (const item of items) {
    const its = topics.get(item.topic)
    if (its === undefined) topics.set(item.topic, [item])
    else its.push(item)
  }
  return topics
}
