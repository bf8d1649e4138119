// The subtle rules of KIP-848 as short transcripts: the requests, and the answer of each.

import { beforeEach, describe, expect, it } from 'vitest'
import type { HeartbeatRequest } from '../../../../broker/groups/consumer/heartbeatRequest.ts'
import { ErrorCode, errorName } from '../../../../protocol/kafka/errors.ts'
import { ConsumerSimulation, groupId, places, SimulatedMember } from './consumerSimulation.ts'

let group: ConsumerSimulation

beforeEach(() => {
  group = new ConsumerSimulation({ t: 4, u: 2 })
})

function newMember(name: string, isStatic: 'static' | 'dynamic' = 'dynamic', topics = ['t']) {
  return new SimulatedMember(name, topics, null, isStatic === 'static')
}

function say(member: SimulatedMember, request: Partial<HeartbeatRequest>): string {
  group.send(member, { subscribedTopicNames: null, ...request })
  group.completeAll()
  return outcome()
}

/**
 * Shows the error, or the epoch and the assignment if there is one: `2-0` is partition 0 of topic
 * 2.
 */
function outcome(): string {
  const { errorCode, memberEpoch, assignment } = group.outcomes.at(-1)!
  if (errorCode !== ErrorCode.none) return errorName(errorCode)
  if (assignment === null) return `epoch ${memberEpoch}`
  const numbers = places(assignment).map((at) => at.slice(-3).replace(/^0*/, ''))
  return `epoch ${memberEpoch}: ${numbers.join(' ') || 'nothing'}`
}

function join(member: SimulatedMember, request: Partial<HeartbeatRequest> = {}): string {
  return say(member, {
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: member.topics,
    owned: new Map(),
    ...request,
  })
}

function has(topic: string, ...partitions: number[]) {
  return new Map([[group.catalog.topic(topic)!.id, new Set(partitions)]])
}

