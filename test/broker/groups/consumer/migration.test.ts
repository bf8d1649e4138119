// Groups that change their protocol: empty groups immediately, others with their members, and back
// again when the last member of the consumer protocol has left.

import { beforeEach, describe, expect, it } from 'vitest'
import type { JoinRequest } from '../../../../broker/groups/groupRequests.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode, errorName } from '../../../../protocol/kafka/errors.ts'
import { ClassicConsumer } from './classicConsumers.ts'
import { ConsumerSimulation, groupId, places, SimulatedMember } from './consumerSimulation.ts'

type Owned = readonly { readonly topic: string; readonly partitions: readonly number[] }[]

let group: ConsumerSimulation

beforeEach(() => {
  group = new ConsumerSimulation({ t: 4 })
})

function subscription(owned: Owned = []): Buffer {
  return consumerProtocolSubscription.encode({ topics: ['t'], ownedPartitions: owned })
}

function assignment(...partitions: number[]): Buffer {
  return consumerProtocolAssignment.encode({ assignedPartitions: [{ topic: 't', partitions }] })
}

function joinRequest(request: Partial<JoinRequest>): JoinRequest {
  return {
    memberId: '',
    groupInstanceId: null,
    clientId: 'c',
    clientHost: '/h',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription() }],
    requireKnownMemberId: false,
    supportsSkippingAssignment: true,
    ...request,
  }
}

/** The answer once all appends are durable; undefined while it is pending. */
function joinClassic(memberId: string, request: Partial<JoinRequest> = {}) {
  group.joined.length = 0
  const whole = joinRequest({ memberId, ...request })
  group.handle({ type: 'join', requestId: 1, groupId, request: whole })
  group.completeAll()
  return group.joined.at(-1)
}

function syncClassic(memberId: string, generationId: number, to: Record<string, Buffer> = {}) {
  group.synced.length = 0
  const request = {
    memberId,
    groupInstanceId: null,
    generationId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: Object.entries(to).map(([memberId, assignment]) => ({ memberId, assignment })),
  }
  group.handle({ type: 'sync', requestId: 1, groupId, request })
  group.completeAll()
  const { errorCode, assignment: bytes } = group.synced.at(-1)!
  if (errorCode !== ErrorCode.none) return errorName(errorCode)
  const { assignedPartitions } = consumerProtocolAssignment.decode(bytes)
  return assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((p) => `${topic}-${p}`),
  )
}

function heartbeatClassic(memberId: string, generationId: number): string {
  const identity = { memberId, groupInstanceId: null }
  const of = { groupId, identity, generationId }
  const [code] = group.ask((requestId) => ({ type: 'heartbeat', requestId, ...of }))
  return errorName(code!)
}

function heartbeat(member: SimulatedMember): string {
  group.revoke(member)
  group.heartbeat(member)
  group.completeAll()
  return errorName(group.outcomes.at(-1)!.errorCode)
}

/** A classic group with one member, which owns all four partitions. */
function classicGroup(protocol: Partial<JoinRequest> = {}): string {
  const { memberId } = joinClassic('', protocol)!
  syncClassic(memberId, 1, { [memberId]: assignment(0, 1, 2, 3) })
  return memberId
}

describe('an empty group', () => {
  it('takes the protocol of its next member, and keeps its offsets', () => {
    const memberId = classicGroup()
    const members = [{ memberId, groupInstanceId: null }]
    group.ask((requestId) => ({ type: 'leave', requestId, groupId, members }))
    group.completeAll()
    const offset = {
      offset: 7,
      leaderEpoch: 0,
      metadata: '',
      commitTimestampMs: 0,
      expireTimestampMs: -1,
    }
    const tool = { memberId: '', groupInstanceId: null, generationId: -1, apiVersion: 9 }
    const offsets = [{ topic: 't', partition: 0, value: offset }]
    group.handle({ type: 'commit', requestId: 1, groupId, committer: tool, offsets })
    group.completeAll()
    const member = new SimulatedMember('m', ['t'], null, false)
    expect(heartbeat(member)).toBe('NONE')
    expect(group.group!.state).toBe('Stable')
    expect(group.coordinator.classicGroup(groupId)).toBeUndefined()
    group.leave(member, true)
    group.completeAll()
    expect(group.group!.state).toBe('Empty')
    expect(joinClassic('')!.generationId).toBe(1)
    expect(group.group).toBeUndefined()
    expect(group.coordinator.classicGroup(groupId)!.state).toBe('CompletingRebalance')
    expect(group.coordinator.offsets.of(groupId)!.get('t', 0)!.offset).toBe(7)
    group.restartBroker()
    expect([...group.coordinator.groups()][0]!.type).toBe('classic')
    expect(group.coordinator.offsets.of(groupId)!.get('t', 0)!.offset).toBe(7)
  })
})

