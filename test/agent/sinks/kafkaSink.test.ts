// Where events go and how the Kafka sink meets refusals; that nothing is lost or doubled by crashes
// is shown in exactlyOnce.test.ts.

import { describe, expect, test } from 'vitest'
import { batchOf } from '../../../agent/event.ts'
import { route } from '../../../agent/sinks/kafka/eventRouting.ts'
import { readKafkaSinkSettings } from '../../../agent/sinks/kafka/kafkaSinkOptions.ts'
import { decodeStamp, encodeStamp } from '../../../agent/sinks/kafka/kafkaStamp.ts'
import { murmur2 } from '../../../agent/sinks/kafka/partitionOfKey.ts'
import { ProducerSequences } from '../../../agent/sinks/kafka/producerSequences.ts'
import { decodeStatus, statusTopic } from '../../../protocol/telemetry/status.ts'
import { AgentRig, tailToKafka } from '../agentRig.ts'
import { component } from '../component.ts'

function settings(lines: Readonly<Record<string, string | number>> = {}) {
  const all = { type: 'kafka', channel: 'c1', 'kafka.bootstrap.servers': 'h:9092', ...lines }
  return readKafkaSinkSettings(component('sinks', 'k1', all))
}

describe('routing', () => {
  const counts = new Map([
    ['default-flume-topic', 4],
    ['other', 4],
  ])
  const bodies = ['a', 'b', 'c'].map((body) => Buffer.from(body))

  test('events that do not care go together, to each partition in turn', () => {
    for (const turn of [0, 1, 5]) {
      expect(route(settings(), [batchOf(bodies)], counts, turn)).toEqual([
        { topic: 'default-flume-topic', partition: turn % 4, events: undefined },
      ])
    }
  })

  test('a topic header overrides the topic unless it may not', () => {
    const batch = batchOf(bodies, { topic: 'other' })
    expect(route(settings(), [batch], counts, 0)[0]!.topic).toBe('other')
    const fixed = settings({ allowTopicOverride: 'false' })
    expect(route(fixed, [batch], counts, 0)[0]!.topic).toBe('default-flume-topic')
  })

  test('events with a key go where every Kafka client sends that key', () => {
    const own = [{ key: 'foobar' }, { key: '21' }, { key: 'foobar' }]
    const routes = route(settings(), [batchOf(bodies, {}, own)], counts, 0)
    const partitionOf = (key: string) => (murmur2(Buffer.from(key)) & 0x7fffffff) % 4
    expect(routes).toEqual([
      { topic: 'default-flume-topic', partition: partitionOf('foobar'), events: [0, 2] },
      { topic: 'default-flume-topic', partition: partitionOf('21'), events: [1] },
    ])
  })

  test('a partition header wins when it names a partition', () => {
    const batches = [batchOf(bodies, { p: '3' }), batchOf(bodies, { p: '9' })]
    const routes = route(settings({ partitionIdHeader: 'p' }), batches, counts, 1)
    expect(routes.map(({ partition, events }) => [partition, events])).toEqual([
      [3, [0, 1, 2]],
      [1, [3, 4, 5]],
    ])
  })

  // The values of org.apache.kafka.common.utils.Utils.murmur2 for these keys.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['abc', 479470107],
  ])('murmur2 of %s', (key, expected) => {
    expect(murmur2(Buffer.from(key))).toBe(expected)
  })
})

test('sequences go on from a stamp, wrap as Kafka wraps them, and start anew for a new producer', () => {
  const sequences = new ProducerSequences()
  sequences.renew({ producerId: 7, producerEpoch: 0 })
  expect(sequences.advance('t', 0, 10)).toBe(0)
  expect(sequences.advance('t', 1, 5)).toBe(0)
  expect(sequences.advance('t', 0, 2 ** 31 - 11)).toBe(10)
  const nextSequences = sequences.snapshot()
  const stamp = { producerId: 7, producerEpoch: 0, timestampMs: 1, sends: [], nextSequences }
  const resumed = new ProducerSequences()
  resumed.resume(decodeStamp(encodeStamp(stamp)))
  expect(resumed.identity).toEqual({ producerId: 7, producerEpoch: 0 })
  expect(resumed.advance('t', 0, 3)).toBe(2 ** 31 - 1)
  expect(resumed.advance('t', 0, 1)).toBe(2)
  expect(resumed.advance('t', 1, 1)).toBe(5)
  resumed.renew({ producerId: 8, producerEpoch: 0 })
  expect(resumed.advance('t', 0, 1)).toBe(0)
})

