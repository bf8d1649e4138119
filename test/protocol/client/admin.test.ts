import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Admin, OffsetSpec } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { drive } from './drive.ts'
import { FakeCluster } from './fakeBroker.ts'

describe('Admin', () => {
  let clock: ManualClock
  let fake: FakeCluster
  let cluster: Cluster
  let admin: Admin

  beforeEach(async () => {
    clock = new ManualClock()
    const network = memoryNetwork()
    fake = await FakeCluster.start(network, clock, { brokers: 2 })
    const runtime = { clock, network, random: seededRandom(1), scheduler: systemScheduler }
    cluster = new Cluster(runtime, { bootstrap: [...fake.addresses], clientId: 'test' })
    admin = new Admin(cluster)
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  test('creates, lists, describes and deletes topics', async () => {
    await admin.createTopics([
      { name: 'orders', partitions: 3 },
      { name: 'audit', partitions: 1 },
    ])
    expect(await admin.listTopics()).toEqual(['audit', 'orders'])
    expect(await admin.describeTopics(['audit'])).toEqual([
      {
        name: 'audit',
        topicId: zeroUuid,
        isInternal: false,
        partitions: [{ partition: 0, leader: 0, replicas: [0], isr: [0] }],
      },
    ])
    await admin.deleteTopics(['orders'])
    expect(await admin.listTopics()).toEqual(['audit'])
  })

  test('topics are deleted by name on older brokers', async () => {
    fake.claimed.set(deleteTopics.key, { minVersion: 1, maxVersion: 5 })
    fake.topics.create('orders', 1)
    await admin.deleteTopics(['orders'])
    expect(await admin.listTopics()).toEqual([])
  })

  test('an invalid request fails without retries', async () => {
    fake.topics.create('orders', 1)
    await expect(admin.createTopics([{ name: 'orders', partitions: 1 }])).rejects.toMatchObject({
      code: 'TOPIC_ALREADY_EXISTS',
    })
    await expect(admin.deleteTopics(['none'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
    await expect(admin.describeTopics(['none'])).rejects.toThrow('none')
  })

  test('offsets are listed by partition after leaders move', async () => {
    const partitions = fake.topics.create('orders', 2, 2)
    partitions[0]!.nextOffset = 10
    partitions[1]!.nextOffset = 20
    partitions[1]!.logStartOffset = 5
    expect([...(await admin.listOffsets('orders', OffsetSpec.latest))]).toEqual([
      [0, 10],
      [1, 20],
    ])
    partitions[0]!.leader = 1
    const earliest = await drive(clock, admin.listOffsets('orders', OffsetSpec.earliest))
    expect([...earliest.values()]).toEqual([0, 5])
  })

  test.each([9, 7])('committed offsets are fetched with OffsetFetch %i', async (maxVersion) => {
    fake.claimed.set(offsetFetch.key, { minVersion: 1, maxVersion })
    fake.handle(offsetFetch, (_, { version }) => {
      const partition = { committedOffset: 42, metadata: null, errorCode: 0 }
      const never = { partitionIndex: 0, ...partition, committedOffset: -1 }
      const topics = [{ name: 'orders', partitions: [never, { partitionIndex: 1, ...partition }] }]
      return version < 8 ? { topics } : { groups: [{ groupId: 'g', topics }] }
    })
    expect(await admin.committedOffsets('g')).toEqual(new Map([['orders', new Map([[1, 42]])]]))
  })
})
