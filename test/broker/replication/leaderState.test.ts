// The rules of a leader, without a log or a network: when the high watermark advances, which
// followers may join the ISR, and a model of both under arbitrary histories.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PartitionRegistration } from '../../../broker/controller/partitionRegistration.ts'
import { FollowerState } from '../../../broker/replication/followerState.ts'
import { LeaderState } from '../../../broker/replication/leaderState.ts'
import { models } from '../../modelRuns.ts'

const registered: PartitionRegistration = {
  replicas: [1, 2, 3],
  isr: [1, 2, 3],
  leader: 1,
  leaderEpoch: 4,
  partitionEpoch: 7,
}

function leaderOf(change: Partial<PartitionRegistration> = {}, minInSyncReplicas = 1): LeaderState {
  return new LeaderState({
    nodeId: 1,
    registration: { ...registered, ...change },
    minInSyncReplicas,
    endOffset: 10,
    acceptedEndOffset: 10,
    highWatermark: 5,
  })
}

describe('the high watermark', () => {
  test('of a sole replica is the durable end', () => {
    const leader = leaderOf({ replicas: [1], isr: [1] })
    expect([leader.isSole, leader.highWatermark]).toEqual([true, 10])
    expect(leader.logEndMoved(12)).toBe(true)
    expect(leader.highWatermark).toBe(12)
  })

  test('is the smallest end of the in-sync replicas, once all have fetched in this epoch', () => {
    const leader = leaderOf()
    expect(leader.highWatermark).toBe(5)
    expect(leader.followerFetched(2, 9)).toBe(false)
    expect(leader.followerFetched(3, 7)).toBe(true)
    expect(leader.highWatermark).toBe(7)
    expect(leader.followerFetched(3, 10)).toBe(true)
    expect(leader.highWatermark).toBe(9)
  })

  test('does not move if a follower reports less than before, or less than the watermark', () => {
    const leader = leaderOf({ replicas: [1, 2], isr: [1, 2] })
    expect(leader.followerFetched(2, 3)).toBe(false)
    expect(leader.followerFetched(2, 8)).toBe(true)
    expect(leader.followerFetched(2, 6)).toBe(false)
    expect(leader.highWatermark).toBe(8)
  })

  test('does not wait for replicas out of sync, nor for brokers that are not replicas', () => {
    const leader = leaderOf({ isr: [1, 2] })
    expect(leader.followerFetched(9, 0)).toBe(false)
    expect(leader.followerFetched(2, 10)).toBe(true)
    expect(leader.highWatermark).toBe(10)
  })

  test('waits for a replica proposed to join, because the controller may have registered it', () => {
    const leader = leaderOf({ isr: [1, 2] })
    leader.followerFetched(2, 10)
    leader.followerFetched(3, 10)
    leader.propose([1, 2, 3])
    expect(leader.maximalIsr).toEqual([1, 2, 3])
    leader.logEndMoved(12)
    leader.followerFetched(2, 12)
    expect(leader.highWatermark).toBe(10)
    expect(leader.refused()).toBe(true)
    expect(leader.highWatermark).toBe(12)
  })

  test('waits for a replica proposed to leave, until that is registered', () => {
    const leader = leaderOf()
    leader.followerFetched(2, 10)
    leader.propose([1, 2])
    expect(leader.highWatermark).toBe(5)
    expect(leader.register({ ...registered, isr: [1, 2], partitionEpoch: 8 }, 10)).toBe(true)
    expect(leader.highWatermark).toBe(10)
  })

  test('does not advance while the ISR is smaller than min.insync.replicas', () => {
    const leader = leaderOf({ isr: [1] }, 2)
    expect([leader.isUnderMinIsr, leader.highWatermark]).toEqual([true, 5])
    expect(leader.logEndMoved(11)).toBe(false)
    expect(leader.reconfigure(1)).toBe(true)
    expect(leader.highWatermark).toBe(11)
  })

  test('needs no more replicas than exist, whatever min.insync.replicas is', () => {
    expect(leaderOf({ replicas: [1], isr: [1] }, 3).isUnderMinIsr).toBe(false)
    expect(leaderOf({ isr: [1, 2] }, 3).isUnderMinIsr).toBe(true)
  })
})

describe('joining the ISR', () => {
  test('requires the high watermark and the end at which the epoch began', () => {
    const leader = leaderOf({ isr: [1, 2] })
    leader.followerFetched(2, 10)
    expect(leader.mayJoin(3)).toBe(false)
    leader.followerFetched(3, 9)
    expect(leader.mayJoin(3)).toBe(false)
    leader.followerFetched(3, 10)
    expect(leader.mayJoin(3)).toBe(true)
    expect(leader.mayJoin(2)).toBe(false)
    expect(leader.mayJoin(9)).toBe(false)
  })

  test('requires what a sole replica has acknowledged without waiting for others', () => {
    const leader = leaderOf({ replicas: [1], isr: [1] })
    leader.register({ ...registered, replicas: [1, 2], isr: [1], partitionEpoch: 8 }, 15)
    leader.followerFetched(2, 14)
    expect(leader.mayJoin(2)).toBe(false)
    leader.followerFetched(2, 15)
    expect(leader.mayJoin(2)).toBe(true)
  })

  test('is proposed once at a time, and only for followers that may join', () => {
    const leader = leaderOf({ isr: [1, 2] })
    expect(() => leader.propose([1, 2, 3])).toThrow('only when it has caught up')
    expect(() => leader.propose([2])).toThrow('a leader is in its ISR')
    expect(() => leader.propose([1, 9])).toThrow('the ISR consists of replicas')
    leader.propose([1])
    expect(() => leader.propose([1, 2])).toThrow('one change of the ISR is in flight')
  })
})

