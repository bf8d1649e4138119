// Random histories of a group whose members migrate between the protocols, in both directions: each
// one restarts with either protocol, joins, leaves, falls silent and loses answers, while topics
// change, appends fail and the broker restarts. The simulation checks that no partition has two
// owners, that no member commits for another one, and that epochs increase; this file checks the
// end of a history.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { models } from '../../../modelRuns.ts'
import { ClassicConsumer, type ClassicProtocol } from './classicConsumers.ts'
import { ConsumerSimulation, groupId, places, SimulatedMember } from './consumerSimulation.ts'

type Action =
  | {
      readonly kind: 'step' | 'revoke' | 'lose' | 'restart' | 'leave' | 'commit'
      readonly slot: number
    }
  /** Restarts one more process with the other protocol, as in a rolling migration. */
  | { readonly kind: 'migrate'; readonly toClassic: boolean; readonly leaves: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'append'; readonly fails: boolean }
  | { readonly kind: 'setTopic'; readonly topic: string; readonly more: number }
  | { readonly kind: 'round' | 'restartBroker' }
  | { readonly kind: 'moveLeader'; readonly written: number }

const slotCount = 3
const slot = fc.nat(slotCount - 1)
const toClassic = fc.nat(4).map((dice) => dice < 3)

function kind<K extends string>(...kinds: readonly K[]): fc.Arbitrary<K> {
  return fc.constantFrom(...kinds)
}

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: kind('step'), slot }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('revoke', 'commit'), slot }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('lose', 'restart', 'leave'), slot }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: kind('migrate'), toClassic, leaves: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('advance'), ms: fc.nat(20_000) }) },
  {
    weight: 10,
    arbitrary: fc.record({ kind: kind('append'), fails: fc.nat(7).map((dice) => dice === 0) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind('setTopic'),
      topic: fc.constantFrom('a', 'b'),
      more: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('round') }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('restartBroker') }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('moveLeader'), written: fc.nat(3) }) },
)

/** A process that uses one protocol in one run, and possibly the other in the next. */
class Slot {
  readonly modern: SimulatedMember
  readonly classic: ClassicConsumer
  isClassic: boolean
  readonly #group: ConsumerSimulation

  constructor(
    group: ConsumerSimulation,
    name: string,
    isStatic: boolean,
    isClassic: boolean,
    protocol: ClassicProtocol,
  ) {
    this.#group = group
    this.modern = new SimulatedMember(name, ['a', 'b'], null, isStatic)
    const { instanceId } = this.modern
    this.classic = new ClassicConsumer(name, ['a', 'b'], instanceId, protocol)
    this.isClassic = isClassic
  }

  get former() {
    return [...this.modern.former.slice(-2), ...this.classic.former.slice(-2)]
  }

  get self() {
    const { memberId, generationId, owned } = this.classic
    return this.isClassic ? { memberId, epoch: generationId, owned } : this.modern
  }

  get isSettled(): boolean {
    if (this.isClassic) return this.classic.next === 'heartbeat'
    return (
      this.modern.epoch > 0 &&
      places(this.modern.owned).join() === places(this.modern.lastAssignment).join()
    )
  }

  step(): void {
    if (this.isClassic) this.#group.classic.step(this.classic)
    else if (!this.#group.isWaiting(this.modern)) this.#group.heartbeat(this.modern)
  }

  revoke(): void {
    if (!this.isClassic) this.#group.revoke(this.modern)
  }

  lose(): void {
    if (this.isClassic) this.#group.classic.lose(this.classic)
    else this.#group.lose(this.modern)
  }

  restart(): void {
    if (this.isClassic) this.#group.classic.restart(this.classic)
    else this.modern.restart()
  }

  /** Restarts the process with the other protocol. */
  change(leaves: boolean): void {
    if (leaves) this.leave()
    else this.restart()
    this.isClassic = !this.isClassic
  }

  leave(): void {
    if (this.isClassic) this.#group.classic.leave(this.classic)
    else this.#group.leave(this.modern, false)
  }
}

interface Migration {
  readonly group: ConsumerSimulation
  readonly slots: readonly Slot[]
}

/** The processes. The last one is static. */
function newMigration(protocol: ClassicProtocol, isClassic: readonly boolean[]): Migration {
  const group = new ConsumerSimulation({ a: 3, b: 2 })
  const slots = isClassic.map(
    (each, index) => new Slot(group, `m${index}`, index === slotCount - 1, each, protocol),
  )
  group.with(
    slots.map(({ modern }) => modern),
    slots.map(({ classic }) => classic),
  )
  return { group, slots }
}

/**
 * A static member that ends before its SyncGroup: the partitions it was to revoke have no owner.
 */
const endedBeforeItGaveUp: [ClassicProtocol, boolean[], Action[]] = [
  'cooperative',
  [true, false, false],
  [
    { kind: 'step', slot: 2 },
    { kind: 'migrate', toClassic: true, leaves: false },
    { kind: 'migrate', toClassic: true, leaves: false },
    { kind: 'append', fails: true },
    ...steps(1, 2),
    { kind: 'append', fails: false },
    ...steps(2, 0, 0, 1, 2),
    { kind: 'round' },
    ...steps(1, 2, 0),
    { kind: 'round' },
    { kind: 'restart', slot: 2 },
  ],
]

function steps(...slots: readonly number[]): Action[] {
  return slots.map((slot) => ({ kind: 'step', slot }))
}

describe('a group of members of both protocols', () => {
  it('keeps its invariants in every history, and converges', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('eager' as const, 'cooperative' as const),
        fc.array(fc.boolean(), { minLength: slotCount, maxLength: slotCount }),
        fc.array(action, { maxLength: 70, size: 'max' }),
        (protocol, isClassic, actions) => {
          const migration = newMigration(protocol, isClassic)
          for (const each of actions) perform(migration, each)
          converge(migration)
          expectRestorable(migration)
        },
      ),
      { numRuns: models.groupMigration.sequences, examples: [endedBeforeItGaveUp] },
    )
  })
})

