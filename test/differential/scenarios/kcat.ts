// librdkafka through kcat: every codec, offsets by position and time, transactions, groups with
// every assignor, static members, and error messages.

import { eventually } from '../../interop/eventually.ts'
import { KafkajsStage } from '../clients/kafkajsStage.ts'
import { type KcatMember, type KcatRun, KcatStage } from '../clients/kcatStage.ts'
import type { Scenario, Stage } from '../scenario.ts'

const lines = ['a:1', 'b:2', ':no key', 'c:', `long:${'long '.repeat(400)}`, 'ключ:значение ✓']

/** Topics are created by kafkajs, because kcat cannot create any. */
function createTopic(
  stage: Stage,
  base: string,
  partitions = 1,
  configs: Record<string, string> = {},
) {
  return new KafkajsStage(stage).createTopic(base, partitions, configs)
}

/** The errors that librdkafka prints, such as 'Broker: Unknown topic or partition'. */
function complaint({ code, stderr }: KcatRun): unknown {
  return {
    code,
    said: [...new Set(stderr.match(/Broker: [A-Z][^\n().:]*|Unknown [a-z ]+/g) ?? [])],
  }
}

async function shareOut(stage: Stage, assignor: string, args: readonly string[] = []) {
  const kcat = new KcatStage(stage)
  const topic = await createTopic(stage, 't', 4)
  const groupId = stage.name('group')
  const js = new KafkajsStage(stage)
  const options = ['-X', `partition.assignment.strategy=${assignor}`, ...args]
  const [first] = [kcat.join(groupId, topic, options)]
  const alone = await js.settled(groupId, 1)
  const second = kcat.join(groupId, topic, options)
  const shared = await settledShare(js, groupId)
  await kcat.produce(topic, ['-K:', '-p', '0'], ['k:0'])
  await kcat.produce(topic, ['-K:', '-p', '3'], ['k:3'])
  await eventually('both are read', () => read(first, second).length === 2)
  const seen = read(first, second)
  await second.stop()
  const left = await js.settled(groupId, 1)
  await first.stop()
  return { alone, shared, left, values: seen }
}

/** Waits for two members with two partitions each, which takes cooperative members two rounds. */
async function settledShare(js: KafkajsStage, groupId: string) {
  let view = await js.settled(groupId, 2)
  await eventually('two each', async () => {
    view = await js.settled(groupId, 2)
    return view.assignments.every((each) => Object.values(JSON.parse(each)).flat().length === 2)
  })
  return view
}

function read(...members: KcatMember[]) {
  const records = members.flatMap((member) => member.records) as { partition: number }[]
  return records
    .map((record) => ({ ...record, ts: '<now>' }))
    .toSorted((a, b) => a.partition - b.partition)
}

