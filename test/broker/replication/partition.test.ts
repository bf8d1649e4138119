// A partition of two and three replicas without a network: acknowledgements, min.insync.replicas,
// fencing by epochs, and changes of the role while appends wait.

import { describe, expect, test } from 'vitest'
import type { PartitionRegistration } from '../../../broker/controller/partitionRegistration.ts'
import type { AppendResult } from '../../../broker/log/append/appendResult.ts'
import { Partition } from '../../../broker/replication/partition.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { diskWithData, makeBatch, openReplica, stored } from '../log/logFixture.ts'

const all = { origin: 'client', acks: 'all' } as const

function registered(change: Partial<PartitionRegistration> = {}): PartitionRegistration {
  return {
    replicas: [1, 2, 3],
    isr: [1, 2, 3],
    leader: 1,
    leaderEpoch: 4,
    partitionEpoch: 7,
    ...change,
  }
}

async function partitionOf(
  registration: PartitionRegistration,
  minInSyncReplicas = 1,
  log = openReplica,
): Promise<Partition> {
  return new Partition({
    topic: 'orders',
    partition: 0,
    nodeId: 1,
    log: await log(await diskWithData()),
    registration,
    minInSyncReplicas,
  })
}

/** The error code of an append once it is answered; undefined before. */
function watch(append: Promise<AppendResult>): { errorCode: number | undefined } {
  const watched: { errorCode: number | undefined } = { errorCode: undefined }
  void append.then(({ errorCode }) => {
    watched.errorCode = errorCode
  })
  return watched
}

function batch(records = 2): Buffer {
  return makeBatch({ records })
}

describe('acks=all', () => {
  test('of a sole replica is answered when the batch is durable, already below the watermark', async () => {
    const partition = await partitionOf(registered({ replicas: [1], isr: [1] }))
    const answered = partition.appendAsLeader(batch(), all).then(({ errorCode, lastOffset }) => {
      return [errorCode, lastOffset, partition.log.highWatermark]
    })
    expect(await answered).toEqual([0, 1, 2])
    expect(partition.waitingAppends).toBe(0)
    await partition.log.close()
  })

  test('waits for all in-sync replicas, and acks=1 for the leader only', async () => {
    const partition = await partitionOf(registered())
    const first = watch(partition.appendAsLeader(batch(), all))
    const second = watch(partition.appendAsLeader(batch(), all))
    const third = partition.appendAsLeader(batch(), { ...all, acks: 'leader' })
    expect((await third).errorCode).toBe(0)
    await settle()
    expect([first.errorCode, second.errorCode]).toEqual([undefined, undefined])
    expect([partition.waitingAppends, partition.log.highWatermark]).toEqual([2, 0])
    partition.followerFetched(2, 4)
    partition.followerFetched(3, 2)
    await settle()
    expect([first.errorCode, second.errorCode]).toEqual([0, undefined])
    partition.followerFetched(3, 4)
    await settle()
    expect([second.errorCode, partition.log.highWatermark]).toEqual([0, 4])
    await partition.log.close()
  })

  test('of a retry waits like the first append', async () => {
    const partition = await partitionOf(registered({ replicas: [1, 2], isr: [1, 2] }))
    const sent = () => makeBatch({ records: 2, producerId: 5, producerEpoch: 0, baseSequence: 0 })
    const first = watch(partition.appendAsLeader(sent(), all))
    await settle()
    const retry = watch(partition.appendAsLeader(sent(), all))
    await settle()
    expect([first.errorCode, retry.errorCode]).toEqual([undefined, undefined])
    partition.followerFetched(2, 2)
    await settle()
    expect([first.errorCode, retry.errorCode, partition.log.logEndOffset]).toEqual([0, 0, 2])
    await partition.log.close()
  })

  test('is refused before the append if too few replicas are in sync', async () => {
    const partition = await partitionOf(registered({ isr: [1] }), 2)
    expect(await partition.appendAsLeader(batch(), all)).toMatchObject({
      errorCode: ErrorCode.notEnoughReplicas,
      baseOffset: -1,
    })
    expect(partition.log.logEndOffset).toBe(0)
    const single = await partition.appendAsLeader(batch(), { ...all, acks: 'leader' })
    expect([single.errorCode, partition.log.highWatermark]).toEqual([0, 0])
    await partition.log.close()
  })

  test('is answered with an error if the ISR shrinks below the minimum while it waits', async () => {
    const partition = await partitionOf(registered(), 2)
    const waiting = watch(partition.appendAsLeader(batch(), all))
    await settle()
    expect(partition.apply(registered({ isr: [1], partitionEpoch: 8 }))).toBe(true)
    await settle()
    expect(waiting.errorCode).toBe(ErrorCode.notEnoughReplicasAfterAppend)
    expect([partition.log.logEndOffset, partition.log.highWatermark]).toEqual([2, 0])
    await partition.log.close()
  })

  test('shrinking the ISR commits records that only the removed replica lacked', async () => {
    const partition = await partitionOf(registered(), 2)
    const waiting = watch(partition.appendAsLeader(batch(), all))
    await settle()
    partition.followerFetched(2, 2)
    partition.apply(registered({ isr: [1, 2], partitionEpoch: 8 }))
    await settle()
    expect([waiting.errorCode, partition.log.highWatermark]).toEqual([0, 2])
    await partition.log.close()
  })

  test('a change of min.insync.replicas takes effect immediately', async () => {
    const partition = await partitionOf(registered({ isr: [1, 2] }), 2)
    const waiting = watch(partition.appendAsLeader(batch(), all))
    await settle()
    partition.reconfigure(3)
    await settle()
    expect(waiting.errorCode).toBe(ErrorCode.notEnoughReplicasAfterAppend)
    partition.followerFetched(2, 2)
    expect(partition.log.highWatermark).toBe(0)
    partition.reconfigure(2)
    expect(partition.log.highWatermark).toBe(2)
    await partition.log.close()
  })
})

