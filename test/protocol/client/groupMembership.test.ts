import { describe, expect, test } from 'vitest'
import { GroupMembership } from '../../../protocol/client/groupMembership.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'

const options = { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 3000 }

function stable(): GroupMembership {
  const membership = new GroupMembership(options)
  membership.joinStarted()
  membership.joinAnswered(ErrorCode.none, 'm1', 4)
  membership.syncAnswered(ErrorCode.none, 1000)
  return membership
}

describe('GroupMembership', () => {
  test('takes the member id it is given and joins again with it', () => {
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

  test('heartbeats are due at their interval, and only while stable', () => {
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

  test('an answer to an older generation means nothing', () => {
    const membership = stable()
    expect(membership.heartbeatAnswered(ErrorCode.unknownMemberId, 3, 4000)).toBe('accepted')
    expect(membership.state).toBe('stable')
  })

  test('lost heartbeats are borne until the session is over', () => {
    const membership = stable()
    expect(membership.heartbeatLost(4000)).toBe('again')
    expect(membership.heartbeatLost(10_999)).toBe('again')
    expect(membership.heartbeatLost(11_000)).toBe('rejoin')
    expect(membership.state).toBe('outside')
  })

  test('a coordinator that moved is asked again, a refusal is for good', () => {
    const membership = stable()
    expect(membership.heartbeatAnswered(ErrorCode.notCoordinator, 4, 4000)).toBe('again')
    expect(membership.state).toBe('stable')
    expect(membership.heartbeatAnswered(ErrorCode.groupAuthorizationFailed, 4, 5000)).toBe('failed')
    expect(membership.state).toBe('failed')
    expect(() => membership.joinStarted()).toThrow('GROUP_AUTHORIZATION_FAILED')
  })

  test('a refused commit matters only when the group moved on', () => {
    const membership = stable()
    membership.commitRefused(ErrorCode.offsetMetadataTooLarge)
    expect(membership.state).toBe('stable')
    membership.commitRefused(ErrorCode.illegalGeneration)
    expect(membership.state).toBe('outside')
  })

  test('a sync whose answer was lost starts over', () => {
    const membership = new GroupMembership(options)
    membership.joinStarted()
    membership.joinAnswered(ErrorCode.none, 'm1', 4)
    membership.joinStarted()
    expect(membership).toMatchObject({ state: 'outside', memberId: 'm1' })
  })
})
