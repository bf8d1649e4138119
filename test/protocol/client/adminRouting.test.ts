// Routing of the admin client's requests in a cluster of three brokers, its retries when a broker
// refuses or is lost, and its support of older brokers.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Admin, OffsetSpec } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { consumerGroupDescribe } from '../../../protocol/kafka/apis/consumerGroupDescribe.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { describeGroups } from '../../../protocol/kafka/apis/describeGroups.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { listGroups } from '../../../protocol/kafka/apis/listGroups.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { consumerProtocolAssignment } from '../../../protocol/kafka/coordinators/groups.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { drive } from './drive.ts'
import { FakeCluster } from './fakeBroker.ts'

describe('the admin client in a cluster of three', () => {
  let clock: ManualClock
  let fake: FakeCluster
  let cluster: Cluster
  let admin: Admin

  beforeEach(async () => {
    clock = new ManualClock()
    const network = memoryNetwork()
    fake = await FakeCluster.start(network, clock, { brokers: 3 })
    const runtime = { clock, network, random: seededRandom(1), scheduler: systemScheduler }
    const bootstrap = [...fake.addresses]
    cluster = new Cluster(runtime, { bootstrap, clientId: 'test', allowAutoTopicCreation: false })
    admin = new Admin(cluster)
  })
  afterEach(async () => {
    await cluster.close()
    await fake.close()
  })

  function coordinatorOf(choose: (groupId: string) => number): void {
    fake.handle(findCoordinator, ({ coordinatorKeys = [] }) => ({
      coordinators: coordinatorKeys.map((key) => {
        const nodeId = choose(key)
        return { key, nodeId, ...fake.addresses[nodeId]!, errorCode: 0, errorMessage: null }
      }),
    }))
  }

  test('groups are listed from every broker, sorted, each once', async () => {
    fake.handle(listGroups, (_, { broker }) => ({
      errorCode: 0,
      groups: [`only-${broker}`, 'moving'].map((groupId) => ({
        groupId,
        protocolType: 'consumer',
        groupState: 'Stable',
        groupType: broker === 1 ? 'Consumer' : 'Classic',
      })),
    }))
    const listed = await admin.listGroups()
    const found = listed.map(({ groupId, coordinator }) => [groupId, coordinator])
    expect(found).toEqual([
      ['moving', 2],
      ['only-0', 0],
      ['only-1', 1],
      ['only-2', 2],
    ])
    expect((await admin.listGroups({ types: ['consumer'] })).map((each) => each.groupId)).toEqual([
      'only-1',
    ])
  })

  test('a loading broker is retried, and then fails the list', async () => {
    let isLoading = true
    let asked = 0
    fake.handle(listGroups, (_, { broker }) => {
      if (broker !== 1) return { errorCode: 0, groups: [] }
      if (asked++ > 2) isLoading = false
      return { errorCode: isLoading ? ErrorCode.coordinatorLoadInProgress : 0, groups: [] }
    })
    expect(await drive(clock, admin.listGroups())).toEqual([])
    fake.handle(listGroups, () => ({ errorCode: ErrorCode.coordinatorLoadInProgress, groups: [] }))
    await expect(drive(clock, admin.listGroups())).rejects.toMatchObject({
      code: 'COORDINATOR_LOAD_IN_PROGRESS',
    })
  })

  test('groups of brokers before Kafka 2.6, which report no states, are filtered by the client', async () => {
    fake.claimed.set(listGroups.key, { minVersion: 0, maxVersion: 2 })
    const groups = [{ groupId: 'g', protocolType: 'consumer', groupState: '', groupType: '' }]
    fake.handle(listGroups, () => ({ errorCode: 0, groups }))
    expect(await admin.listGroups()).toMatchObject([{ state: 'Unknown', groupType: 'classic' }])
    expect(await admin.listGroups({ types: ['consumer'] })).toEqual([])
  })

  test('groups are described by their coordinators, also after one moved', async () => {
    let home = 0
    coordinatorOf((groupId) => (groupId === 'moved' ? home : 1))
    fake.handle(consumerGroupDescribe, ({ groupIds }) => ({
      groups: groupIds.map((groupId) => ({ ...emptyGroup(groupId), errorCode: 69 })),
    }))
    const asked: [number, readonly string[]][] = []
    fake.handle(describeGroups, ({ groups }, { broker }) => {
      asked.push([broker, groups])
      const isGone = broker === 0
      home = 2
      return { groups: groups.map((id) => stableGroup(id, isGone ? ErrorCode.notCoordinator : 0)) }
    })
    const described = await drive(clock, admin.describeGroups(['moved', 'a', 'b']))
    expect(described.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
      ['moved', 0],
      ['a', 0],
      ['b', 0],
    ])
    expect(described[0]!.coordinator).toMatchObject({ id: 2, host: 'broker-2' })
    expect(described[1]!.members[0]!.assignment).toEqual([
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 2 },
    ])
    const byBroker = asked.sort(([one], [other]) => one - other)
    expect(byBroker).toEqual([
      [0, ['moved']],
      [1, ['a', 'b']],
      [2, ['moved']],
    ])
  })

  test('groups of brokers before Kafka 3.7 are classic, and unknown ones Dead', async () => {
    fake.claimed.set(consumerGroupDescribe.key, { minVersion: 9, maxVersion: 9 })
    fake.claimed.set(describeGroups.key, { minVersion: 0, maxVersion: 5 })
    coordinatorOf(() => 0)
    fake.handle(describeGroups, ({ groups }) => ({
      groups: groups.map((id) => ({ ...stableGroup(id, 0), groupState: 'Dead', members: [] })),
    }))
    expect(await admin.describeGroups(['g'])).toMatchObject([
      { groupId: 'g', errorCode: ErrorCode.groupIdNotFound },
    ])
    expect(fake.asked.get('ConsumerGroupDescribe')).toBeUndefined()
  })

  test('a lost coordinator fails only its own groups', async () => {
    coordinatorOf((groupId) => (groupId === 'lost' ? 1 : 0))
    fake.handle(deleteGroups, ({ groupsNames }, { broker }) => {
      if (broker === 1) return undefined
      return { results: groupsNames.map((groupId) => ({ groupId, errorCode: 0 })) }
    })
    const outcomes = await drive(clock, admin.deleteGroups(['lost', 'kept', 'lost']))
    expect(outcomes.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
      ['lost', ErrorCode.networkException],
      ['kept', 0],
      ['lost', ErrorCode.networkException],
    ])
  })

  test('an offset commit is retried at a moved coordinator', async () => {
    let home = 0
    coordinatorOf(() => home)
    fake.handle(offsetCommit, ({ topics }, { broker }) => {
      home = 1
      const errorCode = broker === 0 ? ErrorCode.notCoordinator : 0
      return {
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
        })),
      }
    })
    const set = admin.alterGroupOffsets('g', [{ topic: 'orders', partition: 0, offset: 1 }])
    expect(await drive(clock, set)).toEqual([
      { topic: 'orders', partition: 0, errorCode: 0, errorMessage: null },
    ])
  })

  test('offsets are requested once per leader, and again from a new leader', async () => {
    const partitions = fake.topics.create('orders', 9, 3)
    for (const [index, partition] of partitions.entries()) partition.nextOffset = index
    const questions = partitions.map((_, partition) => {
      return { topic: 'orders', partition, at: OffsetSpec.latest }
    })
    const found = await admin.findOffsets(questions)
    expect(found.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(fake.asked.get(listOffsets.name)).toBe(3)
    for (const partition of partitions) partition.leader = (partition.leader + 1) % 3
    const again = await drive(clock, admin.findOffsets(questions))
    expect(again.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(fake.asked.get(listOffsets.name)).toBe(9)
  })

  test('several questions about one partition use several requests', async () => {
    fake.topics.create('orders', 1)[0]!.nextOffset = 7
    const place = { topic: 'orders', partition: 0 }
    const found = await admin.findOffsets([
      { ...place, at: OffsetSpec.latest },
      { ...place, at: OffsetSpec.earliest },
    ])
    expect(found.map(({ offset }) => offset)).toEqual([7, 0])
  })

  test('log directories are listed from every broker; an unreachable one is reported', async () => {
    fake.handle(describeLogDirs, (_, { broker }) =>
      broker === 2
        ? undefined
        : {
            errorCode: 0,
            results: [{ errorCode: 0, logDir: `/data-${broker}`, topics: [], totalBytes: 10 }],
          },
    )
    const directories = await drive(clock, admin.describeLogDirs())
    expect(directories.map(({ broker, path, errorCode }) => [broker, path, errorCode])).toEqual([
      [0, '/data-0', 0],
      [1, '/data-1', 0],
      [2, '', ErrorCode.networkException],
    ])
  })

  test("a broker's configuration is requested from that broker, a topic's from any broker", async () => {
    const asked = new Map<string, number>()
    fake.handle(describeConfigs, ({ resources }, { broker }) => ({
      results: resources.map(({ resourceType, resourceName }) => {
        asked.set(resourceName, broker)
        return { errorCode: 0, errorMessage: null, resourceType, resourceName, configs: [] }
      }),
    }))
    const names = [0, 1, 2].map((id) => ({ type: 'broker', name: String(id) }) as const)
    const described = await admin.describeConfigs([...names, { type: 'topic', name: 'orders' }])
    expect(described.map(({ resource }) => resource.name)).toEqual(['0', '1', '2', 'orders'])
    expect(['0', '1', '2'].map((name) => asked.get(name))).toEqual([0, 1, 2])
    expect(asked.has('orders')).toBe(true)
  })

  test('a request stays within the limits of a broker', async () => {
    let most = 0
    fake.handle(describeConfigs, ({ resources }) => {
      most = Math.max(most, resources.length)
      return { results: resources.map((each) => ({ ...each, ...nothingSaid })) }
    })
    const topics = Array.from({ length: 250 }, (_, index) => {
      return { type: 'topic', name: `t${index}` } as const
    })
    expect(await admin.describeConfigs(topics)).toHaveLength(250)
    expect(most).toBe(100)
  })

  test('brokers before Kafka 2.8 describe the cluster in their metadata', async () => {
    fake.claimed.set(describeCluster.key, { minVersion: 9, maxVersion: 9 })
    const { brokers } = await admin.describeCluster()
    expect(brokers.map(({ id, host }) => [id, host])).toEqual([
      [0, 'broker-0'],
      [1, 'broker-1'],
      [2, 'broker-2'],
    ])
  })

  test('controller requests are retried at a moved controller', async () => {
    let asked = 0
    fake.handle(createTopics, ({ topics }) => {
      const errorCode = asked++ === 0 ? ErrorCode.notController : 0
      return { topics: topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) }
    })
    const created = await drive(clock, admin.createTopics([{ name: 'orders', partitions: 1 }]))
    expect(created).toMatchObject([{ name: 'orders', partitions: -1 }])
    expect(asked).toBe(2)
  })
})

const nothingSaid = { errorCode: 0, errorMessage: null, configs: [] }

function emptyGroup(groupId: string) {
  return {
    groupId,
    errorMessage: null,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}

function stableGroup(groupId: string, errorCode: number) {
  const assignedPartitions = [{ topic: 'orders', partitions: [2, 0] }]
  return {
    groupId,
    errorCode,
    groupState: 'Stable',
    protocolType: 'consumer',
    protocolData: 'range',
    members: [
      {
        memberId: 'm',
        clientId: 'c',
        clientHost: '/127.0.0.1',
        memberMetadata: Buffer.alloc(0),
        memberAssignment: consumerProtocolAssignment.encode({ assignedPartitions, userData: null }),
      },
    ],
  }
}
