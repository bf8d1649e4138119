// The assignor of a simulated leader of the classic protocol: assigns every topic to its
// subscribers round robin, so that every change of members moves partitions. Partitions that a
// member still reports as owned are assigned to no other member.

import {
  addPartition,
  type TopicPartitions,
  toList,
} from '../../../../broker/groups/consumer/topicPartitions.ts'
import type { JoinOutcome } from '../../../../broker/groups/groupOutcome.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../../protocol/kafka/coordinators/groups.ts'
import type { MemoryCatalog } from '../memoryCatalog.ts'

type PartitionsOfTopics = readonly {
  readonly topic: string
  readonly partitions: readonly number[]
}[]

export function assignByLeader(members: JoinOutcome['members'], catalog: MemoryCatalog) {
  const all = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map(({ memberId, metadata }) => ({
      memberId,
      ...consumerProtocolSubscription.decode(metadata),
      assigned: new Map<string, Set<number>>(),
    }))
  for (const { name, id, partitions } of catalog.topics()) {
    const subscribers = all.filter(({ topics }) => topics.includes(name))
    for (let partition = 0; partition < partitions.length && subscribers.length > 0; partition++) {
      const member = subscribers[partition % subscribers.length]!
      const isHeld = all.some(
        (other) => other !== member && includes(other.ownedPartitions, name, partition),
      )
      if (!isHeld) addPartition(member.assigned, id, partition)
    }
  }
  return all.map(({ memberId, assigned }) => {
    const assignedPartitions = toTopics(assigned, catalog)
    return { memberId, assignment: consumerProtocolAssignment.encode({ assignedPartitions }) }
  })
}

function includes(list: PartitionsOfTopics, name: string, partition: number): boolean {
  return list.some(({ topic, partitions }) => topic === name && partitions.includes(partition))
}

/** Topics that were deleted are left out. */
export function toTopics(all: TopicPartitions, catalog: MemoryCatalog) {
  return toList(all).flatMap(({ topicId, partitions }) => {
    const topic = catalog.topicById(topicId)
    return topic ? [{ topic: topic.name, partitions }] : []
  })
}
