// The membership of a classic group, as transcripts: leaving, static members, members that vanish,
// and limits.

import { describe, expect, it } from 'vitest'
import { ErrorCode, errorName } from '../../../protocol/kafka/errors.ts'
import {
  type ClientOptions,
  GroupSimulation,
  groupId,
  type SimulationLimits,
} from './groupSimulation.ts'

function start(clients: Record<string, ClientOptions>, limits?: SimulationLimits) {
  const group = new GroupSimulation(
    Object.entries(clients).map(([name, options]) => ({ name, ...options })),
    limits,
  )
  const client = (name: string) => group.clients.find((each) => each.name === name)!
  return {
    group,
    client,
    state: () => group.coordinator.classicGroup(groupId)?.state,
    generation: () => group.coordinator.classicGroup(groupId)?.generationId,
    settle: (...names: string[]) => {
      for (let round = 0; round < 6; round++) {
        for (const name of names) group.takePart(client(name))
        group.completeAllAppends()
      }
      group.takeAnswers()
    },
  }
}

describe('leaving', () => {
  it('of several members at once causes one rebalance', () => {
    const { group, client, settle, state, generation } = start({ a: {}, b: {}, c: {} })
    settle('a', 'b', 'c')
    const before = generation()!
    group.leave(client('a'), client('b'), { ...client('a'), memberId: 'stranger' })
    expect(group.takeAnswers()).toEqual([
      'a leave NONE',
      'b leave NONE',
      'a leave UNKNOWN_MEMBER_ID',
    ])
    expect(state()).toBe('PreparingRebalance')
    group.join(client('c'))
    expect(generation()).toBe(before + 1)
  })

  it('of all members at once empties the group in one generation', () => {
    const { group, client, settle, state, generation } = start({ a: {}, b: {} })
    settle('a', 'b')
    const before = generation()!
    group.leave(client('a'), client('b'))
    expect([state(), generation()]).toEqual(['Empty', before + 1])
  })

  it('of a member that was only promised an id lets the others proceed', () => {
    const { group, client, settle, state } = start({ a: {}, b: { requireKnownMemberId: true } })
    settle('a')
    group.join(client('b'))
    group.join(client('a'))
    expect(state(), 'b is waited for').toBe('PreparingRebalance')
    group.takeAnswers()
    group.leave(client('b'))
    expect(group.takeAnswers()).toEqual([
      'b leave NONE',
      'a join NONE a-1 generation 2 range leads [a-1]',
    ])
  })

  it('of the only member during the initial wait empties the group immediately', () => {
    const { group, client, state } = start({ a: {} }, { initialRebalanceDelayMs: 3000 })
    group.join(client('a'))
    const [member] = group.coordinator.classicGroup(groupId)!.members()
    group.leave({ ...client('a'), memberId: member!.memberId })
    expect(group.takeAnswers()).toEqual(['a leave NONE', 'a join UNKNOWN_MEMBER_ID'])
    expect(state()).toBe('Empty')
  })
})

