// Classic groups with kafkajs: joining and leaving, offsets that are committed, reset and sought,
// and a consumer whose offset is out of range.

import { eventually } from '../../interop/eventually.ts'
import { type GroupView, KafkajsStage } from '../clients/kafkajsStage.ts'
import { outcome, type Scenario, type Stage } from '../scenario.ts'

async function filled(stage: Stage, js: KafkajsStage, partitions: number, perPartition: number) {
  const topic = await js.createTopic('t', partitions)
  const producer = await js.producer()
  const messages = Array.from({ length: partitions * perPartition }, (_, index) => ({
    ...{ partition: index % partitions, value: `${index}` },
    timestamp: String(stage.timeMs + index),
  }))
  await producer.send({ topic, messages })
  return topic
}

function sizes({ assignments, ...view }: GroupView) {
  const held = assignments.map((each) => Object.values(JSON.parse(each)).flat().length)
  return { ...view, held }
}

export const kafkajsGroups: readonly Scenario[] = [
  {
    client: 'kafkajs',
    name: 'group',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await filled(stage, js, 4, 3)
      const groupId = stage.name('group')
      const admin = await js.admin()
      const first = await js.consume(topic)
      const alone = await js.settled(groupId, 1)
      await eventually('all is read', () => first.messages.length === 12)
      const second = await js.consume(topic)
      const shared = await js.settled(groupId, 2)
      const deleted = await outcome(admin.deleteGroups([groupId]))
      await second.stop()
      const aloneAgain = await js.settled(groupId, 1)
      await first.stop()
      const described = (await admin.describeGroups([groupId])).groups[0]!
      const offsets = await admin.fetchOffsets({ groupId, topics: [topic] })
      return {
        // The partitions depend on the order in which the broker lists the members.
        ...{ alone: sizes(alone), shared: sizes(shared), aloneAgain: sizes(aloneAgain) },
        ...{ deleted, offsets },
        read: first.messages.toSorted((a, b) => a.partition - b.partition),
        described,
        listed: (await admin.listGroups()).groups.filter((group) => group.groupId === groupId),
        deletedInTheEnd: await outcome(admin.deleteGroups([groupId])),
        offsetsInTheEnd: await admin.fetchOffsets({ groupId, topics: [topic] }),
      }
    },
  },
  {
    client: 'kafkajs',
    name: 'offsets',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await filled(stage, js, 2, 5)
      const groupId = stage.name('group')
      const admin = await js.admin()
      const offsets = () => admin.fetchOffsets({ groupId, topics: [topic] })
      const none = await offsets()
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '2' }] })
      const set = await offsets()
      await admin.resetOffsets({ groupId, topic, earliest: true })
      const earliest = await offsets()
      await admin.resetOffsets({ groupId, topic, earliest: false })
      const latest = await offsets()
      const from3 = {
        groupId,
        topic,
        partitions: [0, 1].map((partition) => ({ partition, offset: '3' })),
      }
      await admin.setOffsets(from3)
      const { consumer, messages, stop } = await js.consume(topic)
      await eventually('from 3 on', () => messages.length === 4)
      const fromThree = messages.toSorted((a, b) => a.partition - b.partition)
      const whileAlive = await outcome(admin.setOffsets(from3))
      consumer.seek({ topic, partition: 0, offset: '1' })
      await eventually('from 1 on', () => messages.length === 8)
      const committed = [{ topic, partition: 1, offset: '4', metadata: 'a note' }]
      await consumer.commitOffsets(committed)
      await stop()
      const byTime = await admin.fetchTopicOffsetsByTimestamp(topic, stage.timeMs + 4)
      return {
        ...{ none, set, earliest, latest, fromThree, whileAlive, byTime },
        ...{ afterSeek: messages.slice(4), ofTopic: await admin.fetchTopicOffsets(topic) },
        late: await admin.fetchTopicOffsetsByTimestamp(topic, stage.timeMs + 60_000),
        atLast: await offsets(),
      }
    },
  },
  {
    client: 'kafkajs',
    name: 'out-of-range',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await filled(stage, js, 1, 6)
      const admin = await js.admin()
      await admin.fetchTopicOffsets(topic) // kafkajs must have the metadata of the topic
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
      const read = async (base: string, offset: string, fromBeginning: boolean) => {
        const groupId = stage.name(base)
        await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset }] })
        const { messages, stop } = await js.consume(topic, { groupId }, { fromBeginning })
        if (fromBeginning) await eventually(`${base} reads`, () => messages.length >= 2)
        else await js.settled(groupId, 1)
        await stop()
        return messages
      }
      return {
        deletedTooMuch: await outcome(
          admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '9' }] }),
        ),
        deletedBackwards: await outcome(
          admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] }),
        ),
        offsets: await admin.fetchTopicOffsets(topic),
        before: await read('before', '1', true),
        beyond: await read('beyond', '99', true),
      }
    },
  },
]
