// Committed offsets, as transcripts: which clients may commit, and when offsets become visible, can
// be deleted, and expire.

import { describe, expect, it } from 'vitest'
import type { GroupEvent } from '../../../broker/groups/groupCoordinator.ts'
import type { Committer } from '../../../broker/groups/groupRequests.ts'
import { ErrorCode, errorName } from '../../../protocol/kafka/errors.ts'
import {
  type ClientOptions,
  GroupSimulation,
  groupId,
  type SimulationLimits,
} from './groupSimulation.ts'

const day = 24 * 60 * 60_000
const producerId = 7

/** A simulation with requests about its offsets. `tool` is never a member. */
function start(clients: Record<string, ClientOptions>, limits?: SimulationLimits) {
  const named = Object.entries(clients).map(([name, options]) => ({ name, ...options }))
  const group = new GroupSimulation([...named, { name: 'tool' }], limits)
  const client = (name: string) => group.clients.find((each) => each.name === name)!
  const offsets = () => group.coordinator.offsets.of(groupId)
  return {
    group,
    client,
    offset: (partition = 0) => offsets()?.get('t', partition)?.offset,
    isUnstable: (partition = 0) => offsets()?.isUnstable('t', partition),
    state: () => group.coordinator.classicGroup(groupId)?.state,
    settle: (...names: string[]) => {
      for (let round = 0; round < 6; round++) {
        for (const name of names) group.takePart(client(name))
        group.completeAllAppends()
      }
      group.takeAnswers()
    },
    /** The coordinator's answer, once its writes are durable. */
    ask: (eventOf: (requestId: number) => GroupEvent): string[] => {
      let answer: string[] = []
      group.administer(eventOf, (codes) => {
        answer = codes.map(errorName)
      })
      group.completeAllAppends()
      return answer
    },
  }
}

function commitOf(expireTimestampMs: number) {
  const value = {
    offset: 1,
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: 0,
    expireTimestampMs,
  }
  return [{ topic: 't', partition: 0, value }]
}

describe('a commit', () => {
  const anonymous: Committer = {
    memberId: '',
    groupInstanceId: null,
    generationId: -1,
    apiVersion: 9,
  }

  it('from outside creates a group or resets an empty one, but not one with members', () => {
    const { group, client, settle, offset } = start({ a: {} })
    group.commit(client('tool'), 5)
    group.completeAppend()
    expect(group.takeAnswers()).toEqual(['tool commit NONE'])
    settle('a')
    group.commit(client('tool'), 6)
    expect(group.takeAnswers()).toEqual(['tool commit UNKNOWN_MEMBER_ID'])
    group.leave(client('a'))
    group.commit(client('tool'), 7)
    group.completeAllAppends()
    expect(group.takeAnswers()).toEqual(['a leave NONE', 'tool commit NONE'])
    expect(offset()).toBe(7)
  })

  it('for a generation of an unknown group is refused with an error code that its version knows', () => {
    const { ask } = start({})
    const answers = [8, 9].map((apiVersion) =>
      ask((requestId) => {
        const committer = { ...anonymous, memberId: 'm', generationId: 3, apiVersion }
        return { type: 'commit', requestId, groupId, committer, offsets: commitOf(-1) }
      }),
    )
    expect(answers).toEqual([['ILLEGAL_GENERATION'], ['GROUP_ID_NOT_FOUND']])
  })

  it('without a generation is admitted from any client while the group is empty', () => {
    const { group, client, settle, ask } = start({ a: {} })
    settle('a')
    group.leave(client('a'))
    const committer = { ...anonymous, memberId: 'was-here' }
    const answer = ask((requestId) => ({
      ...{ type: 'commit', requestId, groupId, committer, offsets: commitOf(-1) },
    }))
    expect(answer).toEqual(['NONE'])
  })

  it('is refused during the assignment, unless it is part of a transaction (KIP-447)', () => {
    const { group, client, offset } = start({ a: {} })
    group.join(client('a'))
    group.takeAnswers()
    group.commit(client('a'), 1)
    group.commitInTransaction(client('a'), producerId, 2)
    group.completeAllAppends()
    expect(group.takeAnswers()).toEqual([
      'a commit REBALANCE_IN_PROGRESS',
      'a transactionalCommit NONE',
    ])
    group.endTransaction(producerId, true)
    expect(offset()).toBe(2)
  })

  it('creates no group beyond the maximum number', () => {
    const { group, client } = start({}, { maxGroups: 0 })
    group.commit(client('tool'), 1)
    expect(group.takeAnswers()).toEqual(['tool commit GROUP_MAX_SIZE_REACHED'])
  })
})

