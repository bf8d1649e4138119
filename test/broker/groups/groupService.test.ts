// GroupService: which requests wait for writes, which groups a marker concerns, and what happens
// when the log or the broker ends.

import { describe, expect, it } from 'vitest'
import type { Appended } from '../../../broker/coordinators/coordinatorTopic.ts'
import type { GroupLog } from '../../../broker/groups/groupLog.ts'
import { GroupService } from '../../../broker/groups/groupService.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { generousLimits } from './groupSimulation.ts'
import { MemoryCatalog } from './memoryCatalog.ts'

/** Groups `a…` are in partition 0, all others in 1. Appends wait for the test. */
class HeldLog implements GroupLog {
  readonly held: ((appended: Appended | Error) => void)[] = []
  #nextOffset = 0

  async load(): Promise<void> {}

  append(): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.held.push((result) => (result instanceof Error ? reject(result) : resolve(result)))
    })
  }

  async letGo(): Promise<void> {
    const release = this.held.shift()!
    release({ errorCode: 0, baseOffset: this.#nextOffset++ })
    await settle()
  }

  readonly partitionCount = 2

  partitionOf(groupId: string): number {
    return groupId.startsWith('a') ? 0 : 1
  }

  leadership() {
    return { leaderEpoch: 0, isLed: true }
  }

  isEmpty(): boolean {
    return true
  }

  async ensure(): Promise<void> {}
}

async function open() {
  const log = new HeldLog()
  const clock = new ManualClock()
  const logger = new MemoryLogger()
  const service = await GroupService.open({
    clock,
    logger,
    log,
    limits: { ...generousLimits, offsetsRetentionMs: 60_000 },
    offsetsRetentionCheckIntervalMs: 10_000,
    newMemberId: (prefix) => prefix,
    catalog: new MemoryCatalog(),
  })
  return { service, log, clock, logger }
}

const anonymous = { memberId: '', groupInstanceId: null, generationId: -1, apiVersion: 9 }

function offsetsOf(clock: ManualClock, offset: number) {
  const times = { commitTimestampMs: clock.nowMs(), expireTimestampMs: -1 }
  return [{ topic: 't', partition: 0, value: { offset, leaderEpoch: 0, metadata: '', ...times } }]
}

function transactional(groupId: string, clock: ManualClock) {
  const member = { memberId: '', groupInstanceId: null }
  const producer = { producerId: 7, producerEpoch: 0 }
  return { groupId, member, generationId: -1, ...producer, offsets: offsetsOf(clock, 5) }
}

describe('GroupService', () => {
  it('makes a stable fetch wait for a commit in flight (KIP-447)', async () => {
    const { service, log, clock } = await open()
    const committed = service.commit('a', anonymous, offsetsOf(clock, 5))
    let fetched: number | undefined | 'waits' = 'waits'
    const fetching = service.settledOffsets('a').then((offsets) => {
      fetched = offsets?.get('t', 0)?.offset
    })
    await settle()
    expect(fetched).toBe('waits')
    expect(service.offsets('a')?.get('t', 0), 'others need not wait').toBeUndefined()
    await log.letGo()
    await fetching
    expect([fetched, await committed]).toEqual([5, [0]])
    await service.close()
  })

  it('ends a transaction in the partition of the marker, and not in others', async () => {
    const { service, log, clock } = await open()
    const both = ['a', 'b'].map((groupId) =>
      service.commitInTransaction(transactional(groupId, clock)),
    )
    await log.letGo()
    await log.letGo()
    expect(await Promise.all(both)).toEqual([[0], [0]])
    service.completeTransaction(0, 7, true)
    const seen = () => ['a', 'b'].map((groupId) => service.offsets(groupId)?.get('t', 0)?.offset)
    expect(seen()).toEqual([5, undefined])
    service.completeTransaction(1, 7, true)
    expect(seen()).toEqual([5, 5])
    await service.close()
  })

  it('asks the client to retry when an append fails', async () => {
    const { service, log, clock, logger } = await open()
    const committed = service.commit('a', anonymous, offsetsOf(clock, 5))
    log.held.shift()!(new Error('no log'))
    expect((await committed).map(errorName)).toEqual(['COORDINATOR_NOT_AVAILABLE'])
    expect(JSON.stringify(logger.lines)).toContain('failed to write records of a consumer group')
    expect(service.groups()).toEqual([])
    await service.close()
  })

  it('checks for expired offsets repeatedly, until it is closed', async () => {
    const { service, log, clock } = await open()
    void service.commit('a', anonymous, offsetsOf(clock, 5))
    await log.letGo()
    await clock.advanceAndSettle(59_000)
    expect(log.held).toHaveLength(0)
    await clock.advanceAndSettle(1000)
    expect(log.held, 'the tombstone of the offset').toHaveLength(1)
    await log.letGo()
    expect(log.held, 'and of the group').toHaveLength(1)
    await log.letGo()
    expect(service.groups()).toEqual([])
    await service.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
