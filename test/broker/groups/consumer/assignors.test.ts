// The server-side assignors. Both: every partition of a subscribed topic has exactly one owner,
// which is subscribed to it. `uniform` is balanced and moves no more partitions than necessary, and
// `range` is co-partitioned.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignors } from '../../../../broker/groups/consumer/assignor.ts'
import type { AssignorMember } from '../../../../broker/groups/consumer/assignorMember.ts'
import {
  hasPartition,
  partitionCount,
  type TopicPartitions,
  toList,
} from '../../../../broker/groups/consumer/topicPartitions.ts'

type Partitions = Readonly<Record<string, number>>
type Assignment = ReadonlyMap<string, TopicPartitions>

const topicIds = ['a', 'b', 'c', 'd']
const nothing: TopicPartitions = new Map()
const topics: ReadonlySet<string> = new Set(topicIds)

function member(memberId: string, topics: readonly string[], target = nothing): AssignorMember {
  return { memberId, instanceId: null, topicIds: new Set(topics), target }
}

const partitions = fc.record(
  Object.fromEntries(topicIds.map((topicId) => [topicId, fc.integer({ min: 1, max: 12 })])),
)
const memberId = fc.integer({ min: 0, max: 30 }).map((number) => `m${number}`)

/** Subscriptions, in a series of situations of one group. */
const heterogeneous = fc.array(
  fc.dictionary(memberId, fc.subarray(topicIds, { minLength: 1 }), { minKeys: 1, maxKeys: 8 }),
  { minLength: 1, maxLength: 4 },
)
const homogeneous = fc.array(
  fc
    .tuple(
      fc.uniqueArray(memberId, { minLength: 1, maxLength: 8 }),
      fc.subarray(topicIds, { minLength: 1 }),
    )
    .map(([memberIds, topics]) => Object.fromEntries(memberIds.map((id) => [id, topics]))),
  { minLength: 1, maxLength: 4 },
)

/** The members in a situation, with their targets from the situation before. */
function withTargets(
  subscriptions: Readonly<Record<string, readonly string[]>>,
  before: Assignment,
): AssignorMember[] {
  return Object.entries(subscriptions).map(([memberId, topics]) =>
    member(memberId, topics, before.get(memberId)),
  )
}

function expectComplete(members: readonly AssignorMember[], of: Partitions, to: Assignment): void {
  const owners = new Map<string, string>()
  for (const { memberId, topicIds } of members) {
    for (const [topicId, partitions] of to.get(memberId)!) {
      expect(topicIds.has(topicId), `${memberId} wants ${topicId}`).toBe(true)
      for (const partition of partitions) {
        const at = `${topicId}-${partition}`
        expect(owners.get(at), `${at} has one owner`).toBeUndefined()
        owners.set(at, memberId)
      }
    }
  }
  const wanted = new Set(members.flatMap(({ topicIds }) => [...topicIds]))
  const total = [...wanted].reduce((sum, topicId) => sum + of[topicId]!, 0)
  expect(owners.size).toBe(total)
}

describe.each(Object.entries(assignors))('the assignor %s', (_, assign) => {
  it('assigns every partition to one subscriber', () => {
    fc.assert(
      fc.property(heterogeneous, partitions, (situations, of) => {
        let before: Assignment = new Map()
        for (const subscriptions of situations) {
          const members = withTargets(subscriptions, before)
          before = assign(members, (topicId) => of[topicId]!)
          expectComplete(members, of, before)
        }
      }),
    )
  })

  it('moves no partition when nothing has changed', () => {
    fc.assert(
      fc.property(heterogeneous, partitions, ([subscriptions], of) => {
        const first = assign(withTargets(subscriptions!, new Map()), (topicId) => of[topicId]!)
        const second = assign(withTargets(subscriptions!, first), (topicId) => of[topicId]!)
        expect([...second].map(([id, all]) => [id, toList(all)])).toEqual(
          [...first].map(([id, all]) => [id, toList(all)]),
        )
      }),
    )
  })
})