describe('against a broker', () => {
  test('events wait in the channel until the broker is there', async () => {
    const rig = new AgentRig()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\ntwo\n')
    await rig.until(() => rig.agent!.status().channels[0]!.size === 2)
    await rig.startBroker()
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 2)
    expect(await rig.values('lines')).toEqual(['one', 'two'])
    await rig.close()
  })

  test('a topic that its first events create is no failure', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    expect([...rig.logger.messages('warn'), ...rig.logger.messages('error')]).toEqual([])
    await rig.close()
  })

  test('the agent reports its status each second', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    await rig.clock.advanceAndSettle(3000)
    const reports = (await rig.values(statusTopic)).map((value) => decodeStatus(Buffer.from(value)))
    expect(reports.length).toBeGreaterThanOrEqual(2)
    expect(reports.at(-1)).toMatchObject({
      id: 'agent/host/a1',
      sinks: [{ name: 'k1', type: 'kafka', eventsDrained: 1, topic: 'lines' }],
    })
    await rig.close()
  })

  test('what interceptors set decides the topic; two channels each deliver everything', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(
      tailToKafka({
        channels: 'c1 c2',
        sinks: 'k1 k2',
        'sources.r1.channels': 'c1 c2',
        'sources.r1.interceptors': 'i1',
        'sources.r1.interceptors.i1.type': 'host',
        'sources.r1.interceptors.i1.hostHeader': 'topic',
        'sources.r1.interceptors.i1.useIP': 'false',
        'channels.c2.type': 'memory',
        'sinks.k2.type': 'org.apache.flume.sink.kafka.KafkaSink',
        'sinks.k2.channel': 'c2',
        'sinks.k2.kafka.bootstrap.servers': 'broker:9092',
        'sinks.k2.kafka.topic': 'fixed',
        'sinks.k2.allowTopicOverride': 'false',
      }),
    )
    await rig.append('/logs/app.log', 'one\ntwo\n')
    await rig.until(() => rig.agent!.status().sinks.every((sink) => sink.eventsDrained === 2))
    expect(await rig.values('host')).toEqual(['one', 'two'])
    expect(await rig.values('fixed')).toEqual(['one', 'two'])
    await rig.close()
  })

  test('a producer that the broker does not want is replaced, and its events are sent once', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    await rig.stopAgent()
    // Another agent with a copy of the channel goes on under the same producer id: what this one
    // sends next is out of order for the broker.
    const copy = rig.disk
    expect(await copy.list('/agent/data')).not.toEqual([])
    const files = new Map<string, Buffer>()
    for (const name of await copy.list('/agent/data')) {
      if (name.startsWith('log-')) files.set(name, (await copy.readFile(`/agent/data/${name}`))!)
    }
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'two\nthree\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 2)
    await rig.stopAgent()
    for (const name of await copy.list('/agent/data')) {
      if (name.startsWith('log-')) await copy.remove(`/agent/data/${name}`)
    }
    for (const [name, bytes] of files) await copy.writeFileAtomic(`/agent/data/${name}`, bytes)
    await copy.remove('/agent/positions.json')
    const { sizeBytes } = (await copy.stat('/logs/app.log'))!
    expect(sizeBytes).toBe('one\ntwo\nthree\n'.length)
    await rig.append('/logs/app.log', 'four\n')
    await rig.startAgent(tailToKafka())
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 3)
    expect(rig.logger.messages('warn')).toContain('events were not delivered, will retry')
    // The copy knows nothing of two and three, so they come twice; four must come, and once.
    expect(await rig.values('lines')).toEqual(['one', 'two', 'three', 'two', 'three', 'four'])
    await rig.close()
  })
})
