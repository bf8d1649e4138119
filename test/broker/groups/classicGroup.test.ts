// The classic protocol as transcripts: the requests of clients, and the answer of each.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type ClientOptions, GroupSimulation, groupId } from './groupSimulation.ts'

/** A simulation, and its clients by name. */
function start(
  clients: Record<string, ClientOptions>,
  limits?: ConstructorParameters<typeof GroupSimulation>[1],
) {
  const group = new GroupSimulation(
    Object.entries(clients).map(([name, options]) => ({ name, ...options })),
    limits,
  )
  const client = (name: string) => group.clients.find((each) => each.name === name)!
  return { group, client, state: () => group.coordinator.classicGroup(groupId)?.state }
}

describe('a classic group', () => {
  it('goes from empty to stable with its first member', () => {
    const { group, client, state } = start({ a: {} })
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join NONE a-1 generation 1 range leads [a-1]'])
    expect(state()).toBe('CompletingRebalance')
    group.sync(client('a'))
    expect(group.takeAnswers()).toEqual([])
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a sync NONE 0,1,2,3'])
    expect(state()).toBe('Stable')
  })

  it('asks its members to rejoin when a new one joins, and shares the partitions', () => {
    const { group, client } = start({ a: {}, b: {} })
    group.join(client('a'))
    group.sync(client('a'))
    group.completeAppend()
    group.takeAnswers()
    group.join(client('b'))
    group.heartbeat(client('a'))
    expect(group.takeAnswers()).toEqual(['a heartbeat REBALANCE_IN_PROGRESS'])
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual([
      'a join NONE a-1 generation 2 range leads [a-1 b-2]',
      'b join NONE b-2 generation 2 range',
    ])
    group.sync(client('b'))
    group.sync(client('a'))
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a sync NONE 0,2', 'b sync NONE 1,3'])
  })

  it('gives a new member its id before it joins, from JoinGroup v4 on (KIP-394)', () => {
    const { group, client } = start({ a: { requireKnownMemberId: true }, b: {} })
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join MEMBER_ID_REQUIRED'])
    group.join(client('b'))
    expect(group.takeAnswers()).toEqual(['b join NONE b-2 generation 1 range leads [b-2]'])
    group.join(client('a'))
    group.join(client('b'))
    expect(group.takeAnswers()).toEqual([
      'b join NONE b-2 generation 2 range leads [b-2 a-1]',
      'a join NONE a-1 generation 2 range',
    ])
  })

  it('forgets a promised member id that is not used within the session timeout', () => {
    const { group, client, state } = start({ a: { requireKnownMemberId: true } })
    group.join(client('a'))
    group.advance(10_000)
    expect(state()).toBeUndefined()
    group.takeAnswers()
    group.join(client('a'))
    expect(group.takeAnswers()).toEqual(['a join UNKNOWN_MEMBER_ID'])
  })

  it('waits for further members before its first rebalance', () => {
    const { group, client } = start({ a: {}, b: {} }, { initialRebalanceDelayMs: 3000 })
    group.join(client('a'))
    group.advance(2000)
    group.join(client('b'))
    group.advance(1000)
    expect(group.takeAnswers(), 'another delay, because b came').toEqual([])
    group.advance(3000)
    expect(group.takeAnswers()).toEqual([
      'a join NONE a-1 generation 1 range leads [a-1 b-2]',
      'b join NONE b-2 generation 1 range',
    ])
  })

  it('selects the protocol that most members prefer, among those that all support', () => {
    const { group, client } = start(
      {
        a: { protocols: ['range', 'sticky', 'roundrobin'] },
        b: { protocols: ['roundrobin', 'sticky'] },
        c: { protocols: ['sticky', 'roundrobin'] },
        d: { protocols: ['cooperative'] },
      },
      { initialRebalanceDelayMs: 10 },
    )
    for (const name of ['a', 'b', 'c', 'd']) group.join(client(name))
    expect(group.takeAnswers()).toEqual(['d join INCONSISTENT_GROUP_PROTOCOL'])
    group.advance(10)
    group.advance(10)
    expect(group.takeAnswers()).toContain('b join NONE b-2 generation 1 sticky')
  })

  it('removes a member whose session expires', () => {
    const { group, client } = start({ a: {}, b: { sessionTimeoutMs: 5000 } })
    settle(group, ['a', 'b'].map(client))
    group.advance(4000)
    expect(group.heartbeat(client('a'))).toBe(ErrorCode.none)
    group.advance(1000)
    expect(group.heartbeat(client('a'))).toBe(ErrorCode.rebalanceInProgress)
    group.takeAnswers()
    group.join(client('a'))
    expect(group.takeAnswers()[0]).toMatch(/leads \[a-1\]$/)
    expect(group.heartbeat(client('b'))).toBe(ErrorCode.unknownMemberId)
  })

  it('removes a leader that never sends SyncGroup', () => {
    const { group, client } = start({ a: { rebalanceTimeoutMs: 7000 }, b: {} })
    settle(group, ['a', 'b'].map(client))
    group.join(client('a'))
    group.join(client('b'))
    group.sync(client('b'))
    group.takeAnswers()
    group.heartbeat(client('a'))
    // The leader sends heartbeats, but no assignment within the longest rebalance timeout.
    for (let second = 0; second < 31; second += 5) {
      group.advance(5000)
      group.heartbeat(client('a'))
    }
    expect(group.takeAnswers()).toContain('b sync REBALANCE_IN_PROGRESS')
    expect(group.heartbeat(client('a'))).toBe(ErrorCode.unknownMemberId)
  })

  it('refuses commits for a former generation', () => {
    const { group, client } = start({ a: {}, b: {} })
    settle(group, [client('a')])
    group.takeAnswers()
    group.commit(client('a'), 5)
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a commit NONE'])
    const stale = { ...client('a') }
    settle(group, ['a', 'b'].map(client))
    group.takeAnswers()
    group.commit(stale, 6)
    expect(group.takeAnswers()).toEqual(['a commit ILLEGAL_GENERATION'])
    const committed = group.coordinator.offsets.of(groupId)!.get('t', 0)
    expect(committed).toMatchObject({ offset: 5 })
  })

  it('answers a commit only when it is durable, and discards a failed one', () => {
    const { group, client } = start({ a: {} })
    settle(group, [client('a')])
    group.takeAnswers()
    group.commit(client('a'), 5)
    expect(group.takeAnswers()).toEqual([])
    expect(group.coordinator.offsets.of(groupId)!.get('t', 0)).toBeUndefined()
    group.completeAppend(ErrorCode.kafkaStorageError)
    expect(group.takeAnswers()).toEqual(['a commit KAFKA_STORAGE_ERROR'])
    expect(group.coordinator.offsets.of(groupId)!.get('t', 0)).toBeUndefined()
  })

  it('asks every member to rejoin when the assignment cannot be written', () => {
    const { group, client, state } = start({ a: {} })
    group.join(client('a'))
    group.sync(client('a'))
    group.completeAppend(ErrorCode.kafkaStorageError)
    expect(group.takeAnswers().at(-1)).toBe('a sync KAFKA_STORAGE_ERROR')
    expect(state()).toBe('PreparingRebalance')
  })

  it('ignores the late write of an older generation', () => {
    const { group, client, state } = start({ a: {}, b: {} })
    group.join(client('a'))
    group.sync(client('a'))
    group.join(client('b'))
    group.join(client('a'))
    group.sync(client('a'))
    group.takeAnswers()
    group.completeAppend()
    expect(group.takeAnswers()).toEqual([])
    expect(state()).toBe('CompletingRebalance')
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a sync NONE 0,2'])
  })

  it('keeps the place of a static member that returns (KIP-345), without a rebalance', () => {
    const { group, client, state } = start({ a: { groupInstanceId: 'i' }, b: {} })
    settle(group, ['a', 'b'].map(client))
    const former = { ...client('a') }
    group.restart(client('a'))
    group.takeAnswers()
    group.join(client('a'))
    group.completeAppend()
    const [answer] = group.takeAnswers()
    expect(answer).toMatch(/^a join NONE i-\d generation 2 range leads \[b-2 i-\d\] skip$/)
    expect(state()).toBe('Stable')
    group.sync(client('a'))
    expect(group.takeAnswers()).toEqual(['a sync NONE 0,2'])
    expect(group.heartbeat(former)).toBe(ErrorCode.fencedInstanceId)
  })

  it('removes a static member that is silent after its assignment could not be written', () => {
    const { group, client, state } = start({ a: { groupInstanceId: 'i' } })
    group.join(client('a'))
    group.sync(client('a'))
    group.completeAppend(ErrorCode.kafkaStorageError)
    group.advance(10_000)
    expect(state()).toBe('Empty')
  })

  it('does not let a returning static leader assign again if its version cannot skip the assignment', () => {
    const { group, client } = start({
      a: { groupInstanceId: 'i', supportsSkippingAssignment: false },
    })
    settle(group, [client('a')])
    group.restart(client('a'))
    group.takeAnswers()
    group.join(client('a'))
    expect(group.takeAnswers(), 'its new id is not durable yet').toEqual([])
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['a join NONE i-2 generation 1 range'])
  })

  it('refuses members beyond its maximum size', () => {
    const { group, client } = start({ a: {}, b: {} }, { maxSize: 1 })
    group.join(client('a'))
    group.takeAnswers()
    group.join(client('b'))
    expect(group.takeAnswers()).toEqual(['b join GROUP_MAX_SIZE_REACHED'])
  })

  it('is empty after the last member has left, and can then be deleted', () => {
    const { group, client, state } = start({ a: {} })
    settle(group, [client('a')])
    const answers: (readonly number[])[] = []
    const deleteIt = () =>
      group.administer(
        (requestId) => ({ type: 'deleteGroup', requestId, groupId }),
        (codes) => answers.push(codes),
      )
    deleteIt()
    expect(answers).toEqual([[ErrorCode.nonEmptyGroup]])
    group.leave(client('a'))
    group.completeAllAppends()
    expect(state()).toBe('Empty')
    deleteIt()
    expect(state(), 'not before that is durable').toBe('Empty')
    group.completeAllAppends()
    expect(group.log.groupRecords().at(-1)).toMatchObject({ type: 'group', value: null })
    expect(answers.at(-1)).toEqual([ErrorCode.none])
    expect(state()).toBeUndefined()
  })
})

function settle(group: GroupSimulation, clients: GroupSimulation['clients']): void {
  for (let round = 0; round < 6; round++) {
    for (const client of clients) group.takePart(client)
    group.completeAllAppends()
  }
}
