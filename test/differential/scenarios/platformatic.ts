// @platformatic/kafka, which uses the newest versions: records in every compression, groups of both
// kinds, transactions of version 2, administration.

import { ProduceAcks } from '@platformatic/kafka'
import { eventually } from '../../interop/eventually.ts'
import { PlatformaticStage } from '../clients/platformaticStage.ts'
import { outcome, type Scenario, type Stage } from '../scenario.ts'

const at = (stage: Stage, index: number) => BigInt(stage.timeMs + index)

async function fill(
  platformatic: PlatformaticStage,
  topic: string,
  partitions: number,
  count: number,
) {
  const producer = platformatic.producer()
  for (let index = 0; index < count; index++) {
    const place = { topic, partition: index % partitions, timestamp: at(platformatic.stage, index) }
    await producer.send({ messages: [{ ...place, value: `${index}` }], acks: ProduceAcks.ALL })
  }
}

async function group(stage: Stage, protocol: 'classic' | 'consumer', assignor = 'uniform') {
  const platformatic = new PlatformaticStage(stage)
  const topic = await platformatic.createTopic('t', 4)
  await fill(platformatic, topic, 4, 8)
  const admin = platformatic.admin()
  const groupId = stage.name('group')
  const join = () => platformatic.join(topic, { protocol, assignor })
  const offsets = async () => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [{ groupId }] })
    return found?.topics[0]?.partitions ?? []
  }
  const first = await join()
  await eventually('all four', () => first.held.length === 4)
  await eventually('all is read', () => first.messages.length === 8)
  await eventually('all is committed', async () => {
    return (await offsets()).filter(({ committedOffset }) => committedOffset === 2n).length === 4
  })
  const second = await join()
  await eventually('two each', () => first.held.length === 2 && second.held.length === 2)
  const shared = [first.held, second.held].toSorted((a, b) => a[0]! - b[0]!)
  const listed = (await admin.listGroups()).get(groupId)
  const deleted = await outcome(admin.deleteGroups({ groups: [groupId] }))
  await second.leave()
  await eventually('all four again', () => first.held.length === 4)
  const read = [...first.messages, ...second.messages]
  await first.leave()
  const inTheEnd = (await admin.listGroups()).get(groupId)
  return {
    ...{ shared, listed, deleted, read, inTheEnd, committed: await offsets() },
    deletedInTheEnd: await outcome(admin.deleteGroups({ groups: [groupId] })),
  }
}

export const platformatic: readonly Scenario[] = [
  ...(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map(
    (compression): Scenario => ({
      client: 'platformatic',
      name: `records-${compression}`,
      async run(stage) {
        const platformatic = new PlatformaticStage(stage)
        const topic = await platformatic.createTopic('t')
        const producer = platformatic.producer()
        const headers = new Map([['host', 'h1']])
        const shapes = [
          { key: 'k', value: 'v', headers },
          { value: 'no key' },
          { key: 'no value' },
          { key: '', value: '' },
          { key: 'ключ', value: 'значение ✓' },
          { key: 'long', value: 'long '.repeat(500) },
        ]
        const messages = shapes.map((shape, index) => ({
          topic,
          timestamp: at(stage, index),
          ...shape,
        }))
        const sent = await producer.send({ messages, acks: ProduceAcks.ALL, compression })
        const member = await platformatic.join(topic)
        await eventually('all is read', () => member.messages.length === shapes.length)
        return { sent, read: member.messages }
      },
    }),
  ),
  { client: 'platformatic', name: 'group-classic', run: (stage) => group(stage, 'classic') },
  { client: 'platformatic', name: 'group-uniform', run: (stage) => group(stage, 'consumer') },
  {
    client: 'platformatic',
    name: 'group-range',
    run: (stage) => group(stage, 'consumer', 'range'),
  },
  {
    client: 'platformatic',
    name: 'transactions',
    async run(stage) {
      const platformatic = new PlatformaticStage(stage)
      const topic = await platformatic.createTopic('t')
      const producer = platformatic.producer(stage.name('tx'))
      for (const [index, commits] of [true, false, true, false].entries()) {
        const transaction = await producer.beginTransaction()
        await transaction.send({
          messages: [{ topic, value: `${index}`, timestamp: at(stage, index) }],
        })
        await (commits ? transaction.commit() : transaction.abort())
      }
      await fill(platformatic, topic, 1, 1)
      const read = async (isolationLevel: number) => {
        const member = await platformatic.join(topic, {
          group: `${isolationLevel}`,
          isolationLevel,
        })
        await eventually('the last', () => {
          return (member.messages as { offset: bigint }[]).some(({ offset }) => offset === 8n)
        })
        return member.messages
      }
      return { uncommitted: await read(0), committed: await read(1) }
    },
  },
  {
    client: 'platformatic',
    name: 'admin',
    async run(stage) {
      const platformatic = new PlatformaticStage(stage)
      const admin = platformatic.admin()
      const topic = await platformatic.createTopic('t', 2, { 'retention.ms': '-1' })
      await fill(platformatic, topic, 2, 6)
      const create = (topics: string[], more: object = {}) =>
        outcome(admin.createTopics({ topics, partitions: 1, replicas: 1, ...more }))
      const offsets = (timestamp: bigint) => {
        const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp }))
        return outcome(admin.listOffsets({ topics: [{ name: topic, partitions }] }))
      }
      const seen: Record<string, unknown> = {
        again: await create([topic]),
        replicas: await create([stage.name('bad')], { replicas: 3 }),
        space: await create(['a b']),
        latest: await offsets(-1n),
        earliest: await offsets(-2n),
        largest: await offsets(-3n),
        byTime: await offsets(at(stage, 3)),
        groups: await outcome(admin.describeGroups({ groups: [stage.name('none')] })),
      }
      const erase = (offset: bigint) =>
        outcome(
          admin.deleteRecords({
            topics: [{ name: topic, partitions: [{ partition: 0, offset }] }],
          }),
        )
      seen.erased = await erase(2n)
      seen.erasedTooMuch = await erase(7n)
      seen.earliestThen = await offsets(-2n)
      const groupId = stage.name('group')
      const partitionOffsets = [{ partition: 0, offset: 3n }]
      seen.offsetsSet = await outcome(
        admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] }),
      )
      seen.offsets = await admin.listConsumerGroupOffsets({ groups: [{ groupId }] })
      seen.offsetsDeleted = await outcome(
        admin.deleteConsumerGroupOffsets({
          groupId,
          topics: [{ name: topic, partitionIndexes: [0] }],
        }),
      )
      const logs = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0, 1] }] })
      seen.logs = logs.map(({ results }) => results)
      const grow = (count: number) =>
        outcome(admin.createPartitions({ topics: [{ name: topic, count, assignments: [] }] }))
      seen.shrunk = await grow(1)
      seen.deleted = await outcome(admin.deleteTopics({ topics: [topic] }))
      seen.deletedAgain = await outcome(admin.deleteTopics({ topics: [topic] }))
      return seen
    },
  },
]
