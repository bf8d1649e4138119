// Random moves of the leadership of one partition of __consumer_offsets between two brokers over
// one log, with appends in flight: one broker may load before the other knows that it has to
// resign, and calls of older epochs arrive late. Committed offsets never decrease, and a broker
// that does not lead refuses requests.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type {
  Appended,
  CoordinatorLeadership,
} from '../../../broker/coordinators/coordinatorTopic.ts'
import type { GroupLog, GroupLogReader } from '../../../broker/groups/groupLog.ts'
import type { GroupRecord } from '../../../broker/groups/groupRecords.ts'
import { GroupService } from '../../../broker/groups/groupService.ts'
import type { CommittingProducer } from '../../../broker/groups/offsets/transactionalCommit.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { models } from '../../modelRuns.ts'
import { generousLimits } from './groupSimulation.ts'
import { MemoryCatalog } from './memoryCatalog.ts'
import { SimulatedLog } from './simulatedLog.ts'

const groupId = 'g'
const producerId = 7

type Action =
  | { readonly kind: 'commit'; readonly by: number }
  | { readonly kind: 'commitInTransaction'; readonly by: number }
  | { readonly kind: 'endTransaction'; readonly isCommitted: boolean }
  | { readonly kind: 'complete' }
  | { readonly kind: 'moveLeader'; readonly written: number; readonly resignsFirst: boolean }
  /** A load or a resignation of an older epoch arrives late. */
  | { readonly kind: 'late'; readonly by: number; readonly isLoad: boolean; readonly age: number }

const by = fc.nat(1)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('commit' as const), by }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commitInTransaction' as const), by }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('endTransaction' as const),
      isCommitted: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('complete' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('moveLeader' as const),
      written: fc.nat(3),
      resignsFirst: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('late' as const),
      by,
      isLoad: fc.boolean(),
      age: fc.integer({ min: 1, max: 3 }),
    }),
  },
)

/** One partition with its leader epoch: an append of another epoch is refused. */
class SharedLog implements GroupLog {
  readonly partitionCount = 1
  readonly log = new SimulatedLog()
  readonly #reports = new Map<number, (appended: Appended) => void>()
  epoch = 0
  #nextAppendId = 1

  partitionOf(): number {
    return 0
  }

  leadership() {
    return { leaderEpoch: this.epoch, isLed: true }
  }

  isEmpty(): boolean {
    return this.log.entries.length === 0
  }

  async ensure(): Promise<void> {}

  async load(_partition: number, reader: GroupLogReader): Promise<void> {
    await settle()
    this.log.replay(reader)
  }

  append(
    { leaderEpoch }: CoordinatorLeadership,
    records: readonly GroupRecord[],
    producer: CommittingProducer | undefined,
  ): Promise<Appended> {
    if (leaderEpoch !== this.epoch) return Promise.resolve(refused)
    const appendId = this.#nextAppendId++
    this.log.append({ type: 'append', appendId, groupId, records, producer })
    return new Promise((resolve) => this.#reports.set(appendId, resolve))
  }

  complete(): void {
    const done = this.log.complete(ErrorCode.none)
    if (!done) return
    this.#reports.get(done.appendId)!(done.appended)
    this.#reports.delete(done.appendId)
  }

  /**
   * Moves the leadership. Of the appends in flight the first ones are in the log and the others
   * fail; their results are reported later.
   */
  newEpoch(written: number): number {
    this.log.write(written)
    this.log.crash()
    for (const report of this.#reports.values()) report(refused)
    this.#reports.clear()
    return ++this.epoch
  }
}

const refused: Appended = { errorCode: ErrorCode.notCoordinator, baseOffset: -1 }

class TwoBrokers {
  readonly clock = new ManualClock()
  readonly log = new SharedLog()
  readonly services: GroupService[]
  /** The highest offset of a commit that was acknowledged or returned by a fetch. */
  #acknowledged = -1
  #shown = -1
  #nextOffset = 0
  #leader = 0
  #waiting = 0

  constructor() {
    this.services = [0, 1].map(() => {
      return new GroupService({
        clock: this.clock,
        logger: new MemoryLogger(),
        log: this.log,
        limits: generousLimits,
        catalog: new MemoryCatalog(),
        offsetsRetentionCheckIntervalMs: 1_000_000,
        newMemberId: (prefix) => prefix,
      })
    })
  }

  async start(): Promise<void> {
    await this.services[0]!.load(0, this.log.epoch)
    this.services[1]!.resign(0, this.log.epoch)
  }

  async perform(each: Action): Promise<void> {
    if (each.kind === 'commit') this.#commit(each.by)
    else if (each.kind === 'commitInTransaction') this.#commitInTransaction(each.by)
    else if (each.kind === 'endTransaction') this.#endTransaction(each.isCommitted)
    else if (each.kind === 'complete') this.log.complete()
    else if (each.kind === 'moveLeader') await this.#move(each.written, each.resignsFirst)
    else await this.#late(each)
    await settle()
    this.#expectNothingLost()
  }

  async end(): Promise<void> {
    while (!this.log.log.isIdle) {
      this.log.complete()
      await settle()
    }
    this.#expectNothingLost()
    expect(this.#waiting, 'no request stays pending').toBe(0)
    for (const service of this.services) await service.close()
    expect(this.clock.pendingTimers).toBe(0)
  }

  #commit(at: number): void {
    const offset = this.#nextOffset++
    const anonymous = { memberId: '', groupInstanceId: null, generationId: -1, apiVersion: 9 }
    this.#expectLed(at, this.services[at]!.commit(groupId, anonymous, offsets(offset)), () => {
      this.#acknowledged = Math.max(this.#acknowledged, offset)
    })
  }

