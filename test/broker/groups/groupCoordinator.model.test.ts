// Random histories of a group: joins, syncs, heartbeats, leaves, restarts of clients and of the
// broker, commits in and out of transactions, deletions, expiry, passing time and failing appends,
// in any order. The simulation checks every answer; this file checks the end of a history.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClassicGroup } from '../../../broker/groups/classic/classicGroup.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { models } from '../../modelRuns.ts'
import {
  GroupSimulation,
  groupId,
  partitionCount,
  type SimulatedClient,
} from './groupSimulation.ts'

type Action =
  | {
      readonly kind: 'join' | 'sync' | 'heartbeat' | 'leave' | 'restart'
      readonly client: number
    }
  | { readonly kind: 'commit'; readonly client: number; readonly partition: number }
  | {
      readonly kind: 'commitInTransaction'
      readonly client: number
      readonly partition: number
      readonly producerId: number
    }
  | {
      readonly kind: 'endTransaction'
      readonly producerId: number
      readonly isCommitted: boolean
    }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'append'; readonly fails: boolean }
  | Removal
  | { readonly kind: 'expire'; readonly afterMs: number }
  | { readonly kind: 'converge' | 'restartBroker' }
  | { readonly kind: 'moveLeader'; readonly written: number }

type Removal =
  | { readonly kind: 'deleteOffset'; readonly partition: number }
  | { readonly kind: 'deleteGroup' | 'forgetTopic' }

const topics = ['s']
const clients = [
  { name: 'old', requireKnownMemberId: false, protocols: ['range', 'roundrobin'], topics },
  { name: 'new', requireKnownMemberId: true, protocols: ['roundrobin', 'range'], topics },
  { name: 'late', requireKnownMemberId: true, sessionTimeoutMs: 3000, protocols: ['range'] },
  { name: 'static', groupInstanceId: 'i1', protocols: ['range'], topics },
  { name: 'static2', groupInstanceId: 'i2', supportsSkippingAssignment: false, topics },
]
const offsetPartitions = 2
const retentionMs = 5000

const client = fc.nat(clients.length - 1)
const partition = fc.nat(offsetPartitions - 1)
const producerId = fc.integer({ min: 7, max: 8 })

function kind<K extends string>(...kinds: readonly K[]): fc.Arbitrary<K> {
  return fc.constantFrom(...kinds)
}

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: kind('join', 'sync', 'heartbeat', 'leave', 'restart'), client }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('commit'), client, partition }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('commitInTransaction'), client, partition, producerId }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: kind('endTransaction'), producerId, isCommitted: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('advance'), ms: fc.nat(12_000) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('append'), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('deleteOffset'), partition }) },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record({ kind: kind('converge', 'restartBroker') }),
      fc.record({ kind: kind('moveLeader'), written: fc.nat(3) }),
      fc.record({ kind: kind('expire'), afterMs: fc.constantFrom(0, retentionMs) }),
      fc.record({ kind: kind('deleteGroup', 'forgetTopic') }),
    ),
  },
)

describe('GroupCoordinator', () => {
  it('keeps its invariants in every history, and converges', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60, size: 'max' }),
        fc.constantFrom(0, 3000),
        (actions, initialRebalanceDelayMs) => {
          const limits = { initialRebalanceDelayMs, offsetsRetentionMs: retentionMs }
          const group = new GroupSimulation(clients, limits)
          for (const [index, each] of actions.entries()) {
            perform(group, each, index)
            if (group.log.isIdle) expectOffsetsOfLog(group)
          }
          converge(group, group.clients)
          expectRestorable(group)
          silence(group)
          expectForgotten(group)
        },
      ),
      { numRuns: models.classicGroups.sequences },
    )
  })
})

/** Offsets grow with the history, which makes every commit distinct. */
function perform(group: GroupSimulation, each: Action, offset: number): void {
  switch (each.kind) {
    case 'advance':
      group.advance(each.ms)
      return
    case 'append':
      group.completeAppend(each.fails ? ErrorCode.kafkaStorageError : ErrorCode.none)
      return
    case 'converge':
      converge(group, group.clients.slice(0, 3))
      return
    case 'restartBroker':
      group.restartBroker()
      return
    case 'moveLeader':
      group.moveLeader(each.written)
      return
    case 'expire':
      group.advance(each.afterMs)
      expire(group)
      return
    case 'endTransaction':
      group.endTransaction(each.producerId, each.isCommitted)
      return
    case 'deleteOffset':
    case 'deleteGroup':
    case 'forgetTopic':
      remove(group, each)
      return
    default: {
      const client = group.clients[each.client]!
      if (each.kind === 'commit') group.commit(client, offset, each.partition)
      else if (each.kind === 'commitInTransaction') {
        group.commitInTransaction(client, each.producerId, offset, each.partition)
      } else group[each.kind](client)
    }
  }
}