describe('epochs', () => {
  test('a leader that becomes a follower answers waiting appends with NOT_LEADER_OR_FOLLOWER', async () => {
    const partition = await partitionOf(registered())
    const waiting = watch(partition.appendAsLeader(batch(), all))
    await settle()
    const inFlight = watch(partition.appendAsLeader(batch(), all))
    const next = registered({ leader: 2, leaderEpoch: 5, partitionEpoch: 8 })
    expect(partition.apply(next)).toBe(true)
    const after = partition.appendAsLeader(batch(), all)
    await settle()
    const refused = ErrorCode.notLeaderOrFollower
    expect([waiting.errorCode, inFlight.errorCode]).toEqual([refused, refused])
    expect([(await after).errorCode, partition.isLeader]).toEqual([refused, false])
    expect(partition.leaderEpochError(-1)).toBe(refused)
    await partition.log.close()
  })

  test('a leader in a new epoch waits for its followers again', async () => {
    const partition = await partitionOf(registered({ replicas: [1, 2], isr: [1, 2] }))
    const waiting = watch(partition.appendAsLeader(batch(), all))
    await settle()
    const again = registered({ replicas: [1, 2], isr: [1, 2], leaderEpoch: 5, partitionEpoch: 8 })
    partition.apply(again)
    await settle()
    expect(waiting.errorCode).toBe(ErrorCode.notLeaderOrFollower)
    const late = await partition.appendAsLeader(batch(), { ...all, leaderEpoch: 4 })
    expect(late.errorCode).toBe(ErrorCode.notLeaderOrFollower)
    const next = watch(partition.appendAsLeader(batch(), { ...all, leaderEpoch: 5 }))
    await settle()
    expect(partition.log.endOffsetForEpoch(4)).toEqual({ epoch: 4, endOffset: 2 })
    partition.followerFetched(2, 4)
    await settle()
    expect([next.errorCode, partition.log.highWatermark]).toEqual([0, 4])
    await partition.log.close()
  })

  test('appends held during a truncation are refused in a later epoch', async () => {
    const partition = await partitionOf(registered({ leader: 2 }))
    const fetched = stored(makeBatch({ records: 3 }), 0, 4)
    const answer = { leaderEpoch: 4, batches: fetched, highWatermark: 0, logStartOffset: 0 }
    await partition.appendAsFollower(answer)
    const truncating = partition.truncateTo(0, 4)
    // The log still holds appends of an epoch that ends meanwhile.
    const held = partition.log.appendAsLeader(batch(), { origin: 'client', leaderEpoch: 4 })
    partition.log.fence(5)
    expect(await truncating).toBe(true)
    expect((await held).errorCode).toBe(ErrorCode.notLeaderOrFollower)
    await partition.log.close()
  })

  test('registrations that are not newer are ignored', async () => {
    const partition = await partitionOf(registered())
    expect(partition.apply(registered({ isr: [1] }))).toBe(false)
    expect(partition.apply(registered({ isr: [1], partitionEpoch: 6 }))).toBe(false)
    expect(partition.registration.isr).toEqual([1, 2, 3])
    const back = registered({ leaderEpoch: 3, partitionEpoch: 8 })
    expect(() => partition.apply(back)).toThrow('a leader epoch never decreases')
    const other = registered({ leader: 2, partitionEpoch: 8 })
    expect(() => partition.apply(other)).toThrow('an epoch has one leader')
    expect(() =>
      partition.apply(
        registered({ replicas: [2], isr: [2], leaderEpoch: 5, leader: 2, partitionEpoch: 9 }),
      ),
    ).toThrow('on its replicas only')
    await partition.log.close()
  })

  test('the epoch of a client is compared with the current one', async () => {
    const partition = await partitionOf(registered())
    const errors = [-1, 3, 4, 5].map((claimed) => partition.leaderEpochError(claimed))
    expect(errors).toEqual([0, ErrorCode.fencedLeaderEpoch, 0, ErrorCode.unknownLeaderEpoch])
    await partition.log.close()
  })

  test('the current epoch ends at the watermark for a consumer, at the log end for a follower', async () => {
    const partition = await partitionOf(registered())
    await partition.appendAsLeader(batch(5), { ...all, acks: 'leader' })
    partition.followerFetched(2, 3)
    partition.followerFetched(3, 3)
    expect(partition.endOffsetForEpoch(4, 'consumer')).toEqual({ epoch: 4, endOffset: 3 })
    expect(partition.endOffsetForEpoch(4, 'follower')).toEqual({ epoch: 4, endOffset: 5 })
    expect(partition.endOffsetForEpoch(5, 'follower')).toBeUndefined()
    partition.apply(registered({ leaderEpoch: 6, partitionEpoch: 8 }))
    expect(partition.endOffsetForEpoch(5, 'follower')).toEqual({ epoch: 4, endOffset: 5 })
    expect(partition.endOffsetForEpoch(5, 'consumer')).toEqual({ epoch: 4, endOffset: 3 })
    await partition.log.close()
  })
})

