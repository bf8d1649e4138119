// The admin client against Millrace and against real Kafka: the same calls have the same results.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Admin, OffsetSpec, type TopicDescription } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { type RunningBroker, startKafka, startOurs } from '../differential/brokers.ts'
import { hasKafka, kafkaVersion } from '../peers/kafka.ts'
import { eventually } from './eventually.ts'
import { PlatformaticClients } from './platformaticClients.ts'

const kafka = `Kafka ${kafkaVersion}`
const peers: [string, () => Promise<RunningBroker>][] = [['our broker', startOurs]]
if (hasKafka()) peers.push([kafka, startKafka])

describe.each(peers)('the admin client with %s', (_, start) => {
  let broker: RunningBroker
  let cluster: Cluster
  let admin: Admin
  const members = new PlatformaticClients(() => broker.address)

  beforeAll(async () => {
    broker = await start()
    const [host, port] = broker.address.split(':')
    cluster = new Cluster(nodeRuntime(tcpNetwork), {
      bootstrap: [{ host: host!, port: Number(port) }],
      clientId: 'admin',
      allowAutoTopicCreation: false,
    })
    admin = new Admin(cluster)
  }, 120_000)

  afterEach(() => members.close())

  afterAll(async () => {
    await cluster?.close()
    await broker?.stop()
  })

  /** Produces one record a second, from `startMs` on. */
  async function produce(topic: string, values: readonly string[], startMs = Date.now()) {
    const producer = new Producer(cluster, cluster.runtime, { lingerMs: 0 })
    const sent = values.map((value, index) => {
      const timestampMs = startMs + 1000 * index
      return producer.send(topic, { value: Buffer.from(value), partition: 0, timestampMs })
    })
    await Promise.all(sent)
    await producer.close()
  }

  /** Waits until the brokers have learned of it from their controller. */
  async function described(topic: string): Promise<TopicDescription> {
    const isListed = async () => (await admin.listTopics()).includes(topic)
    await eventually(`${topic} is known`, isListed)
    return (await admin.describeTopics([topic]))[0]!
  }

  /** Kafka's brokers may not know a topic yet that was just created. */
  async function create(topic: string, partitions: number): Promise<void> {
    await admin.createTopics([{ name: topic, partitions }])
    await described(topic)
  }

  it('describes the cluster', async () => {
    const { clusterId, controllerId, brokers } = await admin.describeCluster()
    expect(clusterId).toMatch(/^[\w-]{22}$/)
    expect(brokers).toHaveLength(1)
    expect(brokers[0]).toMatchObject({ host: '127.0.0.1', rack: null })
    expect(controllerId).toBe(brokers[0]!.id)
  })

  it('creates and validates topics, and adds partitions', async () => {
    await admin.createTopics([{ name: 'checked', partitions: 1 }], { validateOnly: true })
    expect(await admin.listTopics()).not.toContain('checked')
    await admin.createTopics([{ name: 'wide', partitions: 2 }])
    await admin.createPartitions('wide', 5, { validateOnly: true })
    expect((await described('wide')).partitions).toHaveLength(2)
    await admin.createPartitions('wide', 4)
    const isWide = async () => (await described('wide')).partitions.length === 4
    await eventually('four partitions', isWide)
    const refusals = [
      admin.createPartitions('wide', 4),
      admin.createPartitions('nowhere', 4),
      admin.createTopics([{ name: 'wide', partitions: 1 }]),
      admin.createTopics([{ name: 'a b', partitions: 1 }]),
      admin.createTopics([{ name: 'wider', partitions: 1, replicationFactor: 2 }]),
      admin.createTopics([{ name: 'wider', partitions: 1, configs: { 'no.such': '1' } }]),
    ]
    const codes = (await Promise.allSettled(refusals)).map((each) =>
      each.status === 'rejected' ? each.reason.code : 'done',
    )
    expect(codes).toEqual([
      'INVALID_PARTITIONS',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'TOPIC_ALREADY_EXISTS',
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_REPLICATION_FACTOR',
      'INVALID_CONFIG',
    ])
  })

  it('creates topics with the defaults of the broker, and with explicit replicas', async () => {
    const { brokers } = await admin.describeCluster()
    const id = brokers[0]!.id
    const created = await admin.createTopics([
      { name: 'usual', replicationFactor: -1 },
      { name: 'assigned', assignments: [[id], [id], [id]] },
    ])
    expect(created).toMatchObject([
      { name: 'usual', partitions: 1, replicationFactor: 1 },
      { name: 'assigned', partitions: 3, replicationFactor: 1 },
    ])
    const { topicId, partitions } = await described('assigned')
    expect(partitions.map(({ replicas }) => replicas)).toEqual([[id], [id], [id]])
    expect(topicId).toBe(created[1]!.topicId)
    expect((await described('usual')).partitions).toHaveLength(1)
  })

  it('describes and changes configurations of topics and brokers', async () => {
    await create('tuned', 1)
    const topic = { type: 'topic', name: 'tuned' } as const
    const broker = {
      type: 'broker',
      name: String((await admin.describeCluster()).controllerId),
    } as const
    const configOf = async (name: string) => {
      const [described] = await admin.describeConfigs([topic])
      const entry = described!.entries.find((each) => each.name === name)!
      return [entry.value, entry.source]
    }
    const change = async (value: string, operation: 'set' | 'append' | 'subtract' | 'delete') => {
      const changes = [{ name: 'cleanup.policy', operation, value }]
      const [outcome] = await admin.alterConfigs([{ resource: topic, changes }])
      expect(outcome).toMatchObject({ resource: topic, errorCode: 0 })
    }
    expect(await configOf('cleanup.policy')).toEqual(['delete', 'DEFAULT_CONFIG'])
    await change('compact', 'append')
    await eventually('the change', async () => (await configOf('cleanup.policy'))[0] !== 'delete')
    expect(await configOf('cleanup.policy')).toEqual(['delete,compact', 'DYNAMIC_TOPIC_CONFIG'])
    await change('delete', 'subtract')
    await eventually('the change', async () => (await configOf('cleanup.policy'))[0] === 'compact')
    await change('', 'delete')
    await eventually('the change', async () => (await configOf('cleanup.policy'))[0] === 'delete')
    const unknown = { type: 'topic', name: 'nowhere' } as const
    const described = await admin.describeConfigs([unknown, broker, topic])
    expect(described.map(({ errorCode }) => errorCode)).toEqual([3, 0, 0])
    const nodeId = described[1]!.entries.find((entry) => entry.name === 'node.id')
    expect(nodeId).toMatchObject({ value: broker.name, isReadOnly: true, isSensitive: false })
    const bad = [{ name: 'retention.ms', operation: 'set', value: 'long' }] as const
    const good = [{ name: 'retention.ms', operation: 'set', value: '5000' }] as const
    const outcomes = await admin.alterConfigs(
      [
        { resource: topic, changes: bad },
        { resource: unknown, changes: good },
        { resource: { type: 'broker', name: '99' }, changes: good },
      ],
      { validateOnly: true },
    )
    expect(outcomes.map(({ errorCode }) => errorCode)).toEqual([40, 3, 8])
    expect(outcomes[2]!.errorMessage).toContain('99')
    await admin.alterConfigs([{ resource: topic, changes: good }], { validateOnly: true })
    expect((await configOf('retention.ms'))[1]).toBe('DEFAULT_CONFIG')
  })

  it('finds offsets and deletes records', async () => {
    await create('filled', 2)
    const startMs = Date.now() - 10_000
    await produce('filled', ['a', 'b', 'c', 'd'], startMs)
    const place = { topic: 'filled', partition: 0 }
    const found = await admin.findOffsets([
      { ...place, at: OffsetSpec.earliest },
      { ...place, at: OffsetSpec.latest },
      { ...place, at: startMs + 1500 },
      { ...place, at: startMs + 9000 },
      { topic: 'filled', partition: 1, at: OffsetSpec.latest },
      { topic: 'filled', partition: 7, at: OffsetSpec.latest },
      { topic: 'nowhere', partition: 0, at: OffsetSpec.latest },
    ])
    expect(found.map(({ offset, errorCode }) => [offset, errorCode])).toEqual([
      ...[
        [0, 0],
        [4, 0],
        [2, 0],
        [-1, 0],
        [0, 0],
      ],
      ...[
        [-1, 3],
        [-1, 3],
      ],
    ])
    expect(found[2]!.timestampMs).toBe(startMs + 2000)
    const deleted = await admin.deleteRecords([
      { ...place, offset: 3 },
      { topic: 'filled', partition: 1, offset: 9 },
      { topic: 'nowhere', partition: 0, offset: 1 },
    ])
    expect(deleted.map(({ lowWatermark, errorCode }) => [lowWatermark, errorCode])).toEqual([
      [3, 0],
      [-1, 1],
      [-1, 3],
    ])
    expect(await admin.listOffsets('filled', OffsetSpec.earliest)).toEqual(
      new Map([
        [0, 3],
        [1, 0],
      ]),
    )
  })

  it.each(['classic', 'consumer'] as const)('lists and describes a %s group', async (type) => {
    const topic = `read-${type}`
    const groupId = `readers-${type}`
    await create(topic, 2)
    const member = await members.join(groupId, topic, { groupProtocol: type, clientId: 'reader' })
    await eventually('both partitions', () => member.share() === 2)
    const isListed = async () => (await admin.listGroups()).some((each) => each.groupId === groupId)
    await eventually('the group', isListed)
    const { controllerId } = await admin.describeCluster()
    const listed = await admin.listGroups({ types: [type], states: ['Stable'] })
    expect(listed).toContainEqual({
      groupId,
      state: 'Stable',
      protocolType: 'consumer',
      groupType: type,
      coordinator: controllerId,
    })
    const other = type === 'classic' ? 'consumer' : 'classic'
    expect((await admin.listGroups({ types: [other] })).map((each) => each.groupId)).not.toContain(
      groupId,
    )
    const [described, absent] = await admin.describeGroups([groupId, 'nobody'])
    expect(described).toMatchObject({
      groupId,
      state: 'Stable',
      groupType: type,
      protocolType: 'consumer',
      coordinator: { id: controllerId, host: '127.0.0.1' },
      errorCode: 0,
    })
    expect(described!.assignor).not.toBe('')
    expect(described!.members).toHaveLength(1)
    expect(described!.members[0]).toMatchObject({ clientId: 'reader', instanceId: null })
    const assigned = [0, 1].map((partition) => ({ topic, partition }))
    expect(described!.members[0]!.assignment).toEqual(assigned)
    expect(absent).toMatchObject({ groupId: 'nobody', errorCode: 69 })

    const place = { topic, partition: 0 }
    const [refused] = await admin.alterGroupOffsets(groupId, [{ ...place, offset: 1 }])
    expect([25, 22, 113]).toContain(refused!.errorCode)
    expect((await admin.deleteGroups([groupId]))[0]!.errorCode).toBe(68)
    expect((await admin.deleteGroupOffsets(groupId, [place]))[0]!.errorCode).toBe(86)
  })

  it('sets and deletes the offsets of an empty group, and deletes the group', async () => {
    await create('offsets', 3)
    const at = (partition: number, topic = 'offsets') => ({ topic, partition })
    const set = await admin.alterGroupOffsets('moved', [
      { ...at(2), offset: 12 },
      { ...at(0), offset: 10 },
      { ...at(0, 'nowhere'), offset: 1 },
    ])
    expect(set.map(({ errorCode }) => errorCode)).toEqual([0, 0, 3])
    expect(await admin.groupOffsets('moved')).toEqual([
      { ...at(0), offset: 10, metadata: '' },
      { ...at(2), offset: 12, metadata: '' },
    ])
    expect(await admin.groupOffsets('nobody')).toEqual([])
    const deleted = await admin.deleteGroupOffsets('moved', [at(0)])
    expect(deleted.map(({ errorCode }) => errorCode)).toEqual([0])
    expect(await admin.committedOffsets('moved')).toEqual(
      new Map([['offsets', new Map([[2, 12]])]]),
    )
    const absent = await admin.deleteGroupOffsets('nobody', [at(0)])
    expect(absent[0]!.errorCode).toBe(69)
    const outcomes = await admin.deleteGroups(['moved', 'nobody'])
    expect(outcomes.map(({ errorCode }) => errorCode)).toEqual([0, 69])
    expect(await admin.groupOffsets('moved')).toEqual([])
  })

  it('describes log directories and reassignments', async () => {
    await create('stored', 2)
    await produce('stored', ['a'.repeat(1000)])
    const { controllerId } = await admin.describeCluster()
    const storedIn = (directories: Awaited<ReturnType<typeof admin.describeLogDirs>>) =>
      directories
        .flatMap(({ replicas }) => replicas)
        .filter(({ topic }) => topic === 'stored')
        .sort((one, other) => one.partition - other.partition)
    // Kafka creates the logs of a new topic one after another.
    await eventually('the logs', async () => {
      return storedIn(await admin.describeLogDirs()).length === 2
    })
    const directories = await admin.describeLogDirs()
    const stored = storedIn(directories)
    expect(stored.map(({ partition }) => partition)).toEqual([0, 1])
    expect(stored[0]!.sizeBytes).toBeGreaterThan(1000)
    expect(directories[0]).toMatchObject({ broker: controllerId, errorCode: 0 })
    expect(directories[0]!.usableBytes).toBeGreaterThan(0)
    expect(await admin.describeLogDirs([99])).toMatchObject([{ broker: 99, errorCode: 8 }])
    expect(await admin.listReassignments()).toEqual([])
    expect(await admin.listReassignments(['stored'])).toEqual([])
  })

  it('deletes topics', async () => {
    await create('gone', 1)
    await admin.deleteTopics(['gone'])
    await eventually('the deletion', async () => !(await admin.listTopics()).includes('gone'))
    await expect(admin.deleteTopics(['gone'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })
})