  #commitInTransaction(at: number): void {
    const member = { memberId: '', groupInstanceId: null }
    const of = { groupId, member, generationId: -1, producerId, producerEpoch: 0 }
    const commit = { ...of, offsets: offsets(this.#nextOffset++) }
    this.#expectLed(at, this.services[at]!.commitInTransaction(commit), () => {})
  }

  #expectLed(at: number, answer: Promise<readonly number[]>, acknowledged: () => void): void {
    const isLeader = at === this.#leader
    this.#waiting++
    void answer.then(([code]) => {
      this.#waiting--
      if (!isLeader) expect(code, 'only the leader commits').toBe(ErrorCode.notCoordinator)
      if (code === ErrorCode.none) acknowledged()
    })
  }

  /** The leader appends the marker to its log, and reports it to the groups. */
  #endTransaction(isCommitted: boolean): void {
    this.log.log.mark(producerId, isCommitted)
    for (const service of this.services) service.completeTransaction(0, producerId, isCommitted)
  }

  async #move(written: number, resignsFirst: boolean): Promise<void> {
    const old = this.services[this.#leader]!
    this.#leader = 1 - this.#leader
    const epoch = this.log.newEpoch(written)
    if (resignsFirst) old.resign(0, epoch)
    const loading = this.services[this.#leader]!.load(0, epoch)
    if (!resignsFirst) old.resign(0, epoch)
    await loading
  }

  async #late({ by: at, isLoad, age }: Extract<Action, { kind: 'late' }>): Promise<void> {
    const epoch = this.log.epoch - age
    if (isLoad) await this.services[at]!.load(0, epoch)
    else this.services[at]!.resign(0, epoch)
  }

  #expectNothingLost(): void {
    const leader = this.services[this.#leader]!
    expect(leader.coordinatorError(groupId)).toBe(ErrorCode.none)
    expect(this.services[1 - this.#leader]!.coordinatorError(groupId)).toBe(
      ErrorCode.notCoordinator,
    )
    const shown = leader.offsets(groupId)?.get('t', 0)?.offset ?? -1
    expect(shown, 'a commit that was acknowledged').toBeGreaterThanOrEqual(this.#acknowledged)
    expect(shown, 'committed offsets never go back').toBeGreaterThanOrEqual(this.#shown)
    this.#shown = shown
    if (!this.log.log.isIdle) return
    expect(shown).toBe(this.log.log.committed(groupId, 't', 0)?.offset ?? -1)
    const isUnstable = leader.offsets(groupId)?.isUnstable('t', 0) ?? false
    expect(isUnstable).toBe(this.log.log.isUnstable(groupId, 't', 0))
  }
}

function offsets(offset: number) {
  const value = { offset, leaderEpoch: 0, metadata: '', commitTimestampMs: 0 }
  return [{ topic: 't', partition: 0, value: { ...value, expireTimestampMs: -1 } }]
}

it('a group whose coordinator moves loses no committed offset', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), async (actions) => {
      const brokers = new TwoBrokers()
      await brokers.start()
      for (const each of actions) await brokers.perform(each)
      await brokers.end()
    }),
    { numRuns: models.groupLeaderMoves.sequences },
  )
})
