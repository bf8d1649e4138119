// Administration with kafkajs: topics, their partitions and configurations, and refusals.

import kafkajs from 'kafkajs'
import { KafkajsStage } from '../clients/kafkajsStage.ts'
import { outcome, type Scenario } from '../scenario.ts'

export const kafkajsAdmin: readonly Scenario[] = [
  {
    client: 'kafkajs',
    name: 'admin',
    differs: [
      {
        at: 'everything.min.insync.replicas.1',
        kafka: false,
        ours: true,
        why: 'with eligible leader replicas, Kafka fixes it for the whole cluster (KIP-966)',
      },
    ],
    async run(stage) {
      const js = new KafkajsStage(stage)
      const admin = await js.admin()
      const topic = stage.name('t')
      const create = (more: object, name = stage.name('bad')) =>
        outcome(admin.createTopics({ topics: [{ topic: name, ...more }] }))
      const config = (name: string, value: string) => ({ configEntries: [{ name, value }] })
      const seen: Record<string, unknown> = {
        validated: await outcome(admin.createTopics({ topics: [{ topic }], validateOnly: true })),
        created: await create({ numPartitions: 2, ...config('retention.ms', '1000') }, topic),
        again: await create({}, topic),
        replicas: await create({ replicationFactor: 2 }),
        space: await create({}, 'a b'),
        badConfig: await create(config('segment.bytes', 'big')),
        unknownConfig: await create(config('no.such', '1')),
        listed: (await admin.listTopics()).filter((name) => name === topic),
      }
      await js.createTopic('settled')
      const grow = (count: number, name = topic) =>
        outcome(admin.createPartitions({ topicPartitions: [{ topic: name, count }] }))
      seen.grown = await grow(4)
      seen.shrunk = await grow(1)
      seen.grownUnknown = await grow(3, stage.name('none'))
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
      seen.metadata = metadata.topics
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }
      const describe = async () => {
        const configNames = ['retention.ms', 'cleanup.policy', 'segment.bytes', 'no.such']
        const resources = [{ ...resource, configNames }]
        const [described] = (await admin.describeConfigs({ resources, includeSynonyms: true }))
          .resources
        return described!.configEntries.toSorted((a, b) => (a.configName < b.configName ? -1 : 1))
      }
      seen.configs = await describe()
      const alter = (configEntries: { name: string; value: string }[]) =>
        outcome(
          admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] }),
        )
      seen.altered = await alter([{ name: 'cleanup.policy', value: 'compact' }])
      seen.configsAltered = await describe()
      seen.alteredBadly = await alter([{ name: 'cleanup.policy', value: 'burn' }])
      const everything = await admin.describeConfigs({
        resources: [resource],
        includeSynonyms: false,
      })
      seen.everything = Object.fromEntries(
        everything.resources[0]!.configEntries.map(
          ({ configName, configValue, isDefault }) =>
            [configName, [configValue, isDefault]] as const,
        ).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      )
      seen.deleted = await outcome(admin.deleteTopics({ topics: [topic] }))
      seen.deletedAgain = await outcome(admin.deleteTopics({ topics: [topic] }))
      const cluster = await admin.describeCluster()
      seen.cluster = { ...cluster, clusterId: '<cluster>' }
      return seen
    },
  },
]