describe('a member', () => {
  it('gets all partitions when it is alone, and an unchanged assignment is not repeated', () => {
    const m1 = newMember('m1')
    expect(join(m1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1')
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 1, 2, 3) })).toBe('epoch 1')
    expect(group.group!.state).toBe('Stable')
  })

  it('gets a partition only after the former owner has revoked it', () => {
    const m1 = newMember('m1')
    const m2 = newMember('m2')
    join(m1)
    expect(join(m2)).toBe('epoch 2: nothing')
    expect(group.group!.state).toBe('Reconciling')
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1: 1-0 1-1')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2')
    // The heartbeat reports no partitions: the member may still own all of them.
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1')
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 1, 2) })).toBe('epoch 1')
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })).toBe('epoch 2')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2: 1-2 1-3')
    expect(group.group!.state).toBe('Stable')
  })

  it('may have lost the answer with its new epoch, if it owns only assigned partitions', () => {
    const m1 = newMember('m1')
    join(m1)
    expect(join(m1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    join(newMember('m2'))
    say(m1, { memberEpoch: 1 })
    say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })).toBe('epoch 2')
    expect(say(m1, { memberEpoch: 1 })).toBe('FENCED_MEMBER_EPOCH')
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 2) })).toBe('FENCED_MEMBER_EPOCH')
    expect(say(m1, { memberEpoch: 3 })).toBe('FENCED_MEMBER_EPOCH')
  })

  it('rejoins under its id when its leave request was lost', () => {
    const m1 = newMember('m1')
    join(m1)
    join(newMember('m2'))
    say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })
    say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })
    expect(join(m1)).toBe('epoch 2: 1-0 1-1')
    expect(say(m1, { memberEpoch: 2 })).toBe('epoch 2')
  })

  it('does not delay others when it rejoins with nothing to revoke', () => {
    const [m1, m2] = [newMember('m1', 'dynamic', ['u']), newMember('m2', 'dynamic', ['u'])]
    join(m1)
    join(m2)
    expect(join(m1)).toBe('epoch 2: 2-0')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2: 2-1')
  })

  it('is in a new epoch when a delayed join revokes its partitions', () => {
    const m1 = newMember('m1')
    const m2 = newMember('m2')
    join(m1)
    join(m2)
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1: 1-0 1-1')
    expect(join(m1)).toBe('epoch 2: 1-0 1-1')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2: 1-2 1-3')
    group.commit({ memberId: 'm1', epoch: 1, owned: has('t', 0, 1, 2, 3) })
    expect(group.commitCodes).toEqual([ErrorCode.staleMemberEpoch])
    expect(say(m1, { memberEpoch: 1 })).toBe('FENCED_MEMBER_EPOCH')
  })

  it('gets a full answer to a full heartbeat', () => {
    const m1 = newMember('m1')
    join(m1)
    const full = {
      memberEpoch: 1,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: ['t'],
      owned: has('t', 0, 1, 2, 3),
    }
    expect(say(m1, full)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
  })

  it('is unknown after it has left, or its session has expired', () => {
    const m1 = newMember('m1')
    join(m1)
    expect(say(m1, { memberEpoch: -1 })).toBe('epoch -1')
    expect(group.group!.state).toBe('Empty')
    expect(say(m1, { memberEpoch: 1 })).toBe('UNKNOWN_MEMBER_ID')
    expect(join(m1)).toBe('epoch 3: 1-0 1-1 1-2 1-3')
    group.advance(44_999)
    expect(say(m1, { memberEpoch: 3 })).toBe('epoch 3')
    group.advance(45_000)
    expect(say(m1, { memberEpoch: 3 })).toBe('UNKNOWN_MEMBER_ID')
  })

  it('is fenced when it does not revoke partitions within its rebalance timeout', () => {
    const m1 = newMember('m1')
    const m2 = newMember('m2')
    join(m1, { rebalanceTimeoutMs: 10_000 })
    join(m2)
    say(m1, { memberEpoch: 1 })
    group.advance(9_999)
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1')
    group.advance(1)
    group.completeAll()
    expect(say(m1, { memberEpoch: 1, owned: has('t', 0, 1) })).toBe('UNKNOWN_MEMBER_ID')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 3: 1-0 1-1 1-2 1-3')
  })

  it('is answered only when all state that the answer reports is durable', () => {
    const m1 = newMember('m1')
    group.send(m1, {
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['t'],
      owned: new Map(),
    })
    expect(group.outcomes).toEqual([])
    group.completeAppend(ErrorCode.notEnoughReplicas)
    expect(outcome()).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(join(m1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    group.restartBroker()
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1')
  })
})

describe('a request', () => {
  const m1 = newMember('m1')

  it.each<[string, Partial<HeartbeatRequest>]>([
    ['without a member id', { memberId: '' }],
    ['with an empty instance', { instanceId: '' }],
    ['with an empty rack', { rackId: '' }],
    ['with an epoch that is none', { memberEpoch: -3 }],
    ['for a static leave without instance', { memberEpoch: -2 }],
    ['to join without timeout', { rebalanceTimeoutMs: -1 }],
    ['to join with partitions', { owned: new Map([['x', new Set([1])]]) }],
    ['to join without saying what it has', { owned: null }],
    ['to join without subscription', { subscribedTopicNames: null }],
  ])('%s is invalid', (_, request) => {
    expect(join(m1, request)).toBe('INVALID_REQUEST')
    expect([...group.coordinator.groups()]).toEqual([])
  })

  it('of version 0 may leave the member id to the coordinator', () => {
    expect(join(m1, { memberId: '', requireMemberId: false })).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    expect(group.outcomes.at(-1)!.memberId).toBe('m1-1')
  })

  it('for an unknown assignor or an invalid regular expression is refused', () => {
    expect(join(m1, { serverAssignor: 'mine' })).toBe('UNSUPPORTED_ASSIGNOR')
    expect(join(m1, { subscribedTopicRegex: '(?!t)' })).toBe('INVALID_REGULAR_EXPRESSION')
  })

  it('to a group that does not exist is refused, unless it joins', () => {
    expect(say(m1, { memberEpoch: 1 })).toBe('GROUP_ID_NOT_FOUND')
    expect(say(m1, { memberEpoch: -1 })).toBe('GROUP_ID_NOT_FOUND')
  })

  it('to a full group is refused, except from its members', () => {
    group = new ConsumerSimulation({ t: 4 }, { maxSize: 1 })
    join(m1)
    expect(join(newMember('m2'))).toBe('GROUP_MAX_SIZE_REACHED')
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 1')
  })
})

describe('a static member', () => {
  it('keeps its place after a temporary leave, and returns to it under a new member id', () => {
    const s1 = newMember('s1', 'static')
    const m2 = newMember('m2')
    join(s1)
    join(m2)
    say(s1, { memberEpoch: 1, owned: has('t', 0, 1) })
    expect(say(s1, { memberEpoch: 1, owned: has('t', 0, 1) })).toBe('epoch 2')
    expect(say(s1, { memberEpoch: -2 })).toBe('epoch -2')
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2: 1-2 1-3')
    const { memberId } = s1
    s1.restart()
    expect(join(s1)).toBe('epoch 2: 1-0 1-1')
    expect(group.group!.groupEpoch).toBe(2)
    s1.memberId = memberId
    expect(say(s1, { memberEpoch: 2 })).toBe('FENCED_INSTANCE_ID')
  })

  it('rejoins under its member id when the answer to its join was lost', () => {
    const s1 = newMember('s1', 'static')
    expect(join(s1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    expect(join(s1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    expect(say(s1, { memberEpoch: 1 })).toBe('epoch 1')
    // Also after many epochs, when its leave request was lost.
    join(newMember('m2'))
    say(s1, { memberEpoch: 1, owned: has('t', 0, 1) })
    say(s1, { memberEpoch: 1, owned: has('t', 0, 1) })
    expect(join(s1)).toBe('epoch 2: 1-0 1-1')
    expect(group.group!.groupEpoch).toBe(2)
  })

  it('renews its session by rejoining', () => {
    const s1 = newMember('s1', 'static')
    join(s1)
    group.advance(30_000)
    join(s1)
    group.advance(30_000)
    expect(say(s1, { memberEpoch: 1 })).toBe('epoch 1')
  })

  it('cannot return while its former member has not left', () => {
    const s1 = newMember('s1', 'static')
    join(s1)
    s1.restart()
    expect(join(s1)).toBe('UNRELEASED_INSTANCE_ID')
    group.advance(45_000)
    group.completeAll()
    expect(join(s1)).toBe('epoch 3: 1-0 1-1 1-2 1-3')
  })

  it('is removed when it does not return within its session', () => {
    const s1 = newMember('s1', 'static')
    const m2 = newMember('m2')
    join(s1)
    say(s1, { memberEpoch: -2 })
    expect(join(m2)).toBe('epoch 2: nothing')
    group.advance(40_000)
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 2')
    group.advance(5_000)
    group.completeAll()
    expect(say(m2, { memberEpoch: 2 })).toBe('epoch 3: 1-0 1-1 1-2 1-3')
  })
})

describe('subscriptions', () => {
  it('follow topics that are created, grow and are deleted', () => {
    const m1 = newMember('m1', 'dynamic', ['t', 'v'])
    expect(join(m1)).toBe('epoch 1: 1-0 1-1 1-2 1-3')
    group.catalog.set('v', 1)
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 2: 1-0 1-1 1-2 1-3 3-0')
    group.catalog.set('v', 2)
    expect(say(m1, { memberEpoch: 2 })).toBe('epoch 3: 1-0 1-1 1-2 1-3 3-0 3-1')
    group.catalog.set('w', 2)
    expect(say(m1, { memberEpoch: 3 })).toBe('epoch 3')
    group.catalog.delete('t')
    expect(say(m1, { memberEpoch: 3 })).toBe('epoch 3: 3-0 3-1')
  })

  it('detect changes of topics that were made while the broker was down', () => {
    const m1 = newMember('m1')
    join(m1)
    group.catalog.set('t', 5)
    group.restartBroker()
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 2: 1-0 1-1 1-2 1-3 1-4')
  })

  it('by a regular expression match whole topic names, and add to those by name', () => {
    group.catalog.set('orders-eu', 1)
    group.catalog.set('old-orders-eu', 1)
    const m1 = newMember('m1', 'dynamic', ['u'])
    expect(join(m1, { subscribedTopicRegex: 'orders-.*' })).toBe('epoch 1: 2-0 2-1 3-0')
    group.catalog.set('orders-us', 1)
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 2: 2-0 2-1 3-0 5-0')
    group.restartBroker()
    expect(say(m1, { memberEpoch: 2 })).toBe('epoch 2')
    expect(say(m1, { memberEpoch: 2, subscribedTopicRegex: '' })).toBe('epoch 2: 2-0 2-1')
  })

  it('by a regular expression include a topic that was created just before another member left', () => {
    const m1 = newMember('m1', 'dynamic', [])
    const m2 = newMember('m2')
    join(m1, { subscribedTopicRegex: 'orders-.*' })
    join(m2)
    group.catalog.set('orders-eu', 1)
    say(m2, { memberEpoch: -1 })
    expect(say(m1, { memberEpoch: 1 })).toBe('epoch 3: 3-0')
  })

  it('are assigned by the assignor that most members request', () => {
    const m1 = newMember('m1')
    join(m1, { serverAssignor: 'range' })
    expect(group.group!.assignorName).toBe('range')
    join(newMember('m2'), { serverAssignor: 'uniform' })
    join(newMember('m3'), { serverAssignor: 'uniform' })
    expect(group.group!.assignorName).toBe('uniform')
  })
})

describe('offsets', () => {
  const admit = (memberId: string, generationId: number, apiVersion = 9) =>
    errorName(
      group.group!.admitCommit(0, { memberId, groupInstanceId: null, generationId, apiVersion }),
    )

  it('are committed by members in their epoch, or by tools while the group is empty', () => {
    const m1 = newMember('m1')
    join(m1)
    expect(admit('m1', 1)).toBe('NONE')
    expect(admit('m1', 0)).toBe('STALE_MEMBER_EPOCH')
    expect(admit('m1', 2)).toBe('STALE_MEMBER_EPOCH')
    expect(admit('m1', 1, 8)).toBe('UNSUPPORTED_VERSION')
    expect(admit('m2', 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(admit('', -1)).toBe('UNKNOWN_MEMBER_ID')
    say(m1, { memberEpoch: -1 })
    expect(admit('', -1)).toBe('NONE')
  })

  it('are fetched by members in their epoch, or by anonymous clients', () => {
    join(newMember('m1'))
    const admit = (memberId: string | null, epoch: number) =>
      errorName(group.coordinator.offsets.admitFetch(groupId, memberId, epoch))
    expect(admit('m1', 1)).toBe('NONE')
    expect(admit('m1', 2)).toBe('STALE_MEMBER_EPOCH')
    expect(admit('m2', 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(admit(null, -1)).toBe('NONE')
  })

  it('are committed in transactions by members in their epoch, or by a producer that names no member', () => {
    join(newMember('m1'))
    const admit = (memberId: string, epoch: number) =>
      errorName(group.group!.admitTransactionalCommit({ memberId, groupInstanceId: null }, epoch))
    expect(admit('m1', 1)).toBe('NONE')
    expect(admit('m1', 0)).toBe('STALE_MEMBER_EPOCH')
    expect(admit('m2', 1)).toBe('UNKNOWN_MEMBER_ID')
    expect(admit('', -1)).toBe('NONE')
  })
})
