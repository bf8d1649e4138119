// Transactions with kafkajs, which uses version 0 of the protocol: committed, aborted and fenced
// transactions, as consumers of both isolation levels see them.

import { eventually } from '../../interop/eventually.ts'
import { KafkajsStage } from '../clients/kafkajsStage.ts'
import { outcome, type Scenario, type Stage } from '../scenario.ts'

async function views(js: KafkajsStage, topic: string, all: number) {
  const read = async (readUncommitted: boolean) => {
    const groupId = js.stage.name(`${readUncommitted}`)
    const { messages, stop } = await js.consume(topic, { groupId, readUncommitted })
    await eventually('the last record', () => messages.some(({ offset }) => offset === `${all}`))
    await stop()
    return messages
  }
  return { uncommitted: await read(true), committed: await read(false) }
}

const transactional = (stage: Stage) => ({
  ...{ transactionalId: stage.name('tx'), idempotent: true, maxInFlightRequests: 1 },
  transactionTimeout: 30_000,
})

export const kafkajsTransactions: readonly Scenario[] = [
  {
    client: 'kafkajs',
    name: 'transactions',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await js.createTopic('t')
      const producer = await js.producer(transactional(stage))
      const at = (index: number) => ({ timestamp: String(stage.timeMs + index) })
      for (const [index, commits] of [true, false, true, false].entries()) {
        const transaction = await producer.transaction()
        await transaction.send({ topic, messages: [{ value: `${index}`, ...at(index) }] })
        await transaction.send({ topic, messages: [{ value: `${index} too`, ...at(index) }] })
        await (commits ? transaction.commit() : transaction.abort())
      }
      const plain = await js.producer()
      await plain.send({ topic, messages: [{ value: 'last', ...at(9) }] })
      return await views(js, topic, 12)
    },
  },
  {
    client: 'kafkajs',
    name: 'transactional-offsets',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const [from, into] = [await js.createTopic('from'), await js.createTopic('into')]
      const producer = await js.producer(transactional(stage))
      const admin = await js.admin()
      const groupId = stage.name('group')
      const offset = async () =>
        (await admin.fetchOffsets({ groupId, topics: [from] }))[0]!.partitions[0]!
      const seen: Record<string, unknown> = {}
      for (const [name, next, commits] of [
        ['aborted', '3', false],
        ['committed', '5', true],
      ] as const) {
        const transaction = await producer.transaction()
        await transaction.send({
          topic: into,
          messages: [{ value: next, timestamp: String(stage.timeMs) }],
        })
        await transaction.sendOffsets({
          consumerGroupId: groupId,
          topics: [{ topic: from, partitions: [{ partition: 0, offset: next }] }],
        })
        seen[`before it is ${name}`] = await offset()
        await (commits ? transaction.commit() : transaction.abort())
      }
      await eventually('the offset', async () => (await offset()).offset === '5')
      return { ...seen, after: await offset() }
    },
  },
  {
    client: 'kafkajs',
    name: 'fencing',
    async run(stage) {
      const js = new KafkajsStage(stage)
      const topic = await js.createTopic('t')
      const zombie = await js.producer({ ...transactional(stage), retry: { retries: 1 } })
      const opened = await zombie.transaction()
      const message = (value: string) => ({ value, timestamp: String(stage.timeMs) })
      await opened.send({ topic, messages: [message('zombie')] })
      const next = await js.producer(transactional(stage))
      const transaction = await next.transaction()
      await transaction.send({ topic, messages: [message('next')] })
      const writes = await outcome(opened.send({ topic, messages: [message('zombie again')] }))
      const commits = await outcome(opened.commit())
      await transaction.commit()
      await (await js.producer()).send({ topic, messages: [message('last')] })
      return { writes, commits, ...(await views(js, topic, 4)) }
    },
  },
]
