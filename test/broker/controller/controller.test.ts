// The controller between its log and the partitions' folders: what a crash at any point leaves is
// repaired at the next start, and nothing is ever given out twice.

import { describe, expect, it } from 'vitest'
import { brokerConfig } from '../../../broker/configuration.ts'
import { Controller, type PartitionLogs } from '../../../broker/controller/controller.ts'
import type { Topic } from '../../../broker/controller/metadataState.ts'
import { ProducerIds } from '../../../broker/controller/producerIds.ts'
import { DynamicConfiguration } from '../../../broker/dynamicConfiguration.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import { MemoryMetadataLog } from './memoryMetadataLog.ts'

/** Folders by `topic-partition`. A failing one stands for a crash at that point. */
class Folders implements PartitionLogs {
  readonly names = new Set<string>()
  failing = false
  blocked = ''

  async create({ name }: Topic, from: number, until: number): Promise<void> {
    if (this.failing) throw new Error('crash')
    for (let partition = from; partition < until; partition++)
      this.names.add(`${name}-${partition}`)
  }

  async remove({ name, partitions }: Topic): Promise<void> {
    if (this.failing) throw new Error('crash')
    for (let partition = 0; partition < partitions; partition++)
      this.names.delete(`${name}-${partition}`)
  }

  readonly reconfigured: Topic[] = []

  reconfigure(topic: Topic): void {
    this.reconfigured.push(topic)
  }

  obstacle(name: string): string | undefined {
    return name === this.blocked ? 'blocked' : undefined
  }
}

async function open(log: MemoryMetadataLog, folders: Folders): Promise<Controller> {
  let id = 0
  const controller = await Controller.open({
    log,
    logger: silentLogger,
    configuration: new DynamicConfiguration(brokerConfig({ 'num.partitions': 2 })),
    newTopicId: () => `id-${log.commands.length}-${id++}`,
    newClusterId: () => 'cluster',
  })
  await controller.start(folders)
  return controller
}

function wish(name: string, numPartitions = -1) {
  return { name, numPartitions, replicationFactor: -1, assignments: [], configs: [] }
}