describe('a classic group', () => {
  it('is upgraded with its members when a member of the consumer protocol joins, and downgraded', () => {
    const old = classicGroup()
    const member = new SimulatedMember('m', ['t'], null, false)
    group.with([member])
    expect(heartbeat(member)).toBe('NONE')
    expect(member.epoch).toBe(2)
    expect(places(member.owned)).toEqual([])
    expect(group.group!.state).toBe('Reconciling')

    // The old member is asked to rejoin; it revokes two partitions, rejoins, and keeps two.
    expect(heartbeatClassic(old, 1)).toBe('REBALANCE_IN_PROGRESS')
    const owning = (...partitions: number[]) => ({
      protocols: [{ name: 'range', metadata: subscription([{ topic: 't', partitions }]) }],
    })
    const first = joinClassic(old, owning(0, 1, 2, 3))!
    expect(first).toMatchObject({ generationId: 1, protocolName: 'range', leader: '', members: [] })
    expect(syncClassic(old, 1)).toEqual(['t-0', 't-1'])
    expect(heartbeatClassic(old, 1)).toBe('REBALANCE_IN_PROGRESS')
    expect(joinClassic(old, owning(0, 1))!.generationId).toBe(2)
    expect(syncClassic(old, 2)).toEqual(['t-0', 't-1'])
    expect(heartbeatClassic(old, 2)).toBe('NONE')
    expect(heartbeat(member)).toBe('NONE')
    expect(places(member.owned).map((at) => at.at(-1))).toEqual(['2', '3'])
    expect(group.group!.state).toBe('Stable')

    group.restartBroker()
    expect(heartbeatClassic(old, 2)).toBe('NONE')
    expect(heartbeatClassic(old, 1)).toBe('ILLEGAL_GENERATION')
    expect(heartbeat(member)).toBe('NONE')

    group.leave(member, true)
    group.completeAll()
    expect(group.group).toBeUndefined()
    expect(group.coordinator.classicGroup(groupId)!.state).toBe('PreparingRebalance')
    expect(heartbeatClassic(old, 2)).toBe('REBALANCE_IN_PROGRESS')
    group.restartBroker()
    expect(heartbeatClassic(old, 2)).toBe('REBALANCE_IN_PROGRESS')
    expect(joinClassic(old)).toMatchObject({ errorCode: 0, generationId: 3, leader: old })
    expect(syncClassic(old, 3, { [old]: assignment(0, 1, 2, 3) })).toHaveLength(4)
  })

  it('asks members that wait for their generation to rejoin', () => {
    const old = classicGroup()
    expect(joinClassic('')).toBeUndefined()
    expect(heartbeat(new SimulatedMember('m', ['t'], null, false))).toBe('NONE')
    expect(group.joined.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'REBALANCE_IN_PROGRESS',
    ])
    expect([...group.group!.members()].some(({ memberId }) => memberId === old)).toBe(true)
  })

  it.each<[string, Partial<JoinRequest>]>([
    ['that are not consumers', { protocolType: 'connect' }],
    ['with malformed metadata', { protocols: [{ name: 'range', metadata: Buffer.from('m') }] }],
  ])('of members %s is not upgraded', (_, request) => {
    const { memberId } = joinClassic('', request)!
    expect(heartbeat(new SimulatedMember('m', ['t'], null, false))).toBe('GROUP_ID_NOT_FOUND')
    expect(heartbeatClassic(memberId, 1)).toBe('NONE')
  })

  it('is not upgraded when its assignor adds user data', () => {
    const { memberId } = joinClassic('')!
    const userData = Buffer.from('mine')
    const own = consumerProtocolAssignment.encode({ assignedPartitions: [], userData })
    syncClassic(memberId, 1, { [memberId]: own })
    expect(heartbeat(new SimulatedMember('m', ['t'], null, false))).toBe('GROUP_ID_NOT_FOUND')
  })

  it('is not upgraded when it has no room for the new member', () => {
    group = new ConsumerSimulation({ t: 4 }, { maxSize: 1 })
    const memberId = classicGroup()
    expect(heartbeat(new SimulatedMember('m', ['t'], null, false))).toBe('GROUP_MAX_SIZE_REACHED')
    expect(heartbeatClassic(memberId, 1)).toBe('NONE')
    expect(group.coordinator.classicGroup(groupId)!.state).toBe('Stable')
  })

  it('writes tombstones of former members again after they failed to be written', () => {
    classicGroup()
    const member = new SimulatedMember('m', ['t'], null, false)
    heartbeat(member)
    group.leave(member, true)
    group.completeAppend(ErrorCode.kafkaStorageError)
    expect(heartbeat(new SimulatedMember('n', ['t'], null, false))).toBe('NONE')
    group.restartBroker()
    const memberIds = [...group.group!.members()].map(({ memberId }) => memberId)
    expect(memberIds).not.toContain('m')
    expect(memberIds).toContain('n')
  })

  it('keeps the former partitions of a member that has not fetched its assignment yet', () => {
    const leader = joinClassic('')!.memberId
    joinClassic('')
    joinClassic(leader)
    const [, slow] = [...group.coordinator.classicGroup(groupId)!.members()]
    const { memberId } = slow!
    syncClassic(leader, 2, { [leader]: assignment(), [memberId]: assignment(0, 1, 2, 3) })
    expect(syncClassic(memberId, 2)).toHaveLength(4)
    // In the next generation it has to revoke two, which it does not know yet.
    joinClassic(leader)
    joinClassic(memberId)
    syncClassic(leader, 3, { [leader]: assignment(), [memberId]: assignment(0, 1) })
    const member = new SimulatedMember('m', ['t'], null, false)
    expect(heartbeat(member)).toBe('NONE')
    expect(member.owned.size).toBe(0)
    expect([...group.group!.members()].map(({ assigned }) => places(assigned).length)).toEqual([
      0, 4, 0,
    ])
  })

  it('is not upgraded when the migration policy forbids it', () => {
    group = new ConsumerSimulation({ t: 4 }, { canUpgrade: false })
    classicGroup()
    expect(heartbeat(new SimulatedMember('m', ['t'], null, false))).toBe('GROUP_ID_NOT_FOUND')
  })
})

