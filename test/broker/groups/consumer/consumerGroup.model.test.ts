// Random histories of a consumer group: members join, leave, change, fall silent, lose answers and
// restart, topics are created, grow and are deleted, appends fail and the broker restarts, in any
// order. The simulation checks that no partition has two owners; this file checks the end of a
// history.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { models } from '../../../modelRuns.ts'
import { ConsumerSimulation, places, SimulatedMember } from './consumerSimulation.ts'

type Action =
  | {
      readonly kind: 'heartbeat' | 'revoke' | 'lose' | 'drop' | 'restart'
      readonly member: number
    }
  | { readonly kind: 'leave'; readonly member: number; readonly forGood: boolean }
  | {
      readonly kind: 'subscribe'
      readonly member: number
      readonly topics: readonly string[]
      readonly regex: string | null
    }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'append'; readonly fails: boolean }
  | { readonly kind: 'setTopic'; readonly topic: string; readonly more: number }
  | { readonly kind: 'deleteTopic'; readonly topic: string }
  | { readonly kind: 'converge' | 'restartBroker' }

/** Error codes that a member that follows the protocol can get. */
const possibleErrors: readonly number[] = [
  ErrorCode.none,
  ErrorCode.unknownMemberId,
  ErrorCode.fencedMemberEpoch,
  ErrorCode.groupIdNotFound,
  ErrorCode.fencedInstanceId,
  ErrorCode.unreleasedInstanceId,
  ErrorCode.coordinatorNotAvailable,
]
const topicNames = ['a', 'b', 'orders-1']
const memberCount = 5
const member = fc.nat(memberCount - 1)
const topic = fc.constantFrom(...topicNames)

function kind<K extends string>(...kinds: readonly K[]): fc.Arbitrary<K> {
  return fc.constantFrom(...kinds)
}

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: kind('heartbeat'), member }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('revoke'), member }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('lose', 'drop', 'restart'), member }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('leave'), member, forGood: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('subscribe'),
      member,
      topics: fc.subarray(topicNames),
      regex: fc.constantFrom(null, 'orders-.*', 'a|b'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('advance'), ms: fc.nat(30_000) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind('append'),
      fails: fc.nat(5).map((dice) => dice === 0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('setTopic'), topic, more: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('deleteTopic'), topic }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('converge', 'restartBroker') }) },
)

describe('ConsumerGroup', () => {
  it('keeps its invariants in every history, and converges', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('uniform' as const, 'range' as const),
        fc.array(action, { maxLength: 60, size: 'max' }),
        (assignor, actions) => {
          const group = new ConsumerSimulation({ a: 4, b: 3 }, { assignors: [assignor] })
          const members = newMembers()
          group.with(members)
          for (const each of actions) perform(group, members, each)
          for (const { errorCode } of group.outcomes) expect(possibleErrors).toContain(errorCode)
          converge(group, members)
          expectRestorable(group)
        },
      ),
      { numRuns: models.consumerGroups.sequences },
    )
  })
})

/** The members. The last two are static. */
function newMembers(): SimulatedMember[] {
  return Array.from(
    { length: memberCount },
    (_, index) => new SimulatedMember(`m${index}`, ['a', 'b'], null, index >= memberCount - 2),
  )
}

function perform(
  group: ConsumerSimulation,
  members: readonly SimulatedMember[],
  action: Action,
): void {
  if ('member' in action) performOf(group, members[action.member]!, action)
  else if (action.kind === 'advance') group.advance(action.ms)
  else if (action.kind === 'append')
    group.completeAppend(action.fails ? ErrorCode.notEnoughReplicas : ErrorCode.none)
  else if (action.kind === 'setTopic') {
    const { topic, more } = action
    group.catalog.set(topic, (group.catalog.topic(topic)?.partitions.length ?? 0) + more)
  } else if (action.kind === 'deleteTopic') group.catalog.delete(action.topic)
  else if (action.kind === 'converge') converge(group, members)
  else group.restartBroker()
}

function performOf(
  group: ConsumerSimulation,
  member: SimulatedMember,
  action: Extract<Action, { member: number }>,
): void {
  if (action.kind === 'heartbeat') {
    if (!group.isWaiting(member)) group.heartbeat(member)
  } else if (action.kind === 'revoke') group.revoke(member)
  else if (action.kind === 'lose') group.lose(member)
  else if (action.kind === 'drop') member.drop()
  else if (action.kind === 'restart') member.restart()
  else if (action.kind === 'leave') group.leave(member, action.forGood)
  else if (action.kind === 'subscribe') member.subscribe(action.topics, action.regex)
}

/**
 * Without further changes, every member gets its share, and every subscribed partition is consumed.
 */
function converge(group: ConsumerSimulation, members: readonly SimulatedMember[]): void {
  for (const member of members) member.isUnsure = true
  const isDone = () => group.group?.state === 'Stable' && members.every(hasWhatItWasTold)
  // A static instance whose former member has not left has to wait until its session expires.
  for (let round = 0; round < 30 && !(round > 10 && isDone()); round++) {
    for (const member of members) {
      group.revoke(member)
      if (!group.isWaiting(member)) group.heartbeat(member)
      group.completeAll()
    }
    group.advance(5000)
    group.completeAll()
  }
  expect(group.group?.state).toBe('Stable')
  const owned = members.flatMap((member) => places(member.owned)).sort()
  expect(owned).toEqual(wanted(group, members))
}

function hasWhatItWasTold(member: SimulatedMember): boolean {
  return member.epoch > 0 && places(member.owned).join() === places(member.lastAssignment).join()
}

function wanted(group: ConsumerSimulation, members: readonly SimulatedMember[]): string[] {
  const names = topicNames.filter((name) =>
    members.some(
      ({ topics, regex }) =>
        topics.includes(name) || (regex !== null && new RegExp(`^(?:${regex})$`).test(name)),
    ),
  )
  return names
    .flatMap((name) => group.catalog.topic(name) ?? [])
    .flatMap(({ id, partitions }) =>
      Array.from({ length: partitions.length }, (_, partition) => `${id}-${partition}`),
    )
    .sort()
}

/** Replaying the log restores the same group. */
function expectRestorable(group: ConsumerSimulation): void {
  const before = describeGroup(group)
  group.restartBroker()
  expect(describeGroup(group)).toEqual(before)
}

function describeGroup({ group }: ConsumerSimulation) {
  const { state, groupEpoch, assignmentEpoch } = group!
  const members = [...group!.members()].map((member) => ({
    ...member,
    assigned: places(member.assigned),
    pendingRevocation: places(member.pendingRevocation),
    target: places(group!.target(member.memberId)),
  }))
  members.sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  return { state, groupEpoch, assignmentEpoch, members }
}