describe('Controller', () => {
  it('creates, grows and deletes topics, and knows them after a restart', async () => {
    const [log, folders] = [new MemoryMetadataLog(), new Folders()]
    const controller = await open(log, folders)
    expect((await controller.createTopic(wish('a'))).topic).toMatchObject({ partitions: 2 })
    await controller.createTopic(wish('b', 1))
    await controller.createPartitions('b', 3, false)
    await controller.deleteTopic(controller.state.topic('a')!)
    expect([...folders.names]).toEqual(['b-0', 'b-1', 'b-2'])
    const again = await open(log, folders)
    expect([...again.state.topics()]).toEqual([...controller.state.topics()])
    expect(again.clusterId).toBe('cluster')
  })

  it('makes the folders that a crash kept it from making', async () => {
    const [log, folders] = [new MemoryMetadataLog(), new Folders()]
    const controller = await open(log, folders)
    folders.failing = true
    await expect(controller.createTopic(wish('a'))).rejects.toThrow('crash')
    folders.failing = false
    await open(log, folders)
    expect([...folders.names]).toEqual(['a-0', 'a-1'])
  })

  it('removes the folders that a crash kept it from removing, before the name is free', async () => {
    const [log, folders] = [new MemoryMetadataLog(), new Folders()]
    const controller = await open(log, folders)
    const { topic } = await controller.createTopic(wish('a'))
    folders.failing = true
    await expect(controller.deleteTopic(topic!)).rejects.toThrow('crash')
    folders.failing = false
    const again = await open(log, folders)
    expect([...folders.names]).toEqual([])
    expect(again.state.deleting()).toEqual([])
  })

  it('refuses what Kafka refuses, and appends nothing for it', async () => {
    const log = new MemoryMetadataLog()
    const folders = new Folders()
    folders.blocked = 'stray'
    const controller = await open(log, folders)
    await controller.createTopic(wish('a.b'))
    const before = log.commands.length
    const refusal = async (change: object) =>
      (await controller.createTopic({ ...wish('x'), ...change })).errorCode
    expect(await refusal({ name: 'a.b' })).toBe(ErrorCode.topicAlreadyExists)
    expect(await refusal({ name: 'a_b' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: '..' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: 'x'.repeat(250) })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: '' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: 'stray' })).toBe(ErrorCode.kafkaStorageError)
    expect(await refusal({ numPartitions: 0 })).toBe(ErrorCode.invalidPartitions)
    expect(await refusal({ numPartitions: 2_000_000 })).toBe(ErrorCode.invalidPartitions)
    expect(await refusal({ replicationFactor: 3 })).toBe(ErrorCode.invalidReplicationFactor)
    const assignments = [{ partitionIndex: 1, brokerIds: [1] }]
    expect(await refusal({ assignments })).toBe(ErrorCode.invalidReplicaAssignment)
    const both = { assignments, numPartitions: 1 }
    expect(await refusal(both)).toBe(ErrorCode.invalidRequest)
    const configs = [{ name: 'segment.byte', value: '1' }]
    expect(await refusal({ configs })).toBe(ErrorCode.invalidConfig)
    const shrunk = await controller.createPartitions('a.b', 1, false)
    expect(shrunk.errorCode).toBe(ErrorCode.invalidPartitions)
    const validated = await controller.createTopic(wish('only-checked'), true)
    expect(validated.errorCode).toBe(ErrorCode.none)
    expect(log.commands).toHaveLength(before)
  })

  it('lets one of two that want the same name have it', async () => {
    const controller = await open(new MemoryMetadataLog(), new Folders())
    const outcomes = await Promise.all([
      controller.createTopic(wish('a')),
      controller.createTopic(wish('a')),
    ])
    const codes = outcomes.map(({ errorCode }) => errorCode)
    expect(codes).toEqual([ErrorCode.none, ErrorCode.topicAlreadyExists])
  })

  it('changes nothing any more once its log has failed', async () => {
    const log = new MemoryMetadataLog()
    const controller = await open(log, new Folders())
    log.failure = new Error('disk full')
    await expect(controller.createTopic(wish('a'))).rejects.toThrow('disk full')
    log.failure = undefined
    await expect(controller.createTopic(wish('b'))).rejects.toThrow('disk full')
    expect([...controller.state.topics()]).toEqual([])
  })

  it('keeps configs in the log and in its snapshot, and tells who lives by them', async () => {
    const [log, folders] = [new MemoryMetadataLog(), new Folders()]
    const controller = await open(log, folders)
    await controller.createTopic(wish('a'))
    const set = async (resourceType: number, resourceName: string, name: string, value: string) => {
      const changes = [{ name, operation: 0, value }]
      const configWish = { resourceType, resourceName, changes, replacesAll: false }
      return (await controller.alterConfigs(configWish, false)).errorCode
    }
    expect(await set(2, 'a', 'segment.ms', '5')).toBe(ErrorCode.none)
    expect(await set(4, '', 'max.connections', '6')).toBe(ErrorCode.none)
    expect(await set(32, 'g', 'consumer.session.timeout.ms', '50000')).toBe(ErrorCode.none)
    expect(folders.reconfigured.map(({ configs }) => configs)).toEqual([{ 'segment.ms': '5' }])
    const expectKept = ({ state }: Controller) => {
      expect(state.topic('a')!.configs).toEqual({ 'segment.ms': '5' })
      expect(state.brokerConfigs('')).toEqual({ 'max.connections': '6' })
      expect(state.groupConfigs('g')).toEqual({ 'consumer.session.timeout.ms': '50000' })
    }
    expectKept(await open(log, folders))
    for (let count = 0; count < 1000; count++) await controller.reserveProducerIds(10)
    expect(log.snapshot).toBeDefined()
    expectKept(await open(log, folders))
  })

  it('loads a snapshot from before brokers and groups had configs', async () => {
    const log = new MemoryMetadataLog()
    log.snapshot = { clusterId: 'c', topics: [], deleting: [], nextProducerId: 3 }
    const { state, clusterId } = await open(log, new Folders())
    expect([clusterId, state.nextProducerId, state.brokerConfigs('')]).toEqual(['c', 3, {}])
  })

  it('replaces a long log by a snapshot', async () => {
    const log = new MemoryMetadataLog()
    const controller = await open(log, new Folders())
    await controller.createTopic(wish('a'))
    for (let count = 0; count < 1000; count++) await controller.reserveProducerIds(10)
    expect(log.commands.length).toBeLessThan(10)
    const again = await open(log, new Folders())
    expect(again.state.topic('a')).toBeDefined()
    expect(again.state.nextProducerId).toBe(10_000)
  })
})

describe('ProducerIds', () => {
  it('reserves a block once for many, and goes on after a failure', async () => {
    let next = 0
    let fails = true
    const ids = new ProducerIds(async (count) => {
      if (fails) throw new Error('disk full')
      next += count
      return next - count
    })
    await expect(ids.next()).rejects.toThrow('disk full')
    fails = false
    const taken = await Promise.all(Array.from({ length: 2500 }, () => ids.next()))
    expect(new Set(taken).size).toBe(2500)
    expect(next).toBe(3000)
  })
})