describe('members of the classic protocol in a consumer group', () => {
  let member: SimulatedMember

  beforeEach(() => {
    member = new SimulatedMember('m', ['t'], null, false)
    heartbeat(member)
  })

  it('get their id before they join, if their version supports it', () => {
    const answer = joinClassic('', { requireKnownMemberId: true })!
    expect(errorName(answer.errorCode)).toBe('MEMBER_ID_REQUIRED')
    expect(joinClassic(answer.memberId, { requireKnownMemberId: true })!.errorCode).toBe(0)
    expect([...group.group!.members()]).toHaveLength(2)
  })

  it('must be consumers', () => {
    const errorOf = (request: Partial<JoinRequest>) =>
      errorName(joinClassic('', request)!.errorCode)
    expect(errorOf({ protocolType: 'connect' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
    expect(errorOf({ protocols: [] })).toBe('INCONSISTENT_GROUP_PROTOCOL')
    const metadata = Buffer.from('m')
    expect(errorOf({ protocols: [{ name: 'range', metadata }] })).toBe(
      'INCONSISTENT_GROUP_PROTOCOL',
    )
  })

  it('must support a protocol that all of them support', () => {
    joinClassic('')
    const protocols = [{ name: 'sticky', metadata: subscription() }]
    expect(errorName(joinClassic('', { protocols })!.errorCode)).toBe('INCONSISTENT_GROUP_PROTOCOL')
  })

  it('are fenced when they miss the deadline of a join, a sync or a heartbeat', () => {
    const { memberId } = joinClassic('')!
    const isIn = () => [...group.group!.members()].some((each) => each.memberId === memberId)
    group.advance(9_999)
    expect(isIn()).toBe(true)
    group.advance(1)
    expect(isIn()).toBe(false)
    const other = joinClassic('')!
    for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 5_000) {
      expect([...group.group!.members()]).toHaveLength(2)
      heartbeatClassic(other.memberId, other.generationId)
      heartbeat(member)
      group.advance(5_000)
    }
    expect([...group.group!.members()]).toHaveLength(1)
  })

  it('leave, or are removed by their instance ids', () => {
    const { memberId } = joinClassic('')!
    joinClassic('', { groupInstanceId: 'i' })
    const members = [
      { memberId, groupInstanceId: null },
      { memberId: '', groupInstanceId: 'i' },
      { memberId: 'm', groupInstanceId: null },
      { memberId: '', groupInstanceId: 'j' },
    ]
    const codes = group.ask((requestId) => ({ type: 'leave', requestId, groupId, members }))
    expect(codes.map(errorName)).toEqual(['NONE', 'NONE', 'UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID'])
    group.completeAll()
    expect([...group.group!.members()].map(({ memberId }) => memberId)).toEqual(['m'])
  })

  it('replace the former member of their instance, which downgrades the group if it was the last', () => {
    group = new ConsumerSimulation({ t: 4 })
    const instance = new SimulatedMember('s', ['t'], null, true)
    heartbeat(instance)
    const answer = joinClassic('', { groupInstanceId: 'i-s' })!
    expect(answer.errorCode).toBe(0)
    expect(group.group).toBeUndefined()
    const [classic] = [...group.coordinator.classicGroup(groupId)!.members()]
    expect(classic!.groupInstanceId).toBe('i-s')
    expect(classic!.memberId).toBe(answer.memberId)
  })

  it('replace a member and downgrade the group in one batch, which no crash separates', () => {
    group = new ConsumerSimulation({ t: 4 })
    heartbeat(new SimulatedMember('s', ['t'], null, true))
    const request = joinRequest({ groupInstanceId: 'i-s' })
    group.handle({ type: 'join', requestId: 1, groupId, request })
    group.completeAppend(ErrorCode.none)
    group.restartBroker()
    expect(group.group).toBeUndefined()
    const members = [...group.coordinator.classicGroup(groupId)!.members()]
    expect(members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['i-s'])
  })

  it('stay in a consumer group when the migration policy forbids the downgrade', () => {
    group = new ConsumerSimulation({ t: 4 }, { canDowngrade: false })
    const last = new SimulatedMember('m', ['t'], null, false)
    heartbeat(last)
    joinClassic('')
    group.leave(last, true)
    group.completeAll()
    expect([...group.group!.members()]).toHaveLength(1)
  })
})

describe('a simulated cooperative client', () => {
  it('rejoins when a restart of the broker made it drop partitions that it had reported as owned', () => {
    group = new ConsumerSimulation({ t: 2 })
    const newClient = (name: string) => new ClassicConsumer(name, ['t'], null, 'cooperative')
    const [leader, slow, added] = [newClient('a'), newClient('z'), newClient('m')]
    group.with([], [leader, slow, added])
    const step = (client: ClassicConsumer) => {
      group.classic.step(client)
      group.completeAll()
    }
    const settle = (...clients: ClassicConsumer[]) => {
      for (let round = 0; round < 10; round++) for (const client of clients) step(client)
    }
    settle(leader, slow)
    expect([leader, slow].map(({ owned }) => places(owned).length)).toEqual([1, 1])

    // All members join the next generation, the leader assigns, and the broker ends before `slow`
    // sends SyncGroup.
    for (const client of [added, added, leader, leader, slow, slow, leader]) step(client)
    expect([leader.next, slow.next]).toEqual(['heartbeat', 'sync'])
    group.restartBroker()
    expect(places(slow.owned)).toEqual([])
    settle(leader, slow, added)
    expect([leader, slow, added].map(({ owned }) => places(owned).length)).toEqual([1, 0, 1])
  })
})

describe('an earlier generation', () => {
  it('may be answered late, after the group was empty and has started its epochs again', () => {
    const modern = new SimulatedMember('m', ['t'], null, false)
    heartbeat(modern)
    const classic = new ClassicConsumer('c', ['t'], null, 'eager')
    group.with([modern], [classic])
    group.classic.step(classic)
    group.classic.step(classic)
    expect(group.group!.groupEpoch).toBe(2)
    group.leave(modern, true)
    group.advance(60_000)
    expect(group.coordinator.classicGroup(groupId)!.state).toBe('Empty')
    group.heartbeat(modern)
    expect(group.group!.groupEpoch).toBe(1)
    group.completeAll()
    expect(group.joined.map(({ generationId }) => generationId)).toContain(2)
  })
})