describe('uniform', () => {
  const assign = assignors.uniform

  it('leaves no member two partitions ahead of another one that could have one of them', () => {
    fc.assert(
      fc.property(heterogeneous, partitions, (situations, of) => {
        let before: Assignment = new Map()
        for (const subscriptions of situations) {
          const members = withTargets(subscriptions, before)
          before = assign(members, (topicId) => of[topicId]!)
          for (const [from, owned] of before) {
            for (const to of members) {
              if (partitionCount(owned) - partitionCount(before.get(to.memberId)!) < 2) continue
              const couldTake = [...owned.keys()].filter((topicId) => to.topicIds.has(topicId))
              expect(couldTake, `${to.memberId} of ${from}`).toEqual([])
            }
          }
        }
      }),
    )
  })

  it('moves only partitions beyond a fair share', () => {
    fc.assert(
      fc.property(homogeneous, partitions, (situations, of) => {
        let before: Assignment = new Map()
        for (const subscriptions of situations) {
          const members = withTargets(subscriptions, before)
          const kept = members.map(({ target, topicIds }) =>
            [...target].reduce((sum, [id, all]) => sum + (topicIds.has(id) ? all.size : 0), 0),
          )
          const after = assign(members, (topicId) => of[topicId]!)
          const moved = members.reduce(
            (sum, { memberId, target, topicIds }) =>
              sum + lost(target, after.get(memberId)!, topicIds),
            0,
          )
          expect(moved).toBe(leastMoves(kept, after))
          before = after
        }
      }),
    )
  })

  it('takes partitions from the member with the most, even if a topic of a smaller one comes first', () => {
    const to = (all: Readonly<Record<string, readonly number[]>>): TopicPartitions =>
      new Map(Object.entries(all).map(([topicId, partitions]) => [topicId, new Set(partitions)]))
    const before = {
      m0: to({ a: [0, 1], c: [0, 1] }),
      m1: to({ c: [2, 3, 4, 5] }),
    }
    const members = [
      ...Object.entries(before).map(([memberId, target]) => member(memberId, ['a', 'c'], target)),
      member('m2', ['a', 'c']),
    ]
    const after = assign(members, (topicId) => (topicId === 'a' ? 2 : 6))
    const kept = Object.entries(before).map(
      ([memberId, target]) => partitionCount(target) - lost(target, after.get(memberId)!, topics),
    )
    expect(kept).toEqual([3, 3])
  })

  function lost(target: TopicPartitions, after: TopicPartitions, topicIds: ReadonlySet<string>) {
    let count = 0
    for (const [topicId, partitions] of target) {
      if (!topicIds.has(topicId)) continue
      for (const partition of partitions) if (!hasPartition(after, topicId, partition)) count++
    }
    return count
  }

  /** The largest fair shares belong to the members with the most partitions. */
  function leastMoves(kept: readonly number[], after: Assignment): number {
    const total = [...after.values()].reduce((sum, all) => sum + partitionCount(all), 0)
    const share = Math.floor(total / kept.length)
    const larger = total % kept.length
    return [...kept]
      .sort((a, b) => b - a)
      .reduce((sum, count, index) => sum + Math.max(0, count - share - (index < larger ? 1 : 0)), 0)
  }
})

describe('range', () => {
  function assign(members: readonly AssignorMember[], of: Partitions) {
    const assignment = assignors.range(members, (topicId) => of[topicId]!)
    return Object.fromEntries(
      [...assignment].map(([id, all]) => [
        id,
        toList(all).map(({ topicId, partitions }) => `${topicId}:${partitions.join(',')}`),
      ]),
    )
  }

  it('assigns the same partition numbers of topics with equal subscribers and partition counts', () => {
    const members = [member('m1', ['a', 'b']), member('m0', ['a', 'b'])]
    expect(assign(members, { a: 3, b: 3 })).toEqual({
      m0: ['a:0,1', 'b:0,1'],
      m1: ['a:2', 'b:2'],
    })
  })

  it('sorts static members first, by instance id, so that a restart changes nothing', () => {
    const at = (memberId: string, instanceId: string) => ({
      ...member(memberId, ['a']),
      instanceId,
    })
    const dynamic = member('a0', ['a'])
    expect(assign([dynamic, at('z', 'i0'), at('y', 'i1')], { a: 3 })).toEqual({
      z: ['a:0'],
      y: ['a:1'],
      a0: ['a:2'],
    })
    expect(assign([dynamic, at('x', 'i0'), at('zz', 'i1')], { a: 3 })).toEqual({
      x: ['a:0'],
      zz: ['a:1'],
      a0: ['a:2'],
    })
  })

  it('assigns nothing to members beyond the number of partitions', () => {
    const members = ['m0', 'm1', 'm2'].map((id) => member(id, ['a']))
    expect(assign(members, { a: 2 })).toEqual({ m0: ['a:0'], m1: ['a:1'], m2: [] })
  })
})
