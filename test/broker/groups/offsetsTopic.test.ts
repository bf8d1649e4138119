// __consumer_offsets in real logs: records are read back as written, in and out of transactions,
// and a compacted log restores the same state.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CoordinatorTopic } from '../../../broker/coordinators/coordinatorTopic.ts'
import { GroupCoordinator } from '../../../broker/groups/groupCoordinator.ts'
import type { OffsetRecord } from '../../../broker/groups/groupRecords.ts'
import { OffsetsTopic } from '../../../broker/groups/offsetsTopic.ts'
import type { AppendResult } from '../../../broker/log/append/appendResult.ts'
import type { PartitionLog } from '../../../broker/log/partitionLog.ts'
import { Partition } from '../../../broker/replication/partition.ts'
import { encodeGroupRecordKey } from '../../../protocol/kafka/coordinators/groupRecords.ts'
import { ErrorCode, errorName } from '../../../protocol/kafka/errors.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { models } from '../../modelRuns.ts'
import { cleanLog, compactConfig, keyedBatch } from '../log/cleaner/cleaningFixture.ts'
import { diskWithData, openLog } from '../log/logFixture.ts'
import { end } from '../log/transactionFixture.ts'
import { generousLimits } from './groupSimulation.ts'
import { MemoryCatalog } from './memoryCatalog.ts'

const groupId = 'g'
const partitionCount = 3
const leadership = { partition: 0, leaderEpoch: 0, partitionCount: 1 }

function topicOver(log: PartitionLog): OffsetsTopic {
  const partition = new Partition({ topic: '__consumer_offsets', partition: 0, nodeId: 0, log })
  const topic = new CoordinatorTopic({
    name: '__consumer_offsets',
    contents: 'group offsets',
    ensureTopic: async () => {},
    partitionCount: () => 1,
    leadership: () => ({ leaderEpoch: 0, isLed: true }),
    find: () => partition,
    open: async () => partition,
  })
  return new OffsetsTopic(new ManualClock(), topic)
}

/** The offsets of the group as a broker that starts with this log restores them. */
async function replayed(log: PartitionLog) {
  const coordinator = new GroupCoordinator({
    limits: generousLimits,
    newMemberId: (prefix) => prefix,
    catalog: new MemoryCatalog(),
  })
  const replay = coordinator.replay()
  await topicOver(log).load(0, replay, () => true)
  coordinator.loaded(0, 0, replay)
  const offsets = coordinator.offsets.of(groupId)
  return Array.from({ length: partitionCount }, (_, partition) => ({
    offset: offsets?.get('t', partition)?.offset,
    isUnstable: offsets?.isUnstable('t', partition) ?? false,
  }))
}

function record(partition: number, offset: number | null): OffsetRecord {
  const value = offset === null ? null : { ...noTimes, offset, leaderEpoch: 0, metadata: '' }
  return { type: 'offset', groupId, topic: 't', partition, value }
}

const noTimes = { commitTimestampMs: 0, expireTimestampMs: -1 }

type Write =
  | { readonly kind: 'commit' | 'transaction'; readonly partition: number; readonly by: number }
  | { readonly kind: 'tombstone'; readonly partition: number }
  | { readonly kind: 'marker'; readonly by: number; readonly isCommit: boolean }
  | { readonly kind: 'roll' }
  | { readonly kind: 'clean' }

const partition = fc.nat(partitionCount - 1)
const by = fc.nat(1)
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), partition, by }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('transaction' as const), partition, by }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tombstone' as const), partition }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('marker' as const), by, isCommit: fc.boolean() }),
  },
  fc.record({ kind: fc.constant('roll' as const) }),
  fc.record({ kind: fc.constant('clean' as const) }),
)

describe('the offsets topic', () => {
  it('restores the same state after compaction', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 5, maxLength: 40, size: 'max' }),
        async (writes) => {
          const disk = await diskWithData()
          const clock = new ManualClock()
          const log = await openLog(disk, { config: compactConfig, clock })
          const topic = topicOver(log)
          let cleanedTo: number | undefined
          for (const [offset, each] of writes.entries()) {
            if (each.kind === 'roll') await log.roll()
            else if (each.kind === 'marker') await end(log, producer(each.by), each.isCommit)
            else if (each.kind === 'clean') {
              await log.roll()
              // Tombstones and markers may be removed from now on.
              clock.advance(2000)
              const before = await replayed(log)
              cleanedTo = await cleanLog(log, { disk, clock, from: cleanedTo ?? 0 })
              expect(await replayed(log)).toEqual(before)
            } else {
              const isTransactional = each.kind === 'transaction'
              const written = record(each.partition, each.kind === 'tombstone' ? null : offset)
              const from = isTransactional ? producer(each.by) : undefined
              expect(await topic.append(leadership, [written], from)).toMatchObject({
                errorCode: 0,
              })
            }
          }
          const before = await replayed(log)
          await log.close()
          const reopened = await openLog(disk, { config: compactConfig, clock })
          expect(await replayed(reopened)).toEqual(before)
          await reopened.close()
        },
      ),
      { numRuns: models.offsetsTopic.sequences },
    )
  })

  it('skips records of unknown kinds', async () => {
    const log = await openLog(await diskWithData(), { config: compactConfig })
    await log.appendAsLeader(keyedBatch([['\u0000\u0063?', 'from the future']]), {
      leaderEpoch: 0,
      origin: 'coordinator',
    })
    await topicOver(log).append(leadership, [record(0, 5)], undefined)
    expect((await replayed(log))[0]).toEqual({ offset: 5, isUnstable: false })
  })

  it('reports the offset of a damaged record, and the remedy', async () => {
    const log = await openLog(await diskWithData(), { config: compactConfig })
    await topicOver(log).append(leadership, [record(0, 5)], undefined)
    const key = encodeGroupRecordKey({ type: 'groupMetadata', group: groupId })
    await log.appendAsLeader(keyedBatch([[key.toString('latin1'), 'not a group']]), {
      leaderEpoch: 0,
      origin: 'coordinator',
    })
    await expect(replayed(log)).rejects.toThrow(
      /__consumer_offsets-0 cannot be read at offset 1 .*restore the directory/,
    )
  })

  it('translates the error of an append into an error code of coordinators', async () => {
    const cases = {
      notEnoughReplicas: 'COORDINATOR_NOT_AVAILABLE',
      requestTimedOut: 'COORDINATOR_NOT_AVAILABLE',
      kafkaStorageError: 'NOT_COORDINATOR',
      notLeaderOrFollower: 'NOT_COORDINATOR',
      messageTooLarge: 'UNKNOWN_SERVER_ERROR',
      invalidProducerEpoch: 'INVALID_PRODUCER_EPOCH',
    } as const
    for (const [name, expected] of Object.entries(cases)) {
      const errorCode = ErrorCode[name as keyof typeof cases]
      const log = Object.assign(await openLog(await diskWithData()), {
        appendAsLeader: async () => ({ errorCode, baseOffset: -1 }) as AppendResult,
      })
      const appended = await topicOver(log).append(leadership, [record(0, 5)], undefined)
      expect(errorName(appended.errorCode), name).toBe(expected)
    }
  })
})

function producer(by: number) {
  return { producerId: 7 + by, producerEpoch: 0, verification: undefined }
}