describe('a static member', () => {
  it('gets no member id before it joins', () => {
    const { group, client } = start({ a: { groupInstanceId: 'i', requireKnownMemberId: true } })
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join NONE i-1 generation 1 range leads [i-1]'])
  })

  it('can be removed by its instance id alone', () => {
    const { group, client, settle, state } = start({ a: { groupInstanceId: 'i' } })
    settle('a')
    const unknown = { ...client('a'), memberId: '', options: { groupInstanceId: 'j' } }
    group.leave({ ...client('a'), memberId: '' }, unknown)
    expect(group.takeAnswers()).toEqual(['a leave NONE', 'a leave UNKNOWN_MEMBER_ID'])
    expect(state()).toBe('Empty')
  })

  it('fences its former member id from all requests', () => {
    const { group, client, settle } = start({ a: { groupInstanceId: 'i' }, b: {} })
    settle('a', 'b')
    const former = { ...client('a') }
    group.restart(client('a'))
    settle('a', 'b')
    const fenced = 'a-then'
    const then = { ...former, name: fenced }
    group.join(then)
    group.sync({ ...former, name: fenced })
    group.heartbeat({ ...former, name: fenced })
    group.commit({ ...former, name: fenced }, 1)
    group.leave({ ...former, name: fenced })
    expect(group.takeAnswers()).toEqual([
      'a-then join FENCED_INSTANCE_ID',
      'a-then sync FENCED_INSTANCE_ID',
      'a-then heartbeat FENCED_INSTANCE_ID',
      'a-then commit FENCED_INSTANCE_ID',
      'a-then leave FENCED_INSTANCE_ID',
    ])
  })

  it('fences the pending request of its former member id', () => {
    const { group, client } = start(
      { a: { groupInstanceId: 'i' } },
      { initialRebalanceDelayMs: 10 },
    )
    group.join(client('a'))
    group.restart(client('a'))
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join FENCED_INSTANCE_ID'])
    group.advance(20)
    expect(group.takeAnswers()).toEqual(['a join NONE i-2 generation 1 range leads [i-2]'])
  })

  it('causes a rebalance when it returns with other protocols', () => {
    const both = ['range', 'roundrobin']
    const { group, client, settle, state } = start({
      a: { groupInstanceId: 'i', protocols: both },
      b: { protocols: both },
    })
    settle('a', 'b')
    const turned = { ...client('a'), options: { groupInstanceId: 'i', protocols: ['roundrobin'] } }
    group.restart(turned)
    group.join(turned)
    expect(state()).toBe('PreparingRebalance')
    group.join(client('b'))
    expect(group.takeAnswers()).toContain('b join NONE b-2 generation 3 roundrobin')
  })

  it('can return again after its new id failed to be written', () => {
    const { group, client, settle, state } = start({ a: { groupInstanceId: 'i' } })
    settle('a')
    group.restart(client('a'))
    group.join(client('a'))
    group.completeAppend(ErrorCode.notCoordinator)
    expect(group.takeAnswers()).toEqual(['a join NOT_COORDINATOR'])
    group.join(client('a'))
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a join NONE i-3 generation 1 range leads [i-3] skip'])
    expect(state()).toBe('Stable')
  })

  it('keeps its place until its session expires, without delaying a rebalance', () => {
    const { group, client, settle, state } = start({
      a: { groupInstanceId: 'i', sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 5000 },
      b: { sessionTimeoutMs: 100_000, rebalanceTimeoutMs: 5000 },
    })
    settle('a', 'b')
    const options = { ...client('b').options, protocols: ['range', 'new'] }
    group.join({ ...client('b'), options })
    expect(state()).toBe('PreparingRebalance')
    group.advance(5000)
    expect(group.takeAnswers()).toEqual(['b join NONE b-2 generation 3 range leads [i-1 b-2]'])
  })
})

describe('a member that vanishes', () => {
  it('while its first join is pending is removed after five minutes', () => {
    const { group, client, settle } = start({ a: {}, b: {} })
    settle('a')
    group.join(client('b'))
    const before = group.coordinator.classicGroup(groupId)!
    group.advance(9000)
    expect(group.heartbeat(client('a'))).toBe(ErrorCode.rebalanceInProgress)
    expect([...before.members()]).toHaveLength(2)
    group.advance(5 * 60_000)
    expect(group.coordinator.classicGroup(groupId)?.state).toBe('Empty')
    expect(group.waiting).toBe(0)
  })

  it('and rejoins on another connection is answered there', () => {
    const { group, client, settle } = start({ a: {}, b: {} })
    settle('a', 'b')
    group.join({ ...client('a'), options: { protocols: ['range', 'new'] } })
    group.takeAnswers()
    group.join({ ...client('a'), name: 'again', options: { protocols: ['range', 'new'] } })
    expect(group.takeAnswers(), 'the first request has no reader').toEqual([
      'a join UNKNOWN_MEMBER_ID',
    ])
    group.join(client('b'))
    expect(group.takeAnswers()).toContainEqual(expect.stringMatching(/^again join NONE a-1/))
  })
})

