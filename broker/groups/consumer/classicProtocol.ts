// Translates between ConsumerProtocol, which classic consumers exchange and which names topics, and
// the assignments of consumer groups, which use topic ids.

import { consumerProtocolAssignment } from '../../../protocol/kafka/coordinators/groups.ts'
import type { ClassicMemberMetadata } from './consumerGroupMember.ts'
import type { TopicCatalog } from './topicCatalog.ts'
import { addPartition, type TopicPartitions, toList } from './topicPartitions.ts'

interface PartitionsOfTopic {
  readonly topic: string
  readonly partitions: readonly number[]
}

/** Translates topic names to topic ids. Topics that do not exist are left out. */
export function fromTopics(
  list: readonly PartitionsOfTopic[],
  catalog: TopicCatalog,
): TopicPartitions {
  const all = new Map<string, Set<number>>()
  for (const { topic, partitions } of list) {
    const id = catalog.topic(topic)?.id
    if (id === undefined) continue
    for (const partition of partitions) addPartition(all, id, partition)
  }
  return all
}

/** Encodes an assignment in a version that the member can decode. */
export function encodeAssignment(
  assigned: TopicPartitions,
  version: number,
  catalog: TopicCatalog,
): Buffer {
  const assignedPartitions = toList(assigned).flatMap(({ topicId, partitions }) => {
    const topic = catalog.topicById(topicId)
    return topic ? [{ topic: topic.name, partitions }] : []
  })
  return consumerProtocolAssignment.encode({ assignedPartitions, userData: null }, version)
}

/**
 * Returns the version of ConsumerProtocol that a member supports: the version of its subscription.
 */
export function protocolVersion({ supportedProtocols }: ClassicMemberMetadata): number {
  const highest = consumerProtocolAssignment.message.versions.to
  return Math.min(supportedProtocols[0]!.metadata.readInt16BE(0), highest)
}
