// Topics as an administrator manages them, and their descriptions: creation, growth, deletion,
// metadata, logs, the cluster, and the coordinators.

import { alterPartitionReassignments } from '../../../protocol/kafka/apis/alterPartitionReassignments.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { describeClientQuotas } from '../../../protocol/kafka/apis/describeClientQuotas.ts'
import { describeCluster } from '../../../protocol/kafka/apis/describeCluster.ts'
import { describeLogDirs } from '../../../protocol/kafka/apis/describeLogDirs.ts'
import { describeTopicPartitions } from '../../../protocol/kafka/apis/describeTopicPartitions.ts'
import { describeUserScramCredentials } from '../../../protocol/kafka/apis/describeUserScramCredentials.ts'
import { findCoordinator } from '../../../protocol/kafka/apis/findCoordinator.ts'
import { listPartitionReassignments } from '../../../protocol/kafka/apis/listPartitionReassignments.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { saslAuthenticate } from '../../../protocol/kafka/apis/saslAuthenticate.ts'
import { saslHandshake } from '../../../protocol/kafka/apis/saslHandshake.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

const timeoutMs = 10_000
const unknownId = '11111111-1111-1111-1111-111111111111'

interface TopicToCreate {
  readonly name?: string
  readonly numPartitions?: number
  readonly replicationFactor?: number
  readonly assignments?: { partitionIndex: number; brokerIds: number[] }[]
  readonly configs?: { name: string; value: string | null }[]
}

async function create(
  probe: Probe,
  label: string,
  topic: TopicToCreate,
  validateOnly = false,
): Promise<void> {
  const whole = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...topic }
  const name = topic.name ?? probe.stage.name(label.replaceAll(' ', '-'))
  const answer = await probe.send(createTopics, 7, {
    ...{ timeoutMs, validateOnly },
    topics: [{ ...whole, name }],
  })
  const { configs, topicId, ...told } = answer.topics[0]!
  const known = configs?.filter(({ name }) => name === 'segment.ms' || name === 'retention.ms')
  probe.answers[label] = probe.stage.naming.plain({ ...told, configs: known ?? null })
}

const assigned = (...lists: number[][]) => ({
  numPartitions: -1,
  replicationFactor: -1,
  assignments: lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
})
const configured = (...configs: [string, string | null][]) => ({
  configs: configs.map(([name, value]) => ({ name, value })),
})