describe('the protocol of a group', () => {
  it('excludes a member with another protocol, or another protocol type', () => {
    const { group, client, settle } = start({
      a: {},
      b: { protocols: ['other'] },
      c: { protocolType: 'connect' },
      d: { protocols: [] },
      e: { protocolType: '' },
    })
    for (const name of ['d', 'e']) group.join(client(name))
    settle('a')
    for (const name of ['b', 'c', 'd']) group.join(client(name))
    expect(group.takeAnswers()).toEqual([
      'b join INCONSISTENT_GROUP_PROTOCOL',
      'c join INCONSISTENT_GROUP_PROTOCOL',
      'd join INCONSISTENT_GROUP_PROTOCOL',
    ])
    expect(group.heartbeat(client('a'))).toBe(ErrorCode.none)
  })

  it('is checked by SyncGroup', () => {
    const { group, client } = start({ a: {} })
    group.join(client('a'))
    group.takeAnswers()
    group.sync(client('a'), { type: 'connect' })
    group.sync(client('a'), { name: 'other' })
    group.sync(client('a'), { type: 'consumer', name: 'range' })
    group.completeAppend()
    expect(group.takeAnswers()).toEqual([
      'a sync INCONSISTENT_GROUP_PROTOCOL',
      'a sync INCONSISTENT_GROUP_PROTOCOL',
      'a sync NONE 0,1,2,3',
    ])
  })
})

describe('the size of a group', () => {
  it('keeps the members that rejoin first after it was lowered', () => {
    const options = { sessionTimeoutMs: 100_000 }
    const limits = { maxSize: 3 }
    const { group, client, settle, state } = start({ a: options, b: options, c: options }, limits)
    settle('a', 'b', 'c')
    limits.maxSize = 2
    group.restartBroker()
    expect(state()).toBe('PreparingRebalance')
    for (const name of ['b', 'c', 'a']) group.join(client(name))
    expect(group.takeAnswers()[0]).toBe('a join GROUP_MAX_SIZE_REACHED')
    expect([...group.coordinator.classicGroup(groupId)!.members()]).toHaveLength(2)
    expect(state()).toBe('CompletingRebalance')
  })

  it('is bounded in bytes, for all groups together', () => {
    const topics = ['t'.repeat(600)]
    const limits = { maxMemberBytes: 2000 }
    const { group, client } = start({ a: { topics }, b: { topics } }, limits)
    group.join(client('a'))
    group.takeAnswers()
    group.join(client('b'))
    expect(group.takeAnswers()).toEqual(['b join GROUP_MAX_SIZE_REACHED'])
    group.leave(client('a'))
    group.takeAnswers()
    group.join(client('b'))
    expect(group.takeAnswers()[0]).toMatch(/^b join NONE/)
  })

  it('bounds the promised member ids', () => {
    const { group, client } = start({ a: { requireKnownMemberId: true } }, { maxMemberBytes: 2000 })
    for (let promised = 0; promised < 4; promised++) {
      group.restart(client('a'))
      group.join(client('a'))
    }
    expect(group.takeAnswers().at(-1)).toBe('a join GROUP_MAX_SIZE_REACHED')
    group.advance(10_000)
    group.restart(client('a'))
    group.join(client('a'))
    expect(group.takeAnswers(), 'promises end').toEqual(['a join MEMBER_ID_REQUIRED'])
  })

  it('is bounded in the number of groups, too', () => {
    const { group, client } = start({ a: {} }, { maxGroups: 0 })
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join GROUP_MAX_SIZE_REACHED'])
  })
})

describe('a group with an empty id', () => {
  it('has no members', () => {
    const { group } = start({})
    const identity = { memberId: 'm', groupInstanceId: null }
    const of = { groupId: '', identity, generationId: 0 }
    const [code] = group.ask((requestId) => ({ type: 'heartbeat', requestId, ...of }))
    expect(errorName(code!)).toBe('INVALID_GROUP_ID')
  })
})
