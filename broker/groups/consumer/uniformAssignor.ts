// The `uniform` assignor: gives members numbers of partitions as equal as their subscriptions
// allow, and moves as few partitions as possible.
//
//   1. Every member keeps the partitions of topics that it is still subscribed to.
//   2. A partition without an owner goes to the subscriber with the fewest partitions; topics with
//      few subscribers come first.
//   3. While a subscriber of a topic has two partitions more than another, one partition of that
//      topic moves. The subscriber with the most partitions gives first, as long as it can: a
//      subscriber that gives too early gets some back.
//
// Step 3 terminates, because each move reduces the sum of the squares of the counts. When all
// members have the same subscription, only partitions beyond a member's fair share move: no
// assignment that is as balanced moves fewer.

import type { AssignorMember } from './assignorMember.ts'
import { addPartition, hasPartition, type TopicPartitions } from './topicPartitions.ts'

/** The partitions of one member so far. */
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
    // Repeated, because a move in one topic changes the counts in all others.
  }
  return new Map([...shares].map(([memberId, { partitions }]) => [memberId, partitions]))
}

function newShare(memberId: string): Share {
  return { memberId, partitions: new Map(), count: 0 }
}

/**
 * Returns the subscribers of each topic. Topics with few subscribers come first, because the others
 * leave more choice.
 */
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

/** Lets members keep the partitions of their targets; returns all partitions that are kept. */
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

/**
 * Returns the subscriber that gives away a partition of the topic; undefined when the topic is
 * balanced.
 */
type Giver = (subscribers: readonly Share[], topicId: string) => Share | undefined

/**
 * Moves partitions of each topic as long as `giver` names a subscriber with two partitions more
 * than another. Returns whether any was moved.
 */
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

/**
 * Returns a subscriber that has the most partitions of all subscribers and one of this topic;
 * undefined when there is none.
 */
function mostOf(subscribers: readonly Share[], topicId: string): Share | undefined {
  const most = subscribers.reduce((largest, { count }) => Math.max(largest, count), 0)
  return subscribers.find(({ count, partitions }) => count === most && partitions.has(topicId))
}

/** Returns the subscriber with the most partitions, among those that have one of this topic. */
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
