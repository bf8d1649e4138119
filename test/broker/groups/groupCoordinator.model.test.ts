// Random histories of a group: joins, syncs, heartbeats, leaves, restarts, commits, passing time and
// failing appends in any order. The simulation checks every answer; here is what must hold besides.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GroupCoordinator } from '../../../broker/groups/groupCoordinator.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  GroupSimulation,
  generousLimits,
  groupId,
  partitionCount,
  type SimulatedClient,
} from './groupSimulation.ts'

type Action =
  | {
      readonly kind: 'join' | 'sync' | 'heartbeat' | 'leave' | 'restart' | 'commit'
      client: number
    }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'append'; readonly fails: boolean }
  | { readonly kind: 'converge' }

const clients = [
  { name: 'old', requireKnownMemberId: false, protocols: ['range', 'roundrobin'] },
  { name: 'new', requireKnownMemberId: true, protocols: ['roundrobin', 'range'] },
  { name: 'late', requireKnownMemberId: true, sessionTimeoutMs: 3000, protocols: ['range'] },
  { name: 'static', groupInstanceId: 'i1', protocols: ['range'] },
  { name: 'static2', groupInstanceId: 'i2', supportsSkippingAssignment: false },
]

const clientAction = fc.record({
  kind: fc.constantFrom('join', 'sync', 'heartbeat', 'leave', 'restart', 'commit'),
  client: fc.nat(clients.length - 1),
})
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: clientAction as fc.Arbitrary<Action> },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance'), ms: fc.nat(12_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append'), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('converge') }) },
) as fc.Arbitrary<Action>

describe('GroupCoordinator', () => {
  it('keeps its promises in every history', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 120 }),
        fc.constantFrom(0, 3000),
        (actions, initialRebalanceDelayMs) => {
          const group = new GroupSimulation(clients, { initialRebalanceDelayMs })
          for (const each of actions) perform(group, each)
          converge(group, group.clients)
          expectRestorable(group)
          silence(group)
        },
      ),
      { numRuns: 3000 },
    )
  })
})

function perform(group: GroupSimulation, each: Action): void {
  if (each.kind === 'advance') {
    group.advance(each.ms)
    return
  }
  if (each.kind === 'append') {
    group.completeAppend(each.fails ? ErrorCode.kafkaStorageError : ErrorCode.none)
    return
  }
  if (each.kind === 'converge') {
    converge(group, group.clients.slice(0, 3))
    return
  }
  const client = group.clients[each.client]!
  if (each.kind === 'commit') group.commit(client, 1)
  else group[each.kind](client)
}

/** Well-behaved clients end up sharing all partitions, whatever has happened before. */
function converge(group: GroupSimulation, members: readonly SimulatedClient[]): void {
  // Whoever was there and does not answer any more is given up.
  group.completeAllAppends()
  for (let waited = 0; waited < 8; waited++) group.advance(60_000)
  group.completeAllAppends()
  for (const client of members) group.restart(client)
  for (let round = 0; round < 12 && !isShared(group, members); round++) {
    for (const client of members) group.takePart(client)
    group.completeAllAppends()
    group.advance(1000)
  }
  expect(isShared(group, members), 'the group becomes stable').toBe(true)
  expect(group.coordinator.group(groupId)!.state).toBe('Stable')
}

function isShared(group: GroupSimulation, members: readonly SimulatedClient[]): boolean {
  if (group.coordinator.group(groupId)?.state !== 'Stable') return false
  const generations = new Set(members.map(({ generationId }) => generationId))
  const partitions = members.flatMap((member) => member.partitions ?? [])
  return generations.size === 1 && new Set(partitions).size === partitionCount
}

/** What is in the log gives the same group after a restart. */
function expectRestorable(group: GroupSimulation): void {
  const before = group.coordinator.group(groupId)!
  const restored = new GroupCoordinator(
    {
      initialRebalanceDelayMs: 0,
      maxSize: 100,
      minSessionTimeoutMs: 1,
      maxSessionTimeoutMs: 1_000_000,
      maxOffsetMetadataBytes: 100,
      ...generousLimits,
    },
    (prefix) => prefix,
  )
  const replay = restored.replay()
  for (const [offset, record] of group.log.entries()) replay.record(record, -1, offset)
  replay.finish(0, 0)
  const after = restored.group(groupId)!
  expect(after.state).toBe('Stable')
  expect(after.generationId).toBe(before.generationId)
  const membersOf = (each: typeof after) =>
    [...each.members()].map(({ memberId, assignment }) => [memberId, [...assignment]])
  expect(membersOf(after)).toEqual(membersOf(before))
}

/** When all clients fall silent, everybody who waits is answered, and the group empties. */
function silence(group: GroupSimulation): void {
  for (let waited = 0; waited < 8; waited++) {
    group.advance(60_000)
    group.completeAllAppends()
  }
  expect(group.waiting, 'nobody waits for ever').toBe(0)
  expect(group.coordinator.group(groupId)!.state).toBe('Empty')
}
