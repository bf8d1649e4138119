// The assignor `uniform`: members end up with as nearly the same number of partitions as their
// subscriptions allow, and keep what they have as far as that goes.
//
//   1. Everyone keeps what it had, if it is still subscribed to it.
//   2. What nobody has goes to the subscriber with the least, topics with few subscribers first.
//   3. While some subscriber of a topic has two more than another, it gives it one of that topic. As
//      long as it can, it is the one that has most of all subscribers that gives: one that gives too
//      early gets some back later.
//
// Each move of the third step makes the sum of the squares smaller, so that it ends. Where all
// members subscribe to the same, only what is beyond a member's fair share moves: no assignment that
// is as balanced moves less.

import type { AssignorMember } from './assignorMember.ts'
import { addPartition, hasPartition, type TopicPartitions } from './topicPartitions.ts'

/** What one member has so far. */
interface Share {
  readonly memberId: string
  readonly partitions: Map<string, Set<number>>
  count: number
}

export function uniformAssignor(
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
): ReadonlyMap<string, TopicPartitions> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const shares = new Map(sorted.map((member) => [member.memberId, newShare(member.memberId)]))
  const topics = subscribersByTopic(sorted, shares)
  const owned = keepTargets(sorted, shares, partitionsOf)
  for (const [topicId, subscribers] of topics) {
    for (let partition = 0; partition < partitionsOf(topicId); partition++) {
      if (!hasPartition(owned, topicId, partition)) {
        give(leastOf(subscribers), topicId, partition)
      }
    }
  }
  while (balanceTopics(topics, mostOf) || balanceTopics(topics, mostWith)) {
    // Each round may make room for the next: a move in one topic changes the counts in all others.
  }
  return new Map([...shares].map(([memberId, { partitions }]) => [memberId, partitions]))
}

function newShare(memberId: string): Share {
  return { memberId, partitions: new Map(), count: 0 }
}

/** Topics with few subscribers come first: the others have more choice left afterwards. */
function subscribersByTopic(
  members: readonly AssignorMember[],
  shares: ReadonlyMap<string, Share>,
): ReadonlyMap<string, Share[]> {
  const byTopic = new Map<string, Share[]>()
  for (const { memberId, topicIds } of members) {
    for (const topicId of topicIds) {
      const subscribers = byTopic.get(topicId) ?? []
      subscribers.push(shares.get(memberId)!)
      byTopic.set(topicId, subscribers)
    }
  }
  return new Map(
    [...byTopic].sort(([a, ofA], [b, ofB]) => ofA.length - ofB.length || (a < b ? -1 : 1)),
  )
}

/** What everybody keeps; all of it together. */
function keepTargets(
  members: readonly AssignorMember[],
  shares: ReadonlyMap<string, Share>,
  partitionsOf: (topicId: string) => number,
): TopicPartitions {
  const owned = new Map<string, Set<number>>()
  for (const { memberId, topicIds, target } of members) {
    const share = shares.get(memberId)!
    for (const [topicId, partitions] of target) {
      if (!topicIds.has(topicId)) continue
      for (const partition of partitions) {
        if (partition >= partitionsOf(topicId) || hasPartition(owned, topicId, partition)) continue
        give(share, topicId, partition)
        addPartition(owned, topicId, partition)
      }
    }
  }
  return owned
}

/** Who is to give away one of the topic; undefined when nobody is. */
type Giver = (subscribers: readonly Share[], topicId: string) => Share | undefined

/** Whether anything was moved. */
function balanceTopics(topics: ReadonlyMap<string, Share[]>, giver: Giver): boolean {
  let hasMoved = false
  for (const [topicId, subscribers] of topics) {
    for (;;) {
      const from = giver(subscribers, topicId)
      const to = leastOf(subscribers)
      if (!from || from.count - to.count < 2) break
      const partition = largestOf(from.partitions.get(topicId)!)
      take(from, topicId, partition)
      give(to, topicId, partition)
      hasMoved = true
    }
  }
  return hasMoved
}

function largestOf(partitions: Iterable<number>): number {
  let largest = -1
  for (const partition of partitions) largest = Math.max(largest, partition)
  return largest
}

/** One of those who have most of all; undefined when none of them has any of the topic. */
function mostOf(subscribers: readonly Share[], topicId: string): Share | undefined {
  const most = subscribers.reduce((largest, { count }) => Math.max(largest, count), 0)
  return subscribers.find(({ count, partitions }) => count === most && partitions.has(topicId))
}

/** Who has most of those who have some of the topic. */
function mostWith(subscribers: readonly Share[], topicId: string): Share | undefined {
  let most: Share | undefined
  for (const share of subscribers) {
    if (share.partitions.has(topicId) && (!most || share.count > most.count)) most = share
  }
  return most
}

function leastOf(subscribers: readonly Share[]): Share {
  return subscribers.reduce((least, share) => (share.count < least.count ? share : least))
}

function give(share: Share, topicId: string, partition: number): void {
  addPartition(share.partitions, topicId, partition)
  share.count++
}

function take(share: Share, topicId: string, partition: number): void {
  const partitions = share.partitions.get(topicId)!
  partitions.delete(partition)
  if (partitions.size === 0) share.partitions.delete(topicId)
  share.count--
}
