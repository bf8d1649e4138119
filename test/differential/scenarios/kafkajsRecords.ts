// Records with kafkajs: produced and consumed records, their offsets, and refusals.

import kafkajs from 'kafkajs'
import { eventually } from '../../interop/eventually.ts'
import { KafkajsStage } from '../clients/kafkajsStage.ts'
import { outcome, type Scenario, type Stage } from '../scenario.ts'

/** Records of every shape. */
function shapes(stage: Stage) {
  return [
    { key: 'k', value: 'v', headers: { host: 'h1', bytes: Buffer.from([1, 255]) } },
    { key: null, value: 'no key' },
    { key: 'no value', value: null },
    { key: '', value: '' },
    { key: 'many headers', value: 'x', headers: { same: ['one', 'two'] } },
    { key: 'ключ', value: 'значение ✓' },
    { key: 'long', value: 'long '.repeat(500) },
  ].map((record, index) => ({
    ...record,
    partition: 0,
    timestamp: String(stage.timeMs + index),
  }))
}

async function readAll(js: KafkajsStage, topic: string, count: number) {
  const { messages, stop } = await js.consume(topic, { groupId: js.stage.name(`${topic}-reader`) })
  await eventually(`${count} records`, () => messages.length >= count)
  await stop()
  return messages.toSorted((a, b) => a.partition - b.partition)
}

export const kafkajsRecords: readonly Scenario[] = [
  ...(['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const).map(
    (codec): Scenario => ({
      client: 'kafkajs',
      name: `records-${codec.toLowerCase()}`,
      async run(stage) {
        const js = new KafkajsStage(stage)
        const topic = await js.createTopic('t')
        const producer = await js.producer()
        const compression = kafkajs.CompressionTypes[codec]
        const sent = await producer.send({ topic, messages: shapes(stage), compression })
        return { sent, read: await readAll(js, topic, shapes(stage).length) }
      },
    }),
  ),
  {
    client: 'kafkajs',
    name: 'ordering',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await js.createTopic('t', 3)
      const producer = await js.producer({ idempotent: true, maxInFlightRequests: 5 })
      const sends = Array.from({ length: 20 }, (_, batch) =>
        producer.send({
          topic,
          messages: [0, 1, 2].map((partition) => ({
            ...{ key: `k${partition}`, value: `${batch}`, partition },
            timestamp: String(stage.timeMs + batch),
          })),
        }),
      )
      const sent = await Promise.all(sends)
      const byPartition = sent.map((each) => each.toSorted((a, b) => a.partition - b.partition))
      return { sent: byPartition, read: await readAll(js, topic, 60) }
    },
  },
  {
    client: 'kafkajs',
    name: 'produce-outcomes',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const small = await js.createTopic('small', 1, { 'max.message.bytes': '300' })
      const stamped = await js.createTopic('stamped', 1, {
        'message.timestamp.type': 'LogAppendTime',
      })
      const bounded = await js.createTopic('bounded', 1, {
        'message.timestamp.before.max.ms': '1000',
      })
      const compacted = await js.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
      const producer = await js.producer({ retry: { retries: 0 } })
      const send = (topic: string, message: object, more: object = {}) =>
        outcome(producer.send({ topic, messages: [{ value: 'v', ...message }], ...more }))
      const old = { timestamp: String(stage.timeMs) }
      return {
        fits: await send(small, old),
        tooLarge: await send(small, { value: 'x'.repeat(1000) }),
        acksNone: await send(small, old, { acks: 0 }),
        acksOne: await send(small, old, { acks: 1 }),
        stamped: await send(stamped, old),
        stampedRead: await readAll(js, stamped, 1),
        tooOld: await send(bounded, old),
        keyless: await send(compacted, { key: null }),
        withKey: await send(compacted, { key: 'k' }),
        invalidTopic: await send('not a topic', old),
        // The topic is created on demand, and kafkajs retries until it exists.
        created: await outcome(
          (await js.producer()).send({
            topic: stage.name('created'),
            messages: [{ value: 'v', ...old }],
          }),
        ),
        unknownPartition: await send(small, { ...old, partition: 9 }),
      }
    },
  },
  {
    client: 'kafkajs',
    name: 'compaction',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await js.createTopic('t', 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '500',
        'min.cleanable.dirty.ratio': '0.01',
        'delete.retention.ms': '0',
      })
      const producer = await js.producer()
      let second = 0
      const put = async (key: string, value: string | null) => {
        const timestamp = String(stage.timeMs + 1000 * second++)
        await producer.send({ topic, messages: [{ key, value, timestamp }] })
      }
      for (const [key, value] of [
        ['a', '1'],
        ['b', '1'],
        ['a', '2'],
        ['c', '1'],
        ['b', null],
        ['a', '3'],
        ['c', '2'],
        ['end', '1'],
      ] as const) {
        await put(key, value)
      }
      // Reads repeatedly until no replaced record is left. The tombstone is removed only in a later
      // round, so more records are produced.
      let left: readonly { key?: unknown; offset: string }[] = []
      let round = 0
      await eventually('only the last of each key', async () => {
        await put('end', `${round}`)
        const reader = { groupId: stage.name(`round-${round++}`) }
        const { messages, stop } = await js.consume(topic, reader)
        await eventually('the end', () => Number(messages.at(-1)?.offset ?? -1) >= second - 1)
        await stop()
        left = messages.filter((each) => String((each as { key?: unknown }).key) !== 'end')
        return left.length === 2
      })
      const admin = await js.admin()
      return { left, earliest: (await admin.fetchTopicOffsets(topic))[0]!.low }
    },
  },
  {
    client: 'kafkajs',
    name: 'retention',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await js.createTopic('t', 1, { 'retention.ms': '3600000', 'segment.ms': '500' })
      const producer = await js.producer()
      const put = (value: string, timeMs: number) =>
        producer.send({ topic, messages: [{ value, timestamp: String(timeMs) }] })
      for (let second = 0; second < 5; second++)
        await put(`${second}`, stage.timeMs + 1000 * second)
      await put('new', Date.now())
      const admin = await js.admin()
      let low = ''
      await eventually('the old ones are gone', async () => {
        low = (await admin.fetchTopicOffsets(topic))[0]!.low
        return low !== '0' && low === '5'
      })
      const [first] = await readAll(js, topic, 1)
      return { low, offset: first!.offset, offsets: await admin.fetchTopicOffsets(topic) }
    },
  },
]