test('impossible events fail assertions', () => {
  const leader = leaderOf()
  expect(() => leaderOf({ leader: 2 })).toThrow('only the registered leader leads')
  expect(() => leader.logEndMoved(9)).toThrow('is never truncated')
  expect(() => leader.refused()).toThrow('only a proposal is refused')
  const next = { ...registered, partitionEpoch: 8 }
  expect(() => leader.register({ ...next, leaderEpoch: 5 }, 10)).toThrow('that of one epoch')
  expect(() => leader.register(registered, 10)).toThrow('a partition epoch only grows')
})

describe('a follower', () => {
  const following: PartitionRegistration = { ...registered, leader: 2 }

  test('takes over the watermark of its leader up to its own end, and never decreases it', () => {
    const follower = new FollowerState(1, following, 3)
    expect(follower.leaderAnswered(9, 6)).toBe(true)
    expect(follower.highWatermark).toBe(6)
    expect(follower.leaderAnswered(4, 6)).toBe(false)
    expect(follower.leaderAnswered(6, 6)).toBe(false)
    expect(follower.highWatermark).toBe(6)
  })

  test('accepts batches of its epoch, and none without a leader', () => {
    const follower = new FollowerState(1, following, 0)
    expect([follower.accepts(4), follower.accepts(3), follower.accepts(5)]).toEqual([
      true,
      false,
      false,
    ])
    expect(new FollowerState(1, { ...following, leader: -1 }, 0).accepts(4)).toBe(false)
    expect(() => new FollowerState(1, registered, 0)).toThrow('does not follow itself')
  })
})

type Event =
  | { readonly kind: 'append'; readonly records: number }
  | { readonly kind: 'fetch'; readonly broker: number; readonly behind: number }
  | { readonly kind: 'propose' | 'refuse' | 'register'; readonly isr: readonly number[] }
  | { readonly kind: 'min'; readonly minInSync: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), records: fc.integer({ min: 1, max: 5 }) }),
  fc.record({
    kind: fc.constant('fetch' as const),
    broker: fc.integer({ min: 2, max: 4 }),
    behind: fc.integer({ min: 0, max: 6 }),
  }),
  fc.record({
    kind: fc.constantFrom('propose' as const, 'refuse' as const, 'register' as const),
    isr: fc.subarray([2, 3]).map((others) => [1, ...others]),
  }),
  fc.record({ kind: fc.constant('min' as const), minInSync: fc.integer({ min: 1, max: 4 }) }),
)

test('all members of the maximal ISR have the committed records, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const leader = leaderOf({ isr: [1] })
      let end = 10
      let minInSync = 1
      let partitionEpoch = 7
      let isProposed = false
      for (const next of events) {
        const before = leader.highWatermark
        const wasUnder = leader.isUnderMinIsr
        if (next.kind === 'append') {
          end += next.records
          leader.logEndMoved(end)
        } else if (next.kind === 'fetch') {
          leader.followerFetched(next.broker, Math.max(0, end - next.behind))
        } else if (next.kind === 'min') {
          minInSync = next.minInSync
          leader.reconfigure(minInSync)
        } else if (next.kind === 'refuse') {
          if (isProposed) leader.refused()
          isProposed = false
        } else {
          const mayPropose = next.isr.every((id) => leader.isr.includes(id) || leader.mayJoin(id))
          if (next.kind === 'propose' && !isProposed && mayPropose) {
            leader.propose(next.isr)
            isProposed = true
          }
          if (next.kind === 'register' && isProposed) {
            const isr = leader.maximalIsr.filter((id) => next.isr.includes(id))
            leader.register({ ...registered, isr, partitionEpoch: ++partitionEpoch }, end)
            isProposed = false
          }
        }
        const { highWatermark } = leader
        expect(highWatermark).toBeGreaterThanOrEqual(before)
        expect(highWatermark).toBeLessThanOrEqual(end)
        const isMoved = highWatermark > before
        if (isMoved) {
          for (const id of leader.maximalIsr.filter((each) => each !== 1)) {
            expect(leader.followerEndOffset(id)).toBeGreaterThanOrEqual(highWatermark)
          }
          expect(leader.isr.length).toBeGreaterThanOrEqual(Math.min(minInSync, 3))
        }
        if (wasUnder && leader.isUnderMinIsr) expect(isMoved).toBe(false)
      }
    }),
    { numRuns: models.partitionLeader.sequences },
  )
})