export const rawTopics: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'create-topics',
    run: probing(async (probe, stage) => {
      await create(probe, 'plain', {})
      await create(probe, 'defaults', { numPartitions: -1, replicationFactor: -1 })
      await create(probe, 'only validated', { numPartitions: 3 }, true)
      await create(probe, 'again', { name: stage.name('plain') })
      await create(probe, 'again validated', { name: stage.name('plain') }, true)
      await create(probe, 'same but for a dot', { name: stage.name('a.b') })
      await create(probe, 'same but for an underscore', { name: stage.name('a_b') })
      for (const [label, name] of [
        ['empty name', ''],
        ['space', 'a b'],
        ['dot', '.'],
        ['dots', '..'],
        ['long', 'x'.repeat(250)],
        ['umlaut', 'ä'],
      ] as const) {
        await create(probe, label, { name })
      }
      await create(probe, 'no partitions', { numPartitions: 0 })
      await create(probe, 'minus two partitions', { numPartitions: -2 })
      await create(probe, 'two replicas', { replicationFactor: 2 })
      await create(probe, 'no replicas', { replicationFactor: 0 })
      await create(probe, 'assigned', assigned([1], [1]))
      await create(probe, 'assigned to no one', assigned([]))
      await create(probe, 'assigned twice', assigned([1, 1]))
      await create(probe, 'assigned to unknown', assigned([9]))
      await create(probe, 'assigned and counted', { ...assigned([1]), numPartitions: 1 })
      await create(probe, 'assigned with a hole', {
        ...assigned(),
        assignments: [{ partitionIndex: 1, brokerIds: [1] }],
      })
      await create(probe, 'configured', configured(['segment.ms', '5000'], ['retention.ms', '-1']))
      await create(probe, 'unknown config', configured(['no.such', '1']))
      await create(probe, 'null config', configured(['segment.ms', null]))
      await create(probe, 'bad config', configured(['segment.ms', 'x']))
      await create(
        probe,
        'config twice',
        configured(['segment.ms', '5000'], ['segment.ms', '6000']),
      )
      await create(probe, 'config out of bounds', configured(['segment.bytes', '10']))
      await create(
        probe,
        'configs at odds',
        configured(['min.compaction.lag.ms', '5'], ['max.compaction.lag.ms', '4']),
      )
      await create(probe, 'bad policy', configured(['cleanup.policy', 'bogus']))
      const name = stage.name('in-one-request')
      const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
      const twice = await probe.send(createTopics, 7, { topics: [topic, topic], timeoutMs })
      probe.answers['twice in one request'] = stage.naming.plain(
        twice.topics.map(({ errorCode }) => ({ errorCode })),
      )
    }),
  },
  {
    client: 'raw',
    name: 'grow-and-delete-topics',
    run: probing(async (probe, stage) => {
      const { name, topicId } = await probe.createTopic('t')
      const other = await probe.createTopic('other')
      const grow = (
        label: string,
        count: number,
        brokers: number[][] | null = null,
        topic = name,
      ) =>
        probe.ask(label, createPartitions, 3, {
          ...{ timeoutMs, validateOnly: false },
          topics: [
            {
              name: topic,
              count,
              assignments: brokers?.map((brokerIds) => ({ brokerIds })) ?? null,
            },
          ],
        })
      await grow('as many', 1)
      await grow('none', 0)
      await grow('minus one', -1)
      await grow('three', 3)
      await grow('fewer', 2)
      await grow('unknown topic', 3, null, stage.name('none'))
      await grow('too few assignments', 5, [[1]])
      await grow('assignment to unknown', 4, [[9]])
      await grow('assigned', 4, [[1]])
      await probe.ask('twice', createPartitions, 3, {
        ...{ timeoutMs, validateOnly: false },
        topics: [
          { name, count: 5, assignments: null },
          { name, count: 6, assignments: null },
        ],
      })
      const remove = (label: string, topics: { name: string | null; topicId: string }[]) =>
        probe.ask(label, deleteTopics, 6, { topics, timeoutMs })
      await remove('delete twice', [
        { name, topicId: zeroUuid },
        { name, topicId: zeroUuid },
      ])
      await remove('delete unknown', [{ name: stage.name('none'), topicId: zeroUuid }])
      await remove('delete nothing', [{ name: null, topicId: zeroUuid }])
      await remove('delete name and id', [{ name, topicId }])
      await remove('delete unknown id', [{ name: null, topicId: unknownId }])
      await remove('delete by id', [{ name: null, topicId }])
      await remove('delete once more', [{ name, topicId: zeroUuid }])
      await probe.ask('delete in version 4', deleteTopics, 4, {
        topicNames: [other.name],
        timeoutMs,
      })
      await probe.ask('reassign', alterPartitionReassignments, 0, {
        topics: [{ name, partitions: [{ partitionIndex: 0, replicas: [1] }] }],
      })
      await probe.ask('reassignments', listPartitionReassignments, 0, { topics: null })
    }),
  },
  {
    client: 'raw',
    name: 'metadata',
    run: probing(async (probe, stage) => {
      const { name, topicId } = await probe.createTopic('t', 2)
      const none = stage.name('none')
      for (const version of [1, 4, 5, 7, 8, 9, 10, 11, 12, 13]) {
        await probe.ask(`version ${version}`, metadata, version, {
          topics: [{ name }],
          allowAutoTopicCreation: version < 4,
        })
      }
      const ask = (
        label: string,
        topics: { name?: string | null; topicId?: string }[],
        version = 12,
        allowAutoTopicCreation = false,
      ) =>
        probe.ask(label, metadata, version, {
          topics: topics.map((each) => ({ name: null, ...each })),
          allowAutoTopicCreation,
        })
      await ask('unknown', [{ name: none }])
      await ask('invalid', [{ name: 'a b' }], 12, true)
      await ask('empty name', [{ name: '' }])
      await ask('by id', [{ topicId }])
      await ask('by unknown id', [{ topicId: unknownId }])
      await ask('by id and name', [{ topicId, name }])
      await ask('twice', [{ name }, { name }])
      await ask('no topics', [])
      await probe.ask('operations', metadata, 10, {
        topics: [{ name }],
        includeClusterAuthorizedOperations: true,
        includeTopicAuthorizedOperations: true,
      })
      const partitions = (
        label: string,
        names: string[],
        responsePartitionLimit = 2000,
        cursor: { topicName: string; partitionIndex: number } | null = null,
      ) =>
        probe.ask(label, describeTopicPartitions, 0, {
          topics: names.map((each) => ({ name: each })),
          responsePartitionLimit,
          cursor,
        })
      await partitions('partitions', [name])
      await partitions('partitions of unknown', [none, name])
      await partitions('the first partition', [name], 1)
      await partitions('the second partition', [name], 1, { topicName: name, partitionIndex: 1 })
      await partitions('a negative cursor', [name], 1, { topicName: name, partitionIndex: -1 })
      await partitions('a cursor to nothing', [name], 1, { topicName: none, partitionIndex: 0 })
      await partitions('no limit', [name], 0)
    }),
  },
  {
    client: 'raw',
    name: 'cluster',
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t', 2)
      await probe.append(name, probe.batch(['a']))
      for (const version of [0, 1, 2]) {
        await probe.ask(`cluster ${version}`, describeCluster, version, {
          includeClusterAuthorizedOperations: version === 1,
        })
      }
      await probe.ask('controllers', describeCluster, 2, {
        endpointType: 2,
        includeClusterAuthorizedOperations: false,
      })
      await probe.ask('endpoints 9', describeCluster, 2, {
        endpointType: 9,
        includeClusterAuthorizedOperations: false,
      })
      const software = { clientSoftwareName: 'differential', clientSoftwareVersion: '1' }
      const { features } = await apiTable(probe, 3, software)
      probe.answers.features = features
      await probe.ask('bad software name', apiVersions, 3, {
        clientSoftwareName: '',
        clientSoftwareVersion: '1',
      })
      const coordinator = (label: string, keyType: number, keys: string[], version = 4) =>
        probe.ask(
          label,
          findCoordinator,
          version,
          version < 4 ? { keyType, key: keys[0]! } : { keyType, coordinatorKeys: keys },
        )
      await coordinator('of groups', 0, [stage.name('g'), stage.name('h')])
      await coordinator('of transactions', 1, [stage.name('tx')])
      await coordinator('of the nameless', 0, [''])
      await coordinator('of nothing', 0, [])
      await coordinator('of an unknown type', 7, ['x'])
      await coordinator('of shares', 2, ['x'], 6)
      await coordinator('in version 0', 0, ['x'], 0)
      await coordinator('in version 3', 0, ['x'], 3)
      const directories = (
        label: string,
        topics: { topic: string; partitions: number[] }[],
        version = 4,
      ) => probe.ask(label, describeLogDirs, version, { topics })
      await directories('directories', [{ topic: name, partitions: [0, 1] }])
      await directories('directories in version 1', [{ topic: name, partitions: [0] }], 1)
      await directories('directories of unknown', [{ topic: stage.name('none'), partitions: [0] }])
      await directories('directories of nothing', [])
      await probe.ask('acls', describeAcls, 3, {
        resourceTypeFilter: 1,
        resourceNameFilter: null,
        principalFilter: null,
        hostFilter: null,
        operation: 1,
        permissionType: 1,
      })
      await probe.ask('quotas', describeClientQuotas, 1, { components: [], strict: false })
      await probe.ask('scram', describeUserScramCredentials, 0, { users: [{ name: 'nobody' }] })
      await probe.ask('sasl', saslHandshake, 1, { mechanism: 'PLAIN' })
      await probe.ask('sasl bytes', saslAuthenticate, 2, { authBytes: Buffer.from('x') })
    }),
  },
]

/** The first answer to a client: the finalized features. */
async function apiTable(
  probe: Probe,
  version: number,
  software: { clientSoftwareName: string; clientSoftwareVersion: string },
) {
  const { finalizedFeatures } = await probe.send(apiVersions, version, software)
  const known = finalizedFeatures.filter(({ name }) => name === 'transaction.version')
  return { features: probe.stage.naming.plain(known) }
}
