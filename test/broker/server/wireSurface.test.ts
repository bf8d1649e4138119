// Descriptions of the broker and its partitions, and the errors for resources that do not exist. A
// number that looks arbitrary is the answer of Kafka 4.1.1 to the same request.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { alterPartitionReassignments } from '../../../protocol/kafka/apis/alterPartitionReassignments.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { createAcls } from '../../../protocol/kafka/apis/createAcls.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteAcls } from '../../../protocol/kafka/apis/deleteAcls.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { ElectionType, electLeaders } from '../../../protocol/kafka/apis/electLeaders.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/offsetForLeaderEpoch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { saslAuthenticate } from '../../../protocol/kafka/apis/saslAuthenticate.ts'
import { saslHandshake } from '../../../protocol/kafka/apis/saslHandshake.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { batchOf, MemoryBroker, type RawClient } from './memoryBroker.ts'

describe('the wire surface', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeEach(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
    await create('t', 3)
  })

  afterEach(() => broker.stop())

  const create = (
    name: string,
    numPartitions: number,
    configs: { name: string; value: string }[] = [],
  ) =>
    client.send(createTopics, 7, {
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs }],
      timeoutMs: 1000,
    })

  const append = (records: Buffer, version = 9) =>
    client.send(produce, version, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    })

  describe('ApiVersions', () => {
    const software = { clientSoftwareName: 'a.client-1', clientSoftwareVersion: '1.0' }

    it('lists the finalized features', async () => {
      const answer = await client.send(apiVersions, 4, software)
      expect(answer.finalizedFeaturesEpoch).toBe(0)
      expect(answer.finalizedFeatures).toContainEqual({
        name: 'transaction.version',
        minVersionLevel: 2,
        maxVersionLevel: 2,
      })
      const supported = new Map(answer.supportedFeatures.map((feature) => [feature.name, feature]))
      for (const { name, maxVersionLevel } of answer.finalizedFeatures) {
        expect(supported.get(name)!.maxVersion).toBeGreaterThanOrEqual(maxVersionLevel)
      }
    })

    it('omits ranges from 0 for clients of version 3, which cannot decode them', async () => {
      const { supportedFeatures } = await client.send(apiVersions, 3, software)
      expect(supportedFeatures.map(({ name }) => name)).toEqual(['metadata.version'])
    })

    it.each(['', '-a', 'a b', 'a-'])('refuses the software name "%s"', async (name) => {
      const request = { ...software, clientSoftwareName: name }
      const answer = await client.send(apiVersions, 3, request)
      expect(answer).toMatchObject({ errorCode: ErrorCode.invalidRequest, apiKeys: [] })
    })
  })

  it.each([0, 1, 2])('answers Produce v%i with an error for each partition', async (version) => {
    const { responses } = await append(batchOf('a'), version)
    expect(responses[0]!.partitionResponses).toMatchObject([
      { index: 0, errorCode: ErrorCode.unsupportedVersion, baseOffset: -1 },
    ])
  })

  describe('ListOffsets', () => {
    const list = async (
      timestamp: number,
      options: { version?: number; isolationLevel?: number; currentLeaderEpoch?: number } = {},
    ) => {
      const { version = 10, isolationLevel = 0, currentLeaderEpoch = -1 } = options
      const answer = await client.send(listOffsets, version, {
        replicaId: -1,
        isolationLevel,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch, timestamp }] }],
        ...(version >= 10 ? { timeoutMs: 1000 } : {}),
      })
      return answer.topics[0]!.partitions[0]!
    }

    const batchAt = (...timestamps: number[]) => {
      const builder = new RecordBatchBuilder()
      for (const timestamp of timestamps) builder.append(timestamp, null, Buffer.from('x'))
      return builder.build()
    }

    it('finds every place', async () => {
      const now = broker.clock.nowMs()
      await append(batchAt(now + 1, now + 3, now + 2))
      expect(await list(-1)).toMatchObject({ offset: 3, timestamp: -1, leaderEpoch: 0 })
      expect(await list(-1, { isolationLevel: 1 })).toMatchObject({ offset: 3 })
      expect(await list(-2)).toMatchObject({ offset: 0, timestamp: -1, leaderEpoch: 0 })
      expect(await list(-3)).toMatchObject({ offset: 1, timestamp: now + 3, leaderEpoch: 0 })
      expect(await list(-4)).toMatchObject({ offset: 0, timestamp: -1 })
      expect(await list(-5)).toMatchObject({ errorCode: 0, offset: -1, leaderEpoch: -1 })
      expect(await list(now + 2)).toMatchObject({ offset: 1, timestamp: now + 3 })
      expect(await list(now + 4)).toMatchObject({ errorCode: 0, offset: -1, timestamp: -1 })
    })

    it('finds no record in an empty log', async () => {
      for (const timestamp of [-3, -5, 0]) {
        expect(await list(timestamp)).toMatchObject({ errorCode: 0, offset: -1, leaderEpoch: -1 })
      }
    })

    it.each([
      [-3, 6],
      [-4, 7],
      [-5, 8],
      [-6, 10],
      [-99, 10],
    ])('refuses the special timestamp %i in version %i', async (timestamp, version) => {
      const { errorCode } = await list(timestamp, { version })
      expect(errorCode).toBe(ErrorCode.unsupportedVersion)
    })

    it('checks the leader epoch of the client', async () => {
      const { errorCode } = await list(-1, { currentLeaderEpoch: 4 })
      expect(errorCode).toBe(ErrorCode.unknownLeaderEpoch)
    })

    it('refuses a repeated partition', async () => {
      const partitions = [0, 0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
      const topics = [{ name: 't', partitions }]
      const answer = await client.send(listOffsets, 9, { replicaId: -1, topics })
      const codes = new Map(
        answer.topics[0]!.partitions.map((each) => [each.partitionIndex, each.errorCode]),
      )
      expect([...codes]).toEqual([
        [0, ErrorCode.invalidRequest],
        [1, ErrorCode.none],
      ])
    })
  })

  it('deletes records from the start, unless the topic is compacted only', async () => {
    await append(batchOf('a', 'b', 'c'))
    await create('compacted', 1, [{ name: 'cleanup.policy', value: 'compact' }])
    const deleteBefore = async (name: string, partitionIndex: number, offset: number) => {
      const topics = [{ name, partitions: [{ partitionIndex, offset }] }]
      const answer = await client.send(deleteRecords, 2, { topics, timeoutMs: 1000 })
      return answer.topics[0]!.partitions[0]!
    }
    expect(await deleteBefore('t', 0, 2)).toMatchObject({ errorCode: 0, lowWatermark: 2 })
    expect(await deleteBefore('t', 0, 1)).toMatchObject({ errorCode: 0, lowWatermark: 2 })
    const tooFar = { errorCode: ErrorCode.offsetOutOfRange, lowWatermark: -1 }
    expect(await deleteBefore('t', 0, 4)).toMatchObject(tooFar)
    expect(await deleteBefore('t', 0, -2)).toMatchObject(tooFar)
    expect(await deleteBefore('t', 0, -1)).toMatchObject({ errorCode: 0, lowWatermark: 3 })
    const refused = async (name: string, partition: number) =>
      (await deleteBefore(name, partition, 0)).errorCode
    expect(await refused('compacted', 0)).toBe(ErrorCode.policyViolation)
    expect(await refused('t', 9)).toBe(ErrorCode.unknownTopicOrPartition)
    expect(await refused('nope', 0)).toBe(ErrorCode.unknownTopicOrPartition)
  })

  it('describes the data directory', async () => {
    await append(batchOf('a'))
    const held = async (topics: { topic: string; partitions: number[] }[] | null) => {
      const [directory] = (await client.send(describeLogDirs, 4, { topics })).results
      expect(directory).toMatchObject({ errorCode: 0, logDir: '/data' })
      return directory!.topics.flatMap(({ name, partitions }) =>
        partitions.map((each) => `${name}-${each.partitionIndex} ${each.partitionSize}`),
      )
    }
    const size = batchOf('a').length
    expect(await held(null)).toEqual([`t-0 ${size}`, 't-1 0', 't-2 0'])
    const some = [
      { topic: 't', partitions: [2, 9] },
      { topic: 'nope', partitions: [0] },
    ]
    expect(await held(some)).toEqual(['t-2 0'])
    expect(await held([])).toEqual([])
  })

  it('returns the end offsets of leader epochs', async () => {
    await append(batchOf('a', 'b'))
    const asked = [
      { partition: 0, leaderEpoch: 0 },
      { partition: 0, leaderEpoch: 5 },
      { partition: 0, leaderEpoch: -1 },
      { partition: 0, leaderEpoch: 0, currentLeaderEpoch: 7 },
      { partition: 9, leaderEpoch: 0 },
    ]
    const topics = [{ topic: 't', partitions: asked }]
    const answer = await client.send(offsetForLeaderEpoch, 4, { topics })
    expect(answer.topics[0]!.partitions).toEqual([
      { partition: 0, errorCode: 0, leaderEpoch: 0, endOffset: 2 },
      { partition: 0, errorCode: 0, leaderEpoch: -1, endOffset: -1 },
      { partition: 0, errorCode: 0, leaderEpoch: -1, endOffset: -1 },
      { partition: 0, errorCode: 75, leaderEpoch: -1, endOffset: -1 },
      { partition: 9, errorCode: 3, leaderEpoch: -1, endOffset: -1 },
    ])
  })

  describe('DescribeTopicPartitions', () => {
    const page = (
      names: string[],
      limit: number,
      cursor: { topicName: string; partitionIndex: number } | null = null,
    ) =>
      client.send(describeTopicPartitions, 0, {
        topics: names.map((name) => ({ name })),
        responsePartitionLimit: limit,
        cursor,
      })

    it('lists every partition once, in pages', async () => {
      await create('a', 2)
      await create('z', 1)
      for (const limit of [0, 1, 2, 3, 4, 5, 6, 100]) {
        const seen: string[] = []
        let cursor: { topicName: string; partitionIndex: number } | null = null
        do {
          const answer = await page([], limit, cursor)
          for (const { name, partitions } of answer.topics) {
            seen.push(...partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`))
          }
          cursor = answer.nextCursor
        } while (cursor)
        expect(seen).toEqual(['a-0', 'a-1', 't-0', 't-1', 't-2', 'z-0'])
      }
    })

    it('returns an error for each unknown topic', async () => {
      const { topics } = await page(['t', 'nope', 'bad name'], 100)
      expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
        ['bad name', ErrorCode.invalidTopicException],
        ['nope', ErrorCode.unknownTopicOrPartition],
        ['t', ErrorCode.none],
      ])
    })

    it('refuses an invalid cursor', async () => {
      const codes = async (topicName: string, partitionIndex: number) =>
        (await page(['t'], 10, { topicName, partitionIndex })).topics[0]!.errorCode
      expect(await codes('zz', 1)).toBe(ErrorCode.invalidRequest)
      expect(await codes('t', -1)).toBe(ErrorCode.invalidRequest)
      expect(await codes('t', 7)).toBe(ErrorCode.none)
    })
  })

  describe('Metadata', () => {
    it('answers once for a repeated topic', async () => {
      const { topics } = await client.send(metadata, 1, { topics: [{ name: 't' }, { name: 't' }] })
      expect(topics.map(({ name }) => name)).toEqual(['t'])
    })

    it('accepts topic ids from version 12 on only', async () => {
      const id = '00000000-0000-0000-0000-000000000009'
      const ask = async (version: number) => {
        const topics = [{ name: version < 12 ? 'x' : null, topicId: id }]
        return (await client.send(metadata, version, { topics })).topics[0]!
      }
      expect((await ask(11)).errorCode).toBe(ErrorCode.invalidRequest)
      expect(await ask(12)).toMatchObject({ errorCode: ErrorCode.unknownTopicId, name: null })
    })

    it('does not create an internal topic on demand', async () => {
      const topics = [{ name: '__transaction_state', topicId: zeroUuid }]
      const answer = await client.send(metadata, 9, { topics, allowAutoTopicCreation: true })
      expect(answer.topics[0]).toMatchObject({
        errorCode: ErrorCode.unknownTopicOrPartition,
        isInternal: true,
      })
    })
  })

  it('describes brokers, and refuses to describe controllers', async () => {
    const ask = (endpointType: number) =>
      client.send(describeCluster, 2, { includeClusterAuthorizedOperations: true, endpointType })
    expect(await ask(1)).toMatchObject({
      errorCode: 0,
      controllerId: 1,
      brokers: [{ brokerId: 1, isFenced: false }],
      clusterAuthorizedOperations: 8096,
    })
    expect(await ask(2)).toMatchObject({ errorCode: ErrorCode.mismatchedEndpointType, brokers: [] })
    expect(await ask(9)).toMatchObject({ errorCode: ErrorCode.unsupportedEndpointType })
  })

  it('refuses to move replicas, with the reason', async () => {
    const outcomes = async (name: string, partitionIndex: number, replicas: number[] | null) => {
      const topics = [{ name, partitions: [{ partitionIndex, replicas }] }]
      const answer = await client.send(alterPartitionReassignments, 1, { topics })
      return answer.responses[0]!.partitions[0]!.errorCode
    }
    expect(await outcomes('t', 0, [1])).toBe(ErrorCode.none)
    expect(await outcomes('t', 0, [2])).toBe(ErrorCode.invalidReplicaAssignment)
    expect(await outcomes('t', 0, [1, 1])).toBe(ErrorCode.invalidReplicaAssignment)
    expect(await outcomes('t', 0, [])).toBe(ErrorCode.invalidReplicaAssignment)
    expect(await outcomes('t', 0, null)).toBe(ErrorCode.noReassignmentInProgress)
    expect(await outcomes('t', 7, [1])).toBe(ErrorCode.unknownTopicOrPartition)
    expect(await outcomes('nope', 0, [1])).toBe(ErrorCode.unknownTopicOrPartition)
  })

  it('needs no election of leaders, and reports partitions that do not exist', async () => {
    const elect = (electionType: number, topicPartitions: object[] | null) =>
      client.send(electLeaders, 2, { electionType, topicPartitions: topicPartitions as never })
    for (const type of Object.values(ElectionType)) {
      const asked = [
        { topic: 't', partitions: [0, 7] },
        { topic: 'nope', partitions: [0] },
      ]
      expect(await elect(type, asked)).toMatchObject({
        errorCode: ErrorCode.none,
        replicaElectionResults: [
          {
            topic: 't',
            partitionResult: [
              { partitionId: 0, errorCode: ErrorCode.electionNotNeeded },
              { partitionId: 7, errorCode: ErrorCode.unknownTopicOrPartition },
            ],
          },
          { partitionResult: [{ errorCode: ErrorCode.unknownTopicOrPartition }] },
        ],
      })
      const all = await elect(type, null)
      expect(all).toMatchObject({ errorCode: ErrorCode.none, replicaElectionResults: [] })
    }
    expect(await elect(9, null)).toMatchObject({ errorCode: ErrorCode.invalidRequest })
  })

  it('reports that it has no access control', async () => {
    const filter = {
      resourceTypeFilter: 2,
      resourceNameFilter: 't',
      principalFilter: null,
      hostFilter: null,
      operation: 1,
      permissionType: 1,
    }
    const creation = {
      resourceType: 2,
      resourceName: 't',
      principal: 'User:a',
      host: '*',
      operation: 3,
      permissionType: 3,
    }
    const disabled = { errorCode: ErrorCode.securityDisabled }
    expect(await client.send(describeAcls, 3, filter)).toMatchObject(disabled)
    const created = await client.send(createAcls, 3, { creations: [creation, creation] })
    expect(created.results).toMatchObject([disabled, disabled])
    const deleted = await client.send(deleteAcls, 3, { filters: [filter] })
    expect(deleted.filterResults).toMatchObject([disabled])
  })

  it('refuses authentication on a listener without it', async () => {
    const illegal = { errorCode: ErrorCode.illegalSaslState }
    expect(await client.send(saslHandshake, 1, { mechanism: 'PLAIN' })).toMatchObject(illegal)
    const authBytes = Buffer.from('token')
    expect(await client.send(saslAuthenticate, 2, { authBytes })).toMatchObject(illegal)
  })
})