function remove(group: GroupSimulation, each: Removal): void {
  group.administer((requestId) => {
    switch (each.kind) {
      case 'deleteGroup':
        return { type: 'deleteGroup', requestId, groupId }
      case 'forgetTopic':
        return { type: 'forgetTopic', requestId, topic: 't' }
      case 'deleteOffset': {
        const partitions = [{ topic: 't', partition: each.partition }]
        return { type: 'deleteOffsets', requestId, groupId, partitions }
      }
    }
  })
}

/**
 * The coordinator has exactly the offsets of the log, with each transaction committed or aborted by
 * its marker.
 */
function expectOffsetsOfLog(group: GroupSimulation): void {
  const offsets = group.coordinator.offsets.of(groupId)
  for (let partition = 0; partition < offsetPartitions; partition++) {
    expect(offsets?.get('t', partition)).toEqual(group.log.committed(groupId, 't', partition))
    const isUnstable = group.log.isUnstable(groupId, 't', partition)
    expect(offsets?.isUnstable('t', partition) ?? false).toBe(isUnstable)
  }
}

/** Expiry removes no offset that is too young, or that an open transaction may change. */
function expire(group: GroupSimulation): void {
  group.completeAllAppends()
  const first = group.log.entries.length
  const offsets = group.coordinator.offsets.of(groupId)
  const before = [...(offsets?.committed() ?? [])]
  const unused = group.coordinator.classicGroup(groupId)?.offsetsUnused()
  const unstable = before.filter(({ topic, partition }) => offsets?.isUnstable(topic, partition))
  group.expireOffsets()
  group.completeAllAppends()
  for (const entry of group.log.entries.slice(first)) {
    if (entry.kind !== 'record' || entry.record.type !== 'offset') continue
    const { topic, partition, value } = entry.record
    const isIt = (each: { topic: string; partition: number }) =>
      each.topic === topic && each.partition === partition
    const { commitTimestampMs } = before.find(isIt)!.value
    expect(value, 'expiry only removes offsets').toBeNull()
    expect(unstable.some(isIt), 'a transaction may still need it').toBe(false)
    // An offset of a group without members is as old as its commit (KIP-211).
    const sinceMs = unused?.since === 'time' ? unused.ms : commitTimestampMs
    expect(group.nowMs - sinceMs).toBeGreaterThanOrEqual(retentionMs)
  }
}

/** Well-behaved clients finally share all partitions, whatever has happened before. */
function converge(group: GroupSimulation, members: readonly SimulatedClient[]): void {
  // Members that do not answer any more are removed.
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
  expect(group.coordinator.classicGroup(groupId)!.state).toBe('Stable')
}

function isShared(group: GroupSimulation, members: readonly SimulatedClient[]): boolean {
  if (group.coordinator.classicGroup(groupId)?.state !== 'Stable') return false
  const generations = new Set(members.map(({ generationId }) => generationId))
  const partitions = members.flatMap((member) => member.partitions ?? [])
  return generations.size === 1 && new Set(partitions).size === partitionCount
}

/** Replaying the log restores the same group, and its members continue. */
function expectRestorable(group: GroupSimulation): void {
  const membersOf = (each: ClassicGroup) =>
    [...each.members()].map(({ memberId, assignment }) => [memberId, [...assignment]])
  const before = group.coordinator.classicGroup(groupId)!
  const { generationId } = before
  const members = membersOf(before)
  group.restartBroker()
  const after = group.coordinator.classicGroup(groupId)!
  expect(after.state).toBe('Stable')
  expect(after.generationId).toBe(generationId)
  expect(membersOf(after)).toEqual(members)
  expectOffsetsOfLog(group)
  for (const client of group.clients) expect(group.heartbeat(client)).toBe(ErrorCode.none)
}

/** When all clients fall silent, every pending request is answered, and the group becomes empty. */
function silence(group: GroupSimulation): void {
  for (let waited = 0; waited < 8; waited++) {
    group.advance(60_000)
    group.completeAllAppends()
  }
  expect(group.waiting, 'no request stays pending').toBe(0)
  expect(group.coordinator.classicGroup(groupId)!.state).toBe('Empty')
}

/** An unused group finally leaves nothing, in memory and after a restart. */
function expectForgotten(group: GroupSimulation): void {
  for (const producerId of [7, 8]) group.endTransaction(producerId, true)
  group.advance(retentionMs)
  group.expireOffsets()
  group.completeAllAppends()
  expect(group.coordinator.classicGroup(groupId)).toBeUndefined()
  group.restartBroker()
  expect(group.coordinator.classicGroup(groupId)).toBeUndefined()
}
