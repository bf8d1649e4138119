import { describe, expect, test } from 'vitest'
import { GroupMembership } from '../../../../protocol/client/consumer/groupMembership.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'

const options = { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 3000 }

function stable(): GroupMembership {
  const membership = new GroupMembership(options)
  membership.joinStarted()
  membership.joinAnswered(ErrorCode.none, 'm1', 4)
  membership.syncAnswered(ErrorCode.none, 1000)
  return membership
}

describe('GroupMembership', () => {
  test('MEMBER_ID_REQUIRED rejoins with the assigned member id', () => {
    const membership = new GroupMembership(options)
    membership.joinStarted()
    expect(membership.joinAnswered(ErrorCode.memberIdRequired, 'm1', -1)).toBe('rejoin')
    expect(membership.memberId).toBe('m1')
    expect(membership.state).toBe('outside')
    membership.joinStarted()
    expect(membership.joinAnswered(ErrorCode.none, 'm1', 4)).toBe('accepted')
    expect(membership.state).toBe('joined')
    expect(membership.syncAnswered(ErrorCode.none, 1000)).toBe('accepted')
    expect(membership).toMatchObject({ state: 'stable', memberId: 'm1', generationId: 4 })
  })

  test('heartbeats are sent at their interval, only while stable', () => {
    expect(new GroupMembership(options).heartbeatInMs(0)).toBeUndefined()
    const membership = stable()
    expect(membership.heartbeatInMs(1000)).toBe(3000)
    expect(membership.heartbeatInMs(9000)).toBe(0)
    membership.heartbeatAnswered(ErrorCode.none, 4, 4000)
    expect(membership.heartbeatInMs(4000)).toBe(3000)
  })

  test.each([
    ['rebalanceInProgress', 'm1'],
    ['illegalGeneration', 'm1'],
    ['unknownMemberId', ''],
  ] as const)('%s sends it outside, as member "%s"', (name, memberId) => {
    const membership = stable()
    expect(membership.heartbeatAnswered(ErrorCode[name], 4, 4000)).toBe('rejoin')
    expect(membership).toMatchObject({ state: 'outside', memberId, generationId: -1 })
    expect(membership.heartbeatInMs(4000)).toBeUndefined()
  })

  test('a heartbeat response for an earlier generation is ignored', () => {
    const membership = stable()
    expect(membership.heartbeatAnswered(ErrorCode.unknownMemberId, 3, 4000)).toBe('accepted')
    expect(membership.state).toBe('stable')
  })

  test('lost heartbeats are retried until the session expires', () => {
    const membership = stable()
    expect(membership.heartbeatLost(4000)).toBe('again')
    expect(membership.heartbeatLost(10_999)).toBe('again')
    expect(membership.heartbeatLost(11_000)).toBe('rejoin')
    expect(membership.state).toBe('outside')
  })

  test('a moved coordinator is retried, a refusal is final', () => {
    const membership = stable()
    expect(membership.heartbeatAnswered(ErrorCode.notCoordinator, 4, 4000)).toBe('again')
    expect(membership.state).toBe('stable')
    expect(membership.heartbeatAnswered(ErrorCode.groupAuthorizationFailed, 4, 5000)).toBe('failed')
    expect(membership.state).toBe('failed')
    expect(() => membership.joinStarted()).toThrow('GROUP_AUTHORIZATION_FAILED')
  })

  test('a failed commit leaves the generation only after a rebalance', () => {
    const membership = stable()
    membership.commitRefused(ErrorCode.offsetMetadataTooLarge)
    expect(membership.state).toBe('stable')
    membership.commitRefused(ErrorCode.illegalGeneration)
    expect(membership.state).toBe('outside')
  })

  test('a lost SyncGroup response rejoins', () => {
    const membership = new GroupMembership(options)
    membership.joinStarted()
    membership.joinAnswered(ErrorCode.none, 'm1', 4)
    membership.joinStarted()
    expect(membership).toMatchObject({ state: 'outside', memberId: 'm1' })
  })
})