describe('a transactional commit', () => {
  it('is visible after its commit marker, and makes a stable fetch wait until then', () => {
    const { group, client, offset, isUnstable } = start({})
    group.commit(client('tool'), 5)
    group.commitInTransaction(client('tool'), producerId, 6)
    expect(isUnstable(), 'before it is durable: it may become so').toBe(true)
    group.completeAllAppends()
    expect([offset(), isUnstable(), isUnstable(1)]).toEqual([5, true, false])
    group.endTransaction(producerId, true)
    expect([offset(), isUnstable()]).toEqual([6, false])
  })

  it('leaves nothing when it is aborted', () => {
    const { group, client, offset, isUnstable } = start({})
    group.commitInTransaction(client('tool'), producerId, 6)
    group.completeAllAppends()
    group.endTransaction(producerId, false)
    expect([offset(), isUnstable() ?? false]).toEqual([undefined, false])
    expect(group.coordinator.classicGroup(groupId), 'nor the group').toBeUndefined()
  })

  it('does not undo a later commit', () => {
    const { group, client, offset } = start({})
    group.commitInTransaction(client('tool'), producerId, 6)
    group.commit(client('tool'), 9)
    group.completeAllAppends()
    group.endTransaction(producerId, true)
    expect(offset()).toBe(9)
  })

  it('is applied when the marker is reported before the append', () => {
    for (const isCommitted of [true, false]) {
      const { group, client, offset, isUnstable } = start({})
      group.commitInTransaction(client('tool'), producerId, 6)
      group.endTransaction(producerId, isCommitted)
      group.completeAllAppends()
      expect(offset()).toBe(isCommitted ? 6 : undefined)
      expect(isUnstable() ?? false).toBe(false)
    }
  })

  it('stays pending across a restart until its marker arrives', () => {
    const { group, client, offset, isUnstable } = start({})
    group.commitInTransaction(client('tool'), producerId, 6)
    group.completeAllAppends()
    group.restartBroker()
    expect([offset(), isUnstable()]).toEqual([undefined, true])
    group.endTransaction(producerId, true)
    expect(offset()).toBe(6)
    group.restartBroker()
    expect([offset(), isUnstable()]).toEqual([6, false])
  })

  it('is admitted from members of this generation, and from producers that name no member', () => {
    const { group, client, settle } = start({ a: { groupInstanceId: 'i' }, b: {} })
    settle('a', 'b')
    const before = { ...client('b'), generationId: client('b').generationId - 1 }
    const stranger = { ...client('b'), memberId: 'stranger' }
    const former = { ...client('a'), memberId: 'former' }
    for (const each of [client('a'), client('tool'), before, stranger, former]) {
      group.commitInTransaction(each, producerId, 1)
      group.completeAllAppends()
    }
    expect(group.takeAnswers()).toEqual([
      'a transactionalCommit NONE',
      'tool transactionalCommit NONE',
      'b transactionalCommit ILLEGAL_GENERATION',
      'b transactionalCommit UNKNOWN_MEMBER_ID',
      'a transactionalCommit FENCED_INSTANCE_ID',
    ])
  })
})

describe('the deletion of offsets', () => {
  const deleteOffset =
    (_group: GroupSimulation, partition = 0) =>
    (requestId: number): GroupEvent => ({
      ...{ type: 'deleteOffsets', requestId, groupId, partitions: [{ topic: 't', partition }] },
    })

  it('skips topics that members are subscribed to', () => {
    const { group, client, settle, ask, offset } = start({ a: { topics: ['t'] } })
    settle('a')
    group.commit(client('a'), 5)
    group.completeAllAppends()
    expect(group.coordinator.offsets.admitDelete(groupId)).toBe(ErrorCode.none)
    expect(ask(deleteOffset(group))).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC'])
    expect(offset()).toBe(5)
    group.leave(client('a'))
    expect(ask(deleteOffset(group))).toEqual(['NONE'])
    expect(offset()).toBeUndefined()
  })

  it('deletes offsets of other topics while the group has members', () => {
    const { group, client, settle, ask, offset } = start({ a: { topics: ['other'] } })
    settle('a')
    group.commit(client('a'), 5)
    group.completeAllAppends()
    expect(ask(deleteOffset(group))).toEqual(['NONE'])
    expect(offset()).toBeUndefined()
    expect(ask(deleteOffset(group)), 'a missing offset is not an error').toEqual(['NONE'])
  })

  it('deletes nothing when a subscription cannot be decoded: it may be to any topic', () => {
    const { group, settle, ask } = start({ a: {} })
    settle('a')
    expect(ask(deleteOffset(group))).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC'])
  })

  it('requires an empty group when the members are not consumers', () => {
    const { group, client, settle } = start({ a: { protocolType: 'connect' } })
    const admitted = () => errorName(group.coordinator.offsets.admitDelete(groupId))
    expect(admitted()).toBe('GROUP_ID_NOT_FOUND')
    settle('a')
    expect(admitted()).toBe('NON_EMPTY_GROUP')
    group.leave(client('a'))
    expect(admitted()).toBe('NONE')
  })

  it('deletes pending transactional offsets, which a later marker does not restore', () => {
    const { group, client, ask, offset, isUnstable } = start({})
    group.commit(client('tool'), 1)
    group.commitInTransaction(client('tool'), producerId, 6)
    group.completeAllAppends()
    expect(ask(deleteOffset(group))).toEqual(['NONE'])
    expect(isUnstable() ?? false).toBe(false)
    group.endTransaction(producerId, true)
    expect(offset()).toBeUndefined()
    group.restartBroker()
    expect(offset()).toBeUndefined()
  })
})