function perform(migration: Migration, action: Action): void {
  const { group, slots } = migration
  if ('slot' in action) performOf(group, slots[action.slot]!, action)
  else if (action.kind === 'advance') group.advance(action.ms)
  else if (action.kind === 'append')
    group.completeAppend(action.fails ? ErrorCode.notEnoughReplicas : ErrorCode.none)
  else if (action.kind === 'setTopic') {
    const { topic, more } = action
    group.catalog.set(topic, group.catalog.topic(topic)!.partitions.length + more)
  } else if (action.kind === 'migrate') {
    slots.find(({ isClassic }) => isClassic !== action.toClassic)?.change(action.leaves)
  } else if (action.kind === 'round') round(migration)
  else if (action.kind === 'moveLeader') group.moveLeader(action.written)
  else group.restartBroker()
}

function performOf(
  group: ConsumerSimulation,
  slot: Slot,
  action: Extract<Action, { slot: number }>,
): void {
  if (action.kind === 'commit') for (const self of slot.former) group.commit(self)
  else slot[action.kind]()
}

/** Every client takes its next step, and is answered. */
function round({ group, slots }: Migration): void {
  for (const slot of slots) {
    slot.revoke()
    slot.step()
    group.completeAll()
  }
}

/**
 * Without further changes, the group has the protocol of its members, every member gets its share,
 * and every partition is consumed by a member that may commit.
 */
function converge({ group, slots }: Migration): void {
  for (const { modern } of slots) modern.isUnsure = true
  const type = slots.every(({ isClassic }) => isClassic) ? 'classic' : 'consumer'
  const current = () =>
    group.coordinator.consumerGroup(groupId) ?? group.coordinator.classicGroup(groupId)!
  const isDone = () =>
    current().type === type &&
    current().state === 'Stable' &&
    [...current().members()].length === slots.length &&
    slots.every(({ isSettled }) => isSettled)
  const settle = () => {
    // Processes that ended without leaving are members until their sessions expire.
    for (let rounds = 0; rounds < 2 || (rounds < 20 && !isDone()); rounds++) {
      for (let step = 0; step < 4; step++) round({ group, slots })
      group.advance(12_000)
      group.completeAll()
    }
  }
  settle()
  if (slots.some(({ isClassic, classic }) => isClassic && classic.hasLeftPartitions)) {
    group.handle({ type: 'rebalance', groupId })
    settle()
  }
  expect(current()).toMatchObject({ type, state: 'Stable' })
  const owned = slots.flatMap(({ self }) => places(self.owned)).sort()
  expect(owned).toEqual(everyPartition(group))
  group.commitCodes.length = 0
  for (const { self } of slots) group.commit(self)
  group.completeAll()
  expect(group.commitCodes).toEqual(slots.map(() => ErrorCode.none))
}

function everyPartition({ catalog }: ConsumerSimulation): string[] {
  return [...catalog.topics()]
    .flatMap(({ id, partitions }) =>
      Array.from({ length: partitions.length }, (_, partition) => `${id}-${partition}`),
    )
    .sort()
}

/** Replaying the log restores the same group. */
function expectRestorable({ group }: Migration): void {
  const before = describeGroup(group)
  group.restartBroker()
  expect(describeGroup(group)).toEqual(before)
}

function describeGroup({ coordinator, group }: ConsumerSimulation) {
  const byId = <M extends { memberId: string }>(members: Iterable<M>) =>
    [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  if (group) {
    const { state, groupEpoch, assignmentEpoch } = group
    const members = byId(group.members()).map((member) => ({
      ...member,
      assigned: places(member.assigned),
      target: places(group.target(member.memberId)),
    }))
    return { state, groupEpoch, assignmentEpoch, members }
  }
  const classic = coordinator.classicGroup(groupId)!
  const { state, generationId, leader, protocolName } = classic
  const members = byId(classic.members()).map(({ memberId, groupInstanceId, assignment }) => ({
    memberId,
    groupInstanceId,
    assignment,
  }))
  return { state, generationId, leader, protocolName, members }
}
