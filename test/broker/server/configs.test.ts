// Configs as clients see and change them: effective values and their sources, refusals and their
// error codes, and changes that apply immediately and survive a restart.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { alterConfigs } from '../../../protocol/kafka/apis/alterConfigs.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { listConfigResources } from '../../../protocol/kafka/apis/listConfigResources.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

const topicType = 2
const brokerType = 4
const loggerType = 8
const metricsType = 16
const groupType = 32
const [set, remove, append, subtract] = [0, 1, 2, 3]

type Change = readonly [name: string, operation: number, value: string | null]

describe('configs', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start({ 'log.retention.minutes': 3, 'log.index.interval.bytes': 9 })
    client = await broker.client()
    await create('t')
  })

  afterEach(() => broker.stop())

  const create = async (name: string, configs: Record<string, string> = {}) => {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const counts = { numPartitions: 1, replicationFactor: -1, assignments: [] }
    const topics = [{ name, ...counts, configs: entries }]
    return (await client.send(createTopics, 7, { topics, timeoutMs: 1000 })).topics[0]!
  }

  const alterAll = async (
    resources: readonly (readonly [type: number, name: string, changes: readonly Change[]])[],
    validateOnly = false,
  ) => {
    const request = resources.map(([resourceType, resourceName, changes]) => ({
      resourceType,
      resourceName,
      configs: changes.map(([name, configOperation, value]) => ({ name, configOperation, value })),
    }))
    const body = { resources: request, validateOnly }
    return (await client.send(incrementalAlterConfigs, 1, body)).responses
  }

  const alter = async (type: number, name: string, ...changes: Change[]) =>
    (await alterAll([[type, name, changes]]))[0]!.errorCode

  const describeAll = async (resourceType: number, resourceName: string, keys?: string[]) => {
    const resources = [{ resourceType, resourceName, configurationKeys: keys ?? null }]
    const flags = { includeSynonyms: true, includeDocumentation: true }
    return (await client.send(describeConfigs, 4, { resources, ...flags })).results[0]!
  }

  const shown = async (type: number, resource: string, name: string) =>
    (await describeAll(type, resource, [name])).configs[0]

  const restart = async () => {
    await broker.broker.close()
    await broker.start()
    client = await broker.client()
  }

  const send = async (records: Buffer, acks = -1, version = 9) => {
    const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }]
    const answer = await client.send(produce, version, { acks, timeoutMs: 1000, topicData })
    return answer.responses[0]!.partitionResponses[0]!
  }

  it('shows the sources of a value, the one with the highest priority first', async () => {
    await alter(brokerType, '', ['log.retention.ms', set, '5'])
    await alter(brokerType, '1', ['log.retention.ms', set, '6'])
    await alter(topicType, 't', ['retention.ms', set, '7'])
    expect(await shown(topicType, 't', 'retention.ms')).toMatchObject({
      value: '7',
      configSource: 1,
      configType: 5,
      readOnly: false,
      synonyms: [
        { name: 'retention.ms', value: '7', source: 1 },
        { name: 'log.retention.ms', value: '6', source: 2 },
        { name: 'log.retention.ms', value: '5', source: 3 },
        { name: 'log.retention.minutes', value: '3', source: 4 },
        { name: 'log.retention.hours', value: '168', source: 5 },
      ],
    })
    await alter(topicType, 't', ['retention.ms', remove, null])
    await alter(brokerType, '1', ['log.retention.ms', remove, null])
    expect(await shown(topicType, 't', 'retention.ms')).toMatchObject({ value: '5' })
    await alter(brokerType, '', ['log.retention.ms', remove, null])
    expect(await shown(topicType, 't', 'retention.ms')).toMatchObject({
      value: '180000',
      configSource: 5,
    })
    expect(await shown(topicType, 't', 'index.interval.bytes')).toMatchObject({
      value: '9',
      configSource: 4,
      configType: 3,
    })
  })

  // The options of Kafka's cleaner and connection limits that can be changed while the broker runs.
  it.each([
    ['log.cleaner.backoff.ms', '100', '-1'],
    ['log.cleaner.dedupe.buffer.size', '2097152', '10'],
    ['log.cleaner.io.buffer.size', '4096', '0'],
    ['log.cleaner.io.max.bytes.per.second', '1000000', 'much'],
    ['max.connections.per.ip', '7', '-1'],
    ['max.connections.per.ip.overrides', '10.0.0.1:3,[::1]:4', 'some-host:3'],
    ['max.connections', '9', 'x'],
    ['max.connection.creation.rate', '9', '0'],
  ])('changes %s of one broker or of all, and refuses invalid values', async (name, value, bad) => {
    const before = await shown(brokerType, '1', name)
    expect(before).toMatchObject({ readOnly: false, configSource: 5 })
    for (const resource of ['', '1']) {
      expect(await alter(brokerType, resource, [name, set, bad])).toBe(ErrorCode.invalidRequest)
      expect(await alter(brokerType, resource, [name, set, value])).toBe(ErrorCode.none)
    }
    await restart()
    expect(await shown(brokerType, '1', name)).toMatchObject({ value, configSource: 2 })
    await alter(brokerType, '1', [name, remove, null])
    expect(await shown(brokerType, '1', name)).toMatchObject({ value, configSource: 3 })
    await alter(brokerType, '', [name, remove, null])
    expect(await shown(brokerType, '1', name)).toMatchObject({ value: before!.value })
  })

  it('shows which configs of a broker can be changed', async () => {
    await alter(brokerType, '', ['message.max.bytes', set, '2000'])
    expect(await shown(brokerType, '1', 'message.max.bytes')).toMatchObject({
      value: '2000',
      configSource: 3,
      readOnly: false,
    })
    expect(await shown(brokerType, '1', 'log.retention.ms')).toMatchObject({
      value: null,
      configSource: 5,
      synonyms: [],
    })
    expect(await shown(brokerType, '1', 'log.retention.minutes')).toMatchObject({
      value: '3',
      configSource: 4,
      synonyms: [
        { name: 'log.retention.minutes', value: '3', source: 4 },
        { name: 'log.retention.hours', value: '168', source: 5 },
      ],
    })
    expect(await shown(brokerType, '1', 'node.id')).toMatchObject({ value: '1', readOnly: true })
    expect((await describeAll(brokerType, '')).configs).toMatchObject([
      { name: 'message.max.bytes', value: '2000', configSource: 3 },
    ])
    for (const { name, documentation } of (await describeAll(brokerType, '1')).configs) {
      expect(documentation, name).toMatch(/\.$/)
    }
  })

  it('shows and keeps the configs of a group', async () => {
    const name = 'consumer.session.timeout.ms'
    expect(await alter(groupType, 'g', [name, set, '50000'])).toBe(ErrorCode.none)
    expect(await shown(groupType, 'g', name)).toMatchObject({ value: '50000', configSource: 8 })
    expect(await shown(groupType, 'other', name)).toMatchObject({ value: '45000', configSource: 5 })
    expect(await alter(groupType, 'g', [name, set, '1'])).toBe(ErrorCode.invalidConfig)
    expect(await alter(groupType, 'g', ['share.session.timeout.ms', set, '1'])).toBe(
      ErrorCode.invalidConfig,
    )
    await restart()
    expect(await shown(groupType, 'g', name)).toMatchObject({ value: '50000' })
  })

  it('keeps the largest int64 exactly, also across a restart', async () => {
    const largest = '9223372036854775807'
    await alter(topicType, 't', ['retention.ms', set, largest])
    await alter(brokerType, '', ['log.retention.bytes', set, '9223372036854775806'])
    await restart()
    expect(await shown(topicType, 't', 'retention.ms')).toMatchObject({ value: largest })
    expect(await shown(topicType, 't', 'retention.bytes')).toMatchObject({
      value: '9223372036854775806',
    })
    expect(await shown(topicType, 't', 'flush.messages')).toMatchObject({ value: largest })
    expect(await alter(topicType, 't', ['retention.ms', set, '9223372036854775808'])).toBe(
      ErrorCode.invalidConfig,
    )
  })

  it('appends to lists and subtracts from them', async () => {
    const policy = async () => (await shown(topicType, 't', 'cleanup.policy'))!.value
    await alter(topicType, 't', ['cleanup.policy', append, 'compact'])
    expect(await policy()).toBe('delete,compact')
    await alter(topicType, 't', ['cleanup.policy', append, 'delete'])
    expect(await policy()).toBe('delete,compact')
    await alter(topicType, 't', ['cleanup.policy', subtract, 'delete'])
    expect(await policy()).toBe('compact')
    expect(await alter(topicType, 't', ['retention.ms', append, '1'])).toBe(ErrorCode.invalidConfig)
  })

  it('replaces all configs with AlterConfigs', async () => {
    await alter(topicType, 't', ['segment.ms', set, '5'], ['retention.ms', set, '6'])
    const configs = [{ name: 'retention.ms', value: '7' }]
    const resources = [{ resourceType: topicType, resourceName: 't', configs }]
    const answer = await client.send(alterConfigs, 2, { resources, validateOnly: false })
    expect(answer.responses[0]!.errorCode).toBe(ErrorCode.none)
    expect(await shown(topicType, 't', 'retention.ms')).toMatchObject({ value: '7' })
    expect(await shown(topicType, 't', 'segment.ms')).toMatchObject({ configSource: 5 })
  })

  it.each<[string, number, string, Change, number]>([
    ['an unknown key', topicType, 't', ['nonsense', set, '1'], ErrorCode.invalidConfig],
    ['a wrong value', topicType, 't', ['segment.bytes', set, '5'], ErrorCode.invalidConfig],
    ['tiered storage', topicType, 't', ['remote.storage.enable', set, 'true'], 40],
    ['no value', topicType, 't', ['segment.ms', set, null], ErrorCode.invalidRequest],
    ['an operation', topicType, 't', ['segment.ms', 4, '1'], ErrorCode.invalidRequest],
    ['a topic', topicType, 'nowhere', ['segment.ms', set, '1'], 3],
    ['a name', topicType, 'no spaces', ['segment.ms', set, '1'], 17],
    ['a read-only key', brokerType, '1', ['num.partitions', set, '1'], ErrorCode.invalidRequest],
    ['a key without use', brokerType, '1', ['num.io.threads', set, '1'], ErrorCode.invalidConfig],
    ['a broker value', brokerType, '', ['message.max.bytes', set, '-1'], ErrorCode.invalidRequest],
    ['another broker', brokerType, '2', ['message.max.bytes', set, '1'], ErrorCode.invalidRequest],
    ['no broker', brokerType, 'one', ['message.max.bytes', set, '1'], ErrorCode.invalidRequest],
    ['all groups', groupType, '', ['consumer.session.timeout.ms', set, '50000'], 42],
    ['a logger', loggerType, '1', ['root', set, 'INFO'], ErrorCode.invalidRequest],
    ['client metrics', metricsType, 'm', ['interval.ms', set, '1'], ErrorCode.invalidRequest],
  ])('refuses %s', async (_, type, name, change, errorCode) => {
    expect(await alter(type, name, change)).toBe(errorCode)
  })

  it('refuses lags that leave nothing to compact, and repeated resources and keys', async () => {
    const min: Change = ['min.compaction.lag.ms', set, '10']
    expect(await alter(topicType, 't', min, ['max.compaction.lag.ms', set, '9'])).toBe(
      ErrorCode.invalidConfig,
    )
    expect(await alter(topicType, 't', min, min)).toBe(ErrorCode.invalidRequest)
    const answers = await alterAll([
      [topicType, 't', [min]],
      [brokerType, '1', [['max.connections', set, '9']]],
      [topicType, 't', [min]],
    ])
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([42, 0, 42])
    expect(await shown(topicType, 't', 'min.compaction.lag.ms')).toMatchObject({ configSource: 5 })
  })

  it('changes nothing with validateOnly', async () => {
    const wish = [topicType, 't', [['segment.ms', set, '5']]] as const
    expect((await alterAll([wish], true))[0]).toMatchObject({ errorCode: 0 })
    expect(await shown(topicType, 't', 'segment.ms')).toMatchObject({ configSource: 5 })
    const before = broker.metadataLog.entries.length
    await alterAll([wish], true)
    expect(broker.metadataLog.entries).toHaveLength(before)
  })

  it('applies to open logs immediately', async () => {
    expect(await send(batchOf('x'.repeat(100)))).toMatchObject({ errorCode: 0 })
    await alter(brokerType, '', ['message.max.bytes', set, '80'])
    expect(await send(batchOf('x'.repeat(100)))).toMatchObject({
      errorCode: ErrorCode.messageTooLarge,
    })
    await alter(topicType, 't', ['max.message.bytes', set, '1000'])
    expect(await send(batchOf('x'.repeat(100)))).toMatchObject({ errorCode: 0 })
  })

  it('never requires more in-sync replicas than a partition has', async () => {
    await alter(topicType, 't', ['min.insync.replicas', set, '2'])
    expect(await send(batchOf('x'))).toMatchObject({ errorCode: 0 })
  })

  it('accepts one batch for a partition, and no zstd from a version without it', async () => {
    const two = Buffer.concat([batchOf('a'), batchOf('b')])
    expect(await send(two)).toMatchObject({ errorCode: ErrorCode.invalidRecord })
    const builder = new RecordBatchBuilder({ compression: Compression.zstd })
    builder.append(0, null, Buffer.from('a'))
    const zstd = builder.build()
    expect(await send(Buffer.from(zstd), -1, 6)).toMatchObject({
      errorCode: ErrorCode.unsupportedCompressionType,
    })
    expect(await send(zstd, -1, 7)).toMatchObject({ errorCode: ErrorCode.none, baseOffset: 0 })
  })

  it('refuses each record without a key for a compacted topic', async () => {
    await alter(topicType, 't', ['cleanup.policy', set, 'compact'])
    expect(await send(batchOf('a', 'b'))).toMatchObject({
      errorCode: ErrorCode.invalidRecord,
      recordErrors: [{ batchIndex: 0 }, { batchIndex: 1 }],
      errorMessage: expect.stringContaining('2 of the records are refused'),
    })
    expect(await send(batchOf('a'), -1, 3)).toMatchObject({ errorCode: ErrorCode.invalidRecord })
  })

  it('stores records in the compression of the topic', async () => {
    await alter(topicType, 't', ['compression.type', set, 'zstd'])
    await send(batchOf('a', 'b'))
    await send(batchOf('c'))
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000 }]
    const topics = [{ topic: 't', partitions }]
    const answer = await client.send(fetch, 11, { maxWaitMs: 0, minBytes: 1, topics })
    const batches = [...splitBatches(answer.responses[0]!.partitions[0]!.records!)]
    expect(batches.map(({ compression }) => compression)).toEqual([
      Compression.zstd,
      Compression.zstd,
    ])
    expect(batches.map(({ baseOffset }) => baseOffset)).toEqual([0, 2])
  })

  it('returns the configs of a new topic with their sources', async () => {
    const { configs, topicId } = await create('new', { 'segment.ms': '5' })
    expect(topicId).not.toBe(zeroUuid)
    const sources = new Map(configs!.map(({ name, configSource }) => [name, configSource]))
    expect(sources.get('segment.ms')).toBe(1)
    expect(sources.get('retention.ms')).toBe(5)
    expect(sources.get('cleanup.policy')).toBe(5)
    expect(sources.has('internal.segment.bytes')).toBe(false)
    for (const refused of [{ 'segment.ms': 'x' }, { ['__proto__']: 'x' }]) {
      const { errorCode } = await create('refused', refused)
      expect(errorCode).toBe(ErrorCode.invalidConfig)
    }
  })

  it('deletes no topic when delete.topic.enable is false', async () => {
    await broker.stop()
    broker = await MemoryBroker.start({ 'delete.topic.enable': false })
    client = await broker.client()
    await create('t')
    const attempt = async (version: number) => {
      const byName = { topicNames: ['t'], topics: [{ name: 't', topicId: zeroUuid }] }
      const wanted = version < 6 ? { topicNames: byName.topicNames } : { topics: byName.topics }
      const answer = await client.send(deleteTopics, version, { ...wanted, timeoutMs: 1000 })
      return answer.responses[0]!.errorCode
    }
    expect(await attempt(2)).toBe(ErrorCode.invalidRequest)
    expect(await attempt(6)).toBe(ErrorCode.topicDeletionDisabled)
    expect((await client.send(metadata, 1, { topics: null })).topics).toHaveLength(1)
  })

  it('lists the resources with configs', async () => {
    await alter(groupType, 'g', ['consumer.session.timeout.ms', set, '50000'])
    const list = async (resourceTypes: number[]) =>
      await client.send(listConfigResources, 1, { resourceTypes })
    expect((await list([])).configResources).toEqual([
      { resourceName: 't', resourceType: topicType },
      { resourceName: '1', resourceType: brokerType },
      { resourceName: '1', resourceType: loggerType },
      { resourceName: 'g', resourceType: groupType },
    ])
    expect((await list([loggerType])).configResources).toEqual([
      { resourceName: '1', resourceType: loggerType },
    ])
    expect((await list([metricsType])).configResources).toEqual([])
    expect((await list([groupType])).configResources).toHaveLength(1)
    expect((await list([99])).errorCode).toBe(ErrorCode.unsupportedVersion)
    expect((await client.send(listConfigResources, 0, {})).configResources).toEqual([])
  })

  it('answers once for a topic that a request contains twice', async () => {
    const counts = { numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
    const topics = ['new', 'other', 'new'].map((name) => ({ name, ...counts }))
    const created = await client.send(createTopics, 7, { topics, timeoutMs: 1000 })
    expect(created.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['new', ErrorCode.invalidRequest],
      ['other', ErrorCode.none],
    ])
    const grown = await client.send(createPartitions, 3, {
      topics: [2, 3].map((count) => ({ name: 't', count, assignments: null })),
      timeoutMs: 1000,
      validateOnly: false,
    })
    expect(grown.results).toMatchObject([{ name: 't', errorCode: ErrorCode.invalidRequest }])
    const topicNames = ['nowhere', 't', 'nowhere']
    const deleted = await client.send(deleteTopics, 4, { topicNames, timeoutMs: 1000 })
    expect(deleted.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['nowhere', ErrorCode.invalidRequest],
      ['t', ErrorCode.none],
    ])
  })

  it('refuses a topic that a request contains by name and by id', async () => {
    const { topics } = await client.send(metadata, 12, { topics: null })
    const { name, topicId } = topics[0]!
    const both = [
      { name, topicId: zeroUuid },
      { name: null, topicId },
    ]
    const answer = await client.send(deleteTopics, 6, { topics: both, timeoutMs: 1000 })
    expect(answer.responses.map(({ errorCode }) => errorCode)).toEqual([42, 42])
  })
})
