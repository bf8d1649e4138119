import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import {
  type FetchedBatches,
  GroupConsumer,
  type GroupConsumerOptions,
} from '../../../../protocol/client/consumer/consumer.ts'
import { joinGroup } from '../../../../protocol/kafka/apis/joinGroup.ts'
import { offsetCommit } from '../../../../protocol/kafka/apis/offsetCommit.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Network } from '../../../../protocol/runtime/network/network.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { encodedBatch } from '../batches.ts'
import { drive } from '../drive.ts'
import { FakeCluster } from '../fakeBroker.ts'
import type { FakePartition } from '../fakeTopics.ts'

describe('GroupConsumer', () => {
  let clock: ManualClock
  let network: Network
  let fake: FakeCluster
  let clusters: Cluster[]
  let partitions: FakePartition[]

  beforeEach(async () => {
    clock = new ManualClock()
    network = memoryNetwork()
    fake = await FakeCluster.start(network, clock, { brokers: 2 })
    clusters = []
    partitions = fake.topics.create('orders', 4, 2)
    for (const [index, partition] of partitions.entries())
      fill(partition, [`${index}:0`, `${index}:1`])
  })
  afterEach(async () => {
    for (const cluster of clusters) await cluster.close()
    await fake.close()
  })

  function fill(partition: FakePartition, values: string[]): void {
    partition.append(encodedBatch(values))
  }

  function consumer(options: Partial<GroupConsumerOptions> = {}): GroupConsumer {
    const runtime = {
      clock,
      network,
      random: seededRandom(clusters.length + 1),
      scheduler: systemScheduler,
    }
    const cluster = new Cluster(runtime, { bootstrap: [...fake.addresses], clientId: 'test' })
    clusters.push(cluster)
    return new GroupConsumer(cluster, {
      groupId: 'g',
      topics: ['orders'],
      autoOffsetReset: 'earliest',
      ...options,
    })
  }

  const values = (fetched: FetchedBatches[]) =>
    fetched
      .flatMap(({ batches, offset }) =>
        [...splitBatches(batches)]
          .flatMap((batch) => [...records(batch, 1000)])
          .filter((record) => record.offset >= offset),
      )
      .map(({ value }) => value!.toString())
      .sort()

  const assigned = ({ assignment }: GroupConsumer) => assignment.get('orders') ?? []

  test('a single member reads everything, commits, and continues from the committed offsets', async () => {
    const one = consumer()
    expect(values(await drive(clock, one.poll()))).toEqual(
      [0, 1, 2, 3].flatMap((index) => [`${index}:0`, `${index}:1`]),
    )
    expect(assigned(one)).toEqual([0, 1, 2, 3])
    await one.commit()
    fill(partitions[2]!, ['2:2'])
    await drive(clock, one.close())
    const other = consumer()
    expect(values(await drive(clock, other.poll()))).toEqual(['2:2'])
    expect(fake.groups.group('g').offsets.get('orders-2')).toBe(2)
    await drive(clock, other.close())
    expect(fake.groups.group('g').members.size).toBe(0)
  })

  test('two members share the partitions; when one leaves, the other gets all', async () => {
    const [one, two] = [consumer(), consumer()]
    await drive(clock, Promise.all([one.poll(), two.poll()]))
    expect([...assigned(one), ...assigned(two)].sort()).toEqual([0, 1, 2, 3])
    expect(assigned(one)).toHaveLength(2)
    await one.commit()
    await two.commit()
    await drive(clock, one.close())
    // The other member learns of the rebalance by its heartbeat, and its next poll rejoins.
    await clock.advanceAndSettle(3500)
    await drive(clock, two.poll())
    expect(assigned(two)).toEqual([0, 1, 2, 3])
    await drive(clock, two.close())
  })

  test('a new member revokes partitions, which can be committed in onRevoked', async () => {
    const revoked: number[][] = []
    const one: GroupConsumer = consumer({
      onRevoked: async (assignment) => {
        revoked.push([...(assignment.get('orders') ?? [])])
      },
    })
    await drive(clock, one.poll())
    await one.commit()
    const two = consumer()
    const joining = two.poll()
    for (let step = 0; step < 50; step++) await clock.advanceAndSettle(100)
    await drive(clock, Promise.all([joining, one.poll()]))
    expect(revoked).toEqual([[0, 1, 2, 3]])
    expect(assigned(one)).toHaveLength(2)
    expect(assigned(two)).toHaveLength(2)
    await drive(clock, Promise.all([one.close(), two.close()]))
  })

  test('a removed member cannot commit, and rejoins', async () => {
    const one = consumer()
    await drive(clock, one.poll())
    const { memberId } = one
    fake.groups.expelAll('g')
    await expect(one.commit()).rejects.toMatchObject({ code: 'UNKNOWN_MEMBER_ID' })
    // Nothing was committed: all records are delivered again.
    expect(values(await drive(clock, one.poll()))).toHaveLength(8)
    expect(one.memberId).not.toBe(memberId)
    await drive(clock, one.close())
  })

  test('a member whose group was removed cannot commit, and rejoins', async () => {
    const one = consumer()
    await drive(clock, one.poll())
    const { memberId } = one
    fake.groups.expelAll('g')
    const commit = fake.handlerOf(offsetCommit)
    fake.handle(offsetCommit, ({ topics }) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          return { partitionIndex, errorCode: ErrorCode.groupIdNotFound }
        }),
      })),
    }))
    await expect(one.commit()).rejects.toMatchObject({ code: 'UNKNOWN_MEMBER_ID' })
    fake.handle(offsetCommit, commit)
    expect(values(await drive(clock, one.poll()))).toHaveLength(8)
    expect(one.memberId).not.toBe(memberId)
    await drive(clock, one.close())
  })

  test('a member that knows that it was removed commits nothing to its empty group', async () => {
    const one = consumer({ heartbeatIntervalMs: 100 })
    await drive(clock, one.poll())
    fake.groups.expelAll('g')
    await clock.advanceAndSettle(200)
    expect(one.generationId).toBe(-1)
    await expect(one.commit()).rejects.toMatchObject({ code: 'ILLEGAL_GENERATION' })
    expect(values(await drive(clock, one.poll()))).toHaveLength(8)
    await drive(clock, one.close())
  })

  test('consumption continues after lost connections and moved leaders', async () => {
    const one = consumer()
    await drive(clock, one.poll())
    const seen: string[] = []
    for (let round = 0; round < 20; round++) {
      fake.dropConnections()
      fake.topics.moveLeaders(2)
      fill(partitions[round % 4]!, [`new ${round}`])
      for (let poll = 0; poll < 4; poll++) seen.push(...values(await drive(clock, one.poll())))
    }
    for (let poll = 0; poll < 10; poll++) seen.push(...values(await drive(clock, one.poll())))
    expect(seen.sort()).toEqual(Array.from({ length: 20 }, (_, round) => `new ${round}`).sort())
    await drive(clock, one.close())
  })

  test('an offset out of range is reset by autoOffsetReset', async () => {
    const one = consumer()
    await drive(clock, one.poll())
    partitions[1]!.logStartOffset = 5
    partitions[1]!.nextOffset = 5
    await drive(clock, one.poll())
    fill(partitions[1]!, ['after'])
    expect(values(await drive(clock, one.poll()))).toEqual(['after'])
    await drive(clock, one.close())
  })

  test('autoOffsetReset latest starts at the end, none fails', async () => {
    const late = consumer({ autoOffsetReset: 'latest' })
    expect(await drive(clock, late.poll())).toEqual([])
    fill(partitions[0]!, ['new'])
    expect(values(await drive(clock, late.poll()))).toEqual(['new'])
    await drive(clock, late.close())
    const strict = consumer({ groupId: 'strict', autoOffsetReset: 'none' })
    const refused = await drive(
      clock,
      strict.poll().catch((error) => error),
    )
    expect(refused.code).toBe('OFFSET_OUT_OF_RANGE')
    await drive(clock, strict.close())
  })

  test('a join refused by the group fails every poll', async () => {
    fake.handle(joinGroup, () => ({
      errorCode: ErrorCode.groupAuthorizationFailed,
      protocolName: null,
      leader: '',
      memberId: '',
      members: [],
    }))
    const one = consumer()
    for (let attempt = 0; attempt < 2; attempt++) {
      const refused = await drive(
        clock,
        one.poll().catch((error) => error),
      )
      expect(refused.code).toBe('GROUP_AUTHORIZATION_FAILED')
    }
    await one.close()
    await expect(one.poll()).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
  })
})