describe('a follower', () => {
  const following = registered({ leader: 2 })
  const answer = { leaderEpoch: 4, highWatermark: 0, logStartOffset: 0 }

  test('appends what its leader has answered, and takes over the watermark and the start', async () => {
    const partition = await partitionOf(following)
    const batches = Buffer.concat([
      stored(makeBatch({ records: 3 }), 0, 2),
      stored(makeBatch({ records: 3 }), 3, 4),
    ])
    const result = await partition.appendAsFollower({ ...answer, batches, highWatermark: 100 })
    expect(result?.errorCode).toBe(0)
    expect([partition.log.logEndOffset, partition.log.highWatermark]).toEqual([6, 6])
    const batchless = { ...answer, batches: Buffer.alloc(0), highWatermark: 100 }
    expect(await partition.appendAsFollower({ ...batchless, logStartOffset: 4 })).toBeUndefined()
    expect(partition.log.logStartOffset).toBe(4)
    await partition.appendAsFollower({ ...batchless, logStartOffset: 50 })
    expect(partition.log.logStartOffset).toBe(6)
    await partition.log.close()
  })

  test('refuses answers of another epoch, and truncations', async () => {
    const partition = await partitionOf(following)
    const late = { ...answer, leaderEpoch: 3, batches: stored(batch(), 0, 3) }
    expect((await partition.appendAsFollower(late))?.errorCode).toBe(ErrorCode.notLeaderOrFollower)
    expect(await partition.truncateTo(0, 3)).toBe(false)
    expect(await partition.truncateFullyAndStartAt(9, 5)).toBe(false)
    expect((await partition.appendAsLeader(batch(), all)).errorCode).toBe(
      ErrorCode.notLeaderOrFollower,
    )
    await partition.log.close()
  })

  test('becomes the leader with the watermark it has', async () => {
    const partition = await partitionOf(registered({ leader: 2, replicas: [1, 2], isr: [1, 2] }))
    const batches = stored(makeBatch({ records: 4 }), 0, 4)
    await partition.appendAsFollower({ ...answer, batches, highWatermark: 0 })
    const leading = registered({ replicas: [1, 2], isr: [1, 2], leaderEpoch: 5, partitionEpoch: 8 })
    expect(partition.apply(leading)).toBe(true)
    expect([partition.isLeader, partition.log.highWatermark]).toEqual([true, 0])
    partition.followerFetched(2, 4)
    expect(partition.log.highWatermark).toBe(4)
    await partition.log.close()
  })

  test('a registration during a truncation is applied after it', async () => {
    const partition = await partitionOf(following)
    const batches = stored(makeBatch({ records: 4 }), 0, 4)
    await partition.appendAsFollower({ ...answer, batches, highWatermark: 2 })
    const truncating = partition.truncateTo(0, 4)
    expect(partition.apply(registered({ isr: [1], leaderEpoch: 5, partitionEpoch: 8 }))).toBe(true)
    expect(partition.isLeader).toBe(false)
    expect(partition.apply(registered({ partitionEpoch: 8 }))).toBe(false)
    expect(await truncating).toBe(true)
    expect([partition.isLeader, partition.log.logEndOffset]).toEqual([true, 0])
    expect((await partition.appendAsLeader(batch(), all)).errorCode).toBe(0)
    expect(partition.log.highWatermark).toBe(2)
    await partition.log.close()
  })

  test('removes its records and starts where the log of its leader starts', async () => {
    const partition = await partitionOf(following)
    const batches = stored(makeBatch({ records: 4 }), 0, 4)
    await partition.appendAsFollower({ ...answer, batches, highWatermark: 4 })
    expect(await partition.truncateFullyAndStartAt(100, 4)).toBe(true)
    const { logStartOffset, logEndOffset, highWatermark } = partition.log
    expect([logStartOffset, logEndOffset, highWatermark]).toEqual([100, 100, 100])
    const later = stored(makeBatch({ records: 2 }), 100, 4)
    await partition.appendAsFollower({ ...answer, batches: later, highWatermark: 101 })
    expect([partition.log.logEndOffset, partition.log.highWatermark]).toEqual([102, 101])
    await partition.log.close()
  })
})

test('closing the partition answers waiting appends', async () => {
  const partition = await partitionOf(registered())
  const waiting = watch(partition.appendAsLeader(batch(), all))
  await settle()
  const inFlight = watch(partition.appendAsLeader(batch(), all))
  partition.close()
  await settle()
  const refused = ErrorCode.notLeaderOrFollower
  expect([waiting.errorCode, inFlight.errorCode]).toEqual([refused, refused])
  await partition.log.close()
})