export const kcat: readonly Scenario[] = [
  ...['none', 'gzip', 'snappy', 'lz4', 'zstd'].map(
    (codec): Scenario => ({
      client: 'kcat',
      name: `records-${codec}`,
      async run(stage) {
        const kcat = new KcatStage(stage)
        const topic = await createTopic(stage, 't')
        const headers = ['-H', 'host=h1', '-H', 'none']
        const sent = await kcat.produce(topic, ['-K:', '-Z', '-z', codec, ...headers], lines)
        return { sent: complaint(sent), read: await kcat.consume(topic) }
      },
    }),
  ),
  {
    client: 'kcat',
    name: 'offsets',
    async run(stage) {
      const kcat = new KcatStage(stage)
      const topic = await createTopic(stage, 't')
      const js = await new KafkajsStage(stage).producer()
      const messages = Array.from({ length: 6 }, (_, index) => ({
        ...{ value: `${index}`, timestamp: String(stage.timeMs + 1000 * index) },
      }))
      await js.send({ topic, messages })
      const query = async (time: number) => {
        const { stdout } = await kcat.run(['-Q', '-t', `${topic}:0:${time}`])
        return stdout.trim()
      }
      const seen: Record<string, unknown> = {}
      for (const offset of ['beginning', 'end', '2', '-2', '99', `s@${stage.timeMs + 2500}`]) {
        const label = offset.startsWith('s@') ? 's@T+2500' : offset
        seen[`from ${label}`] = await kcat.consume(topic, ['-o', offset])
      }
      const strict = ['-X', 'topic.auto.offset.reset=error', '-o', '99']
      seen['out of range is an error'] = complaint(
        await kcat.run(['-C', '-t', topic, '-e', ...strict]),
      )
      seen.queries = {
        ...{ latest: await query(-1), earliest: await query(-2) },
        ...{ middle: await query(stage.timeMs + 1500), late: await query(stage.timeMs + 60_000) },
      }
      return seen
    },
  },
  {
    client: 'kcat',
    name: 'metadata-and-errors',
    async run(stage) {
      const kcat = new KcatStage(stage)
      const topic = await createTopic(stage, 't', 3, { 'max.message.bytes': '300' })
      const small = await kcat.produce(topic, ['-p', '0'], ['x'.repeat(2000)])
      const { stdout } = await kcat.run(['-L', '-J', '-t', topic])
      const { brokers, topics, controllerid } = JSON.parse(stdout)
      return {
        ...{ brokers: brokers.length, controllerid, topics },
        tooLarge: complaint(small),
        noPartition: complaint(await kcat.produce(topic, ['-p', '7'], ['x'])),
        noTopic: complaint(
          await kcat.run([
            '-C',
            '-e',
            '-t',
            stage.name('none'),
            '-X',
            'allow.auto.create.topics=false',
          ]),
        ),
        badTopic: complaint(await kcat.produce('not a topic', [], ['x'])),
        badGroup: complaint(await kcat.run(['-G', '', '-e', topic])),
      }
    },
  },
  {
    client: 'kcat',
    name: 'idempotent-and-transactional',
    async run(stage) {
      const kcat = new KcatStage(stage)
      const topic = await createTopic(stage, 't')
      const many = Array.from({ length: 500 }, (_, index) => `line ${index}`)
      const small = ['-X', 'batch.num.messages=7']
      await kcat.produce(topic, ['-X', 'enable.idempotence=true', ...small], many)
      await kcat.produce(topic, ['-X', `transactional.id=${stage.name('tx')}`], ['in', 'one'])
      const committed = (await kcat.consume(topic, ['-X', 'isolation.level=read_committed'])) as {
        offset: number
        payload: string
      }[]
      return {
        inOrder: committed.slice(0, 500).every(({ payload, offset }, index) => {
          return payload === many[index] && offset === index
        }),
        transaction: committed.slice(500).map(({ payload, offset }) => ({ payload, offset })),
      }
    },
  },
  ...['range', 'roundrobin', 'cooperative-sticky'].map(
    (assignor): Scenario => ({
      client: 'kcat',
      name: `group-${assignor}`,
      run: (stage) => shareOut(stage, assignor),
    }),
  ),
  {
    client: 'kcat',
    name: 'static-member',
    async run(stage) {
      const kcat = new KcatStage(stage)
      const topic = await createTopic(stage, 't', 2)
      const groupId = stage.name('group')
      const js = new KafkajsStage(stage)
      const join = () => kcat.join(groupId, topic, ['-X', 'group.instance.id=one'])
      const first = join()
      const before = await js.settled(groupId, 1)
      await first.settled(2)
      await kcat.produce(topic, ['-p', '1'], ['before'])
      await eventually('it is read', () => first.records.length === 1)
      const admin = await js.admin()
      const committed = async () =>
        (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions
      await eventually('it is committed', async () =>
        (await committed()).some(({ offset }) => offset === '1'),
      )
      await first.stop()
      // A static member does not leave; while it is away, its partitions stay assigned to it.
      const away = await js.settled(groupId, 1)
      await kcat.produce(topic, ['-p', '1'], ['while away'])
      const again = join()
      await again.settled(2)
      await eventually('it goes on', () => again.records.length === 1)
      const after = await js.settled(groupId, 1)
      const rejected = join()
      await eventually('the elder is fenced', async () => {
        await rejected.settled(2)
        return true
      })
      return { before, away, after, read: read(again), rebalances: again.rebalances.slice(0, 1) }
    },
  },
]