describe('expiry', () => {
  const limits = { offsetsRetentionMs: day }

  const pass = (group: GroupSimulation, ms: number) => {
    group.advance(ms)
    group.expireOffsets()
    group.completeAllAppends()
  }

  it('counts from the time when the last member left, not from the commit', () => {
    const { group, client, settle, offset, state } = start({ a: { topics: ['t'] } }, limits)
    settle('a')
    group.commit(client('a'), 5)
    group.completeAllAppends()
    for (let hours = 0; hours < 48; hours++) {
      for (let seconds = 0; seconds < 3600; seconds += 9) {
        group.heartbeat(client('a'))
        group.advance(9000)
      }
    }
    group.leave(client('a'))
    pass(group, day - 1)
    expect(offset()).toBe(5)
    pass(group, 1)
    expect([offset(), state()]).toEqual([undefined, undefined])
    group.restartBroker()
    expect(state()).toBeUndefined()
  })

  it('continues across a restart', () => {
    const { group, client, settle, offset } = start({ a: { topics: ['t'] } }, limits)
    settle('a')
    group.commit(client('a'), 5)
    group.advance(day)
    group.completeAllAppends()
    expect(group.coordinator.classicGroup(groupId)?.state, 'its session is over').toBe('Empty')
    group.restartBroker()
    expect(offset()).toBe(5)
    pass(group, day)
    expect(offset()).toBeUndefined()
  })

  it('removes offsets of topics that members no longer consume', () => {
    const { group, client, settle, offset } = start({ a: { topics: ['other'] } }, limits)
    settle('a')
    group.commit(client('a'), 5)
    group.completeAllAppends()
    const stay = () => {
      for (let waited = 0; waited < day; waited += 9000) {
        group.heartbeat(client('a'))
        group.advance(9000)
      }
    }
    stay()
    group.expireOffsets()
    group.completeAllAppends()
    expect(offset()).toBeUndefined()
    expect(group.coordinator.classicGroup(groupId)?.state, 'the group stays').toBe('Stable')
  })

  it('counts from the commit when the group never had members', () => {
    const { group, client, offset } = start({}, limits)
    group.commit(client('tool'), 5)
    group.completeAllAppends()
    pass(group, day - 1)
    expect(offset()).toBe(5)
    group.commit(client('tool'), 6)
    group.completeAllAppends()
    pass(group, day - 1)
    expect(offset()).toBe(6)
    pass(group, 1)
    expect(offset()).toBeUndefined()
  })

  it('honours the retention time that an old client has set', () => {
    const { group, ask, offset } = start({}, limits)
    const committer = { memberId: '', groupInstanceId: null, generationId: -1, apiVersion: 4 }
    ask((requestId) => ({
      ...{ type: 'commit', requestId, groupId, committer, offsets: commitOf(1000) },
    }))
    pass(group, 999)
    expect(offset()).toBe(1)
    pass(group, 1)
    expect(offset()).toBeUndefined()
  })

  it('keeps offsets that an open transaction may change, and their group', () => {
    const { group, client, offset, state } = start({}, limits)
    group.commit(client('tool'), 5)
    group.commitInTransaction(client('tool'), producerId, 6)
    group.completeAllAppends()
    pass(group, 2 * day)
    expect([offset(), state()]).toEqual([5, 'Empty'])
    group.endTransaction(producerId, false)
    pass(group, 0)
    expect([offset(), state()]).toEqual([undefined, undefined])
  })

  it('writes nothing for a group without expired offsets', () => {
    const { group, client, settle } = start({ a: { topics: ['t'] } }, limits)
    settle('a')
    group.commit(client('a'), 5)
    group.completeAllAppends()
    const { length } = group.log.entries
    group.expireOffsets()
    group.completeAllAppends()
    expect(group.log.entries).toHaveLength(length)
  })
})

describe('a deleted topic', () => {
  it('loses its committed offsets, and those pending in transactions', () => {
    const { group, client, ask, offset, isUnstable } = start({})
    group.commit(client('tool'), 5)
    group.commitInTransaction(client('tool'), producerId, 6, 1)
    group.completeAllAppends()
    expect(ask((requestId) => ({ type: 'forgetTopic', requestId, topic: 't' }))).toEqual(['NONE'])
    expect([offset(), isUnstable(1) ?? false]).toEqual([undefined, false])
  })
})
