// kafka-python: records, groups of its three assignors, offsets, administration and its errors.

import { PythonStage } from '../clients/pythonStage.ts'
import type { Scenario, Stage } from '../scenario.ts'

function shapes(stage: Stage) {
  return [
    {
      key: 'k',
      value: 'v',
      headers: [
        ['host', 'h1'],
        ['none', ''],
      ],
    },
    { value: 'no key' },
    { key: 'no value' },
    { key: '', value: '' },
    { key: 'ключ', value: 'значение ✓' },
    { key: 'long', value: 'long '.repeat(500) },
  ].map((shape, index) => ({ ...shape, timestamp: stage.timeMs + index }))
}

async function shareOut(stage: Stage, assignor: string) {
  const [first, second] = [new PythonStage(stage), new PythonStage(stage)]
  const { pollUntil } = PythonStage
  const topic = await first.createTopic('t', 4)
  const group = stage.name('group')
  const records = [0, 1, 2, 3].map((partition) => ({
    ...{ partition, value: `${partition}`, timestamp: stage.timeMs },
  }))
  await first.do('produce', { topic, records })
  await first.do('consume', { topic, group, assignor })
  const alone = await pollUntil('all', [first], ([held], count) => {
    return held!.length === 4 && count === 4
  })
  await first.do('commit', { topic, partition: 2, offset: 1, metadata: 'a note' })
  const committed = await first.do('group', { group })
  await second.do('consume', { topic, group, assignor })
  const shared = await pollUntil('two each', [first, second], (held) => {
    return held.every(({ length }) => length === 2)
  })
  const described = await first.do('group', { group })
  const deleted = await first.do('delete_group', { group })
  await second.do('close')
  const left = await pollUntil('all again', [first], ([held]) => held!.length === 4)
  await first.do('close')
  return {
    ...{ alone, committed, described, deleted },
    shared: shared.held.toSorted((a, b) => a[0]! - b[0]!),
    left: left.held,
    inTheEnd: await first.do('group', { group }),
    deletedInTheEnd: await first.do('delete_group', { group }),
  }
}

export const python: readonly Scenario[] = [
  ...[null, 'gzip'].map(
    (codec): Scenario => ({
      client: 'python',
      name: `records-${codec ?? 'none'}`,
      async run(stage) {
        const python = new PythonStage(stage)
        const topic = await python.createTopic('t')
        const stamped = await python.createTopic('stamped', 1, {
          'message.timestamp.type': 'LogAppendTime',
        })
        const options = { compression_type: codec, acks: 'all' }
        const records = shapes(stage)
        const sent = await python.do('produce', { topic, records, options })
        await python.do('produce', { topic: stamped, records: records.slice(0, 1) })
        await python.do('consume', { topic, partitions: [0] })
        const all = (_: unknown, count: number) => count === records.length
        const read = await PythonStage.pollUntil('all', [python], all)
        await python.do('consume', { topic: stamped, partitions: [0] })
        const one = (_: unknown, count: number) => count === 1
        return { sent, read, stamped: await PythonStage.pollUntil('one', [python], one) }
      },
    }),
  ),
  ...['range', 'roundrobin', 'sticky'].map(
    (assignor): Scenario => ({
      client: 'python',
      name: `group-${assignor}`,
      run: (stage) => shareOut(stage, assignor),
    }),
  ),
  {
    client: 'python',
    name: 'offsets',
    async run(stage) {
      const python = new PythonStage(stage)
      const topic = await python.createTopic('t', 2)
      const records = Array.from({ length: 6 }, (_, index) => ({
        value: `${index}`,
        timestamp: stage.timeMs + 1000 * index,
      }))
      await python.do('produce', { topic, records })
      const offsets = (time: number) => python.do('offsets', { topic, partitions: [0, 1], time })
      const group = stage.name('group')
      await python.do('consume', { topic, partitions: [0], group })
      await python.do('seek', { topic, offset: 4 })
      const sought = await PythonStage.pollUntil('from 4', [python], (_, count) => count === 2)
      const none = await python.do('committed', { topic })
      await python.do('commit', { topic, offset: 3, metadata: 'a note' })
      const some = await python.do('committed', { topic })
      const tooLong = await python.do('commit', {
        name: 'one',
        topic,
        offset: 3,
        metadata: 'x'.repeat(5000),
      })
      await python.do('seek', { topic, offset: 99 })
      const reset = await PythonStage.pollUntil(
        'from the start',
        [python],
        (_, count) => count === 6,
      )
      await python.do('consume', { topic, partitions: [0], reset: 'none' })
      await python.do('seek', { topic, offset: 99 })
      const strict = await PythonStage.pollUntil('an error', [python], () => false)
      return {
        ...{ sought, none, some, tooLong, reset, strict },
        ...{
          middle: await offsets(stage.timeMs + 1500),
          late: await offsets(stage.timeMs + 60_000),
        },
        group: await python.do('group', { group }),
      }
    },
  },
  {
    client: 'python',
    name: 'admin-and-errors',
    async run(stage) {
      const python = new PythonStage(stage)
      const topic = await python.createTopic('t', 2, { 'max.message.bytes': '300' })
      const big = [{ value: 'x'.repeat(1000), timestamp: stage.timeMs }]
      const names = ['max.message.bytes', 'cleanup.policy', 'retention.ms']
      const bad = stage.name('bad')
      return {
        tooLarge: await python.do('produce', { topic, records: big, options: { retries: 0 } }),
        badTopic: await python.do('produce', {
          topic: 'not a topic',
          records: big,
          options: { retries: 0, max_block_ms: 1000 },
        }),
        again: await python.do('create', { topic }),
        validated: await python.do('create', {
          topic: stage.name('only-validated'),
          validate: true,
        }),
        replicas: await python.do('create', { topic: bad, replicas: 2 }),
        space: await python.do('create', { topic: 'a b' }),
        badConfig: await python.do('create', { topic: bad, configs: { 'segment.bytes': 'big' } }),
        described: await python.do('describe', { topic }),
        configs: await python.do('configs', { topic, names }),
        altered: await python.do('configs', { topic, names, set: { 'cleanup.policy': 'compact' } }),
        alteredBadly: await python.do('configs', {
          topic,
          names,
          set: { 'cleanup.policy': 'burn' },
        }),
        grown: await python.do('grow', { topic, count: 3 }),
        shrunk: await python.do('grow', { topic, count: 1 }),
        noGroup: await python.do('group', { group: stage.name('none') }),
        noGroupDeleted: await python.do('delete_group', { group: stage.name('none') }),
        deleted: await python.do('delete', { topic }),
        deletedAgain: await python.do('delete', { topic }),
      }
    },
  },
]
