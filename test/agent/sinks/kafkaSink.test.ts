// Routing of events and handling of refusals by the Kafka sink. Crashes are in exactlyOnce.test.ts.

import { describe, expect, test } from 'vitest'
import { batchOf } from '../../../agent/event.ts'
import { route } from '../../../agent/sinks/kafka/eventRouting.ts'
import { readKafkaSinkSettings } from '../../../agent/sinks/kafka/kafkaSinkOptions.ts'
import { decodeStamp, encodeStamp } from '../../../agent/sinks/kafka/kafkaStamp.ts'
import { StampedProducer } from '../../../agent/sinks/kafka/stampedProducer.ts'
import { murmur2 } from '../../../protocol/client/producer/murmur2.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { decodeStatus } from '../../../protocol/telemetry/status/status.ts'
import { statusTopic } from '../../../protocol/telemetry/status/statusTopicName.ts'
import { AgentRig, tailToKafka } from '../agentRig.ts'
import { component, testHost } from '../component.ts'

function settings(lines: Readonly<Record<string, string | number>> = {}) {
  const all = { type: 'kafka', channel: 'c1', 'kafka.bootstrap.servers': 'h:9092', ...lines }
  return readKafkaSinkSettings(component('sinks', 'k1', all), testHost)
}

describe('routing', () => {
  const counts = new Map([
    ['default-flume-topic', 4],
    ['other', 4],
  ])
  const bodies = ['a', 'b', 'c'].map((body) => Buffer.from(body))

  test('events without key or partition go together, to each partition in turn', () => {
    for (const turn of [0, 1, 5]) {
      expect(route(settings(), [batchOf(bodies)], counts, turn, 0)).toEqual([
        { topic: 'default-flume-topic', partition: turn % 4, events: undefined },
      ])
    }
  })

  test('a topic header overrides the topic unless allowTopicOverride is false', () => {
    const batch = batchOf(bodies, { topic: 'other' })
    expect(route(settings(), [batch], counts, 0, 0)[0]!.topic).toBe('other')
    const fixed = settings({ allowTopicOverride: 'false' })
    expect(route(fixed, [batch], counts, 0, 0)[0]!.topic).toBe('default-flume-topic')
  })

  test('events with a key go to the partition that Kafka clients choose for the key', () => {
    const own = [{ key: 'foobar' }, { key: '21' }, { key: 'foobar' }]
    const routes = route(settings(), [batchOf(bodies, {}, own)], counts, 0, 0)
    const partitionOf = (key: string) => (murmur2(Buffer.from(key)) & 0x7fffffff) % 4
    expect(routes).toEqual([
      { topic: 'default-flume-topic', partition: partitionOf('foobar'), events: [0, 2] },
      { topic: 'default-flume-topic', partition: partitionOf('21'), events: [1] },
    ])
  })

  test('a partition header wins when it names a partition', () => {
    const batches = [batchOf(bodies, { p: '3' }), batchOf(bodies, { p: '9' })]
    const routes = route(settings({ partitionIdHeader: 'p' }), batches, counts, 1, 0)
    expect(routes.map(({ partition, events }) => [partition, events])).toEqual([
      [3, [0, 1, 2]],
      [1, [3, 4, 5]],
    ])
  })

  test('a topic is expanded from the headers of each event', () => {
    const expanding = settings({ 'kafka.topic': 'web-%{site}-%Y%m%d', allowTopicOverride: 'false' })
    const noon = Date.parse('2026-02-03T12:00:00')
    const own = [{ site: 'a' }, { site: 'b', timestamp: String(noon) }, { site: 'a' }]
    const names = new Map(['web-a-20251231', 'web-b-20260203'].map((topic) => [topic, 1]))
    const now = Date.parse('2025-12-31T23:59:59')
    const routes = route(expanding, [batchOf(bodies, {}, own)], names, 0, now)
    expect(routes.map(({ topic, events }) => [topic, events])).toEqual([
      ['web-a-20251231', [0, 2]],
      ['web-b-20260203', [1]],
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

describe('options', () => {
  test.each<[string, Record<string, string | number>, object]>([
    ['the new batch size wins', { batchSize: 5, flumeBatchSize: 7 }, { batchSize: 7 }],
    ['the old batch size alone', { batchSize: 5 }, { batchSize: 5, batchSizeKey: 'batchSize' }],
    ['the new topic wins', { topic: 'old', 'kafka.topic': 'new' }, { topic: 'new' }],
    ['an option that Flume does not have', { 'kafka.flumeBatchSize': 5 }, { batchSize: 100 }],
    ['a client id', { 'kafka.producer.client.id': 'web' }, { clientId: 'web' }],
    [
      'takes in flight, at most five',
      { 'kafka.producer.max.in.flight.requests.per.connection': 9 },
      { maxTakesInFlight: 5 },
    ],
    [
      'a header, from the event to the record',
      { 'header.file': 'x-file' },
      { recordHeaders: new Map([['x-file', 'file']]) },
    ],
  ])('%s', (_, lines, expected) => {
    expect(settings(lines)).toMatchObject(expected)
  })

  test.each([
    ['orders/eu', /'orders\/eu' is not a valid topic name/],
    ['..', /'\.\.' is not a valid topic name/],
    ['orders-%Q', /'%Q' in 'orders-%Q' is not an escape sequence/],
  ])('the topic %s, which every broker would refuse, is an error', (topic, message) => {
    expect(() => settings({ 'kafka.topic': topic })).toThrow(message)
  })
})

test('sequence numbers continue from a stamp, wrap as Kafka wraps them, and restart for a new producer', () => {
  const sequences = new StampedProducer()
  sequences.renew({ producerId: 7, producerEpoch: 0 })
  expect(sequences.advance('t', 0, 10)).toBe(0)
  expect(sequences.advance('t', 1, 5)).toBe(0)
  expect(sequences.advance('t', 0, 2 ** 31 - 11)).toBe(10)
  const nextSequences = sequences.snapshot()
  const stamp = { producerId: 7, producerEpoch: 0, timestampMs: 1, sends: [], nextSequences }
  const resumed = new StampedProducer()
  resumed.resume(decodeStamp(encodeStamp(stamp)))
  expect(resumed.identity).toEqual({ producerId: 7, producerEpoch: 0 })
  expect(resumed.advance('t', 0, 3)).toBe(2 ** 31 - 1)
  expect(resumed.advance('t', 0, 1)).toBe(2)
  expect(resumed.advance('t', 1, 1)).toBe(5)
  resumed.renew({ producerId: 8, producerEpoch: 0 })
  expect(resumed.advance('t', 0, 1)).toBe(0)
})

describe('against a broker', () => {
  test('events wait in the channel until the broker is reachable', async () => {
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

  test('the creation of a topic by its first events is not logged as a failure', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    expect([...rig.logger.messages('warn'), ...rig.logger.messages('error')]).toEqual([])
    await rig.close()
  })

  test('an unreachable broker is logged once, even with nothing to send, and once more when it is reachable', async () => {
    const rig = new AgentRig()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    const warnings = () => rig.logger.messages('warn')
    const counts = () => {
      const { ConnectionCreatedCount, ConnectionClosedCount, ConnectionFailedCount } =
        rig.agent!.metrics()['SINK.k1']!
      return [ConnectionCreatedCount, ConnectionClosedCount, Number(ConnectionFailedCount) > 0]
    }
    await rig.until(() => warnings().length > 0)
    await rig.append('/logs/app.log', 'one\n')
    for (let second = 0; second < 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^events cannot be delivered: no broker of the cluster at broker:9092 can be reached.*; 0 events wait in channel c1; retried until they are delivered$/,
      ),
    ])
    expect(rig.logger.lines.find(({ level }) => level === 'warn')!.fields).toEqual({
      sink: 'k1',
      channel: 'c1',
      events: 0,
    })
    expect(counts()).toEqual(['0', '0', true])
    await rig.startBroker()
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    expect(rig.logger.messages('info')).toContain('the cluster is reachable again')
    expect(counts()).toEqual(['1', '0', true])
    await rig.stopBroker()
    await rig.until(() => warnings().length > 1)
    for (let second = 0; second < 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(warnings()).toHaveLength(2)
    expect(counts()).toEqual(['1', '1', true])
    await rig.close()
  })

  test('an invalid topic name is logged once, with the setting to check', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka({ 'sinks.k1.kafka.topic': 'a b/%{nothing}' }))
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.logger.messages('warn').length > 0)
    for (let second = 0; second < 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(rig.logger.messages('warn')).toEqual([
      expect.stringMatching(
        /INVALID_TOPIC_EXCEPTION.*: the topic name is not valid: check kafka.topic/,
      ),
    ])
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
    expect(reports.every(({ state }) => state === 'running')).toBe(true)
    await rig.stopAgent()
    const last = (await rig.values(statusTopic)).at(-1)!
    expect(decodeStatus(Buffer.from(last))).toMatchObject({
      state: 'stopped',
      sinks: [{ eventsDrained: 1 }],
    })
    await rig.close()
  })

  test('headers set by interceptors select the topic; two channels each deliver everything', async () => {
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
    expect(await rig.values('host.example')).toEqual(['one', 'two'])
    expect(await rig.values('fixed')).toEqual(['one', 'two'])
    await rig.close()
  })

  test('a producer that the broker refuses is replaced, and its events are sent once', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(tailToKafka())
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    await rig.stopAgent()
    // Another agent with a copy of the channel continues under the same producer id, so the broker
    // refuses the next batch of this agent as out of order.
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
    expect(rig.logger.messages('warn')).toContainEqual(
      expect.stringMatching(/^events cannot be delivered: OUT_OF_ORDER_SEQUENCE_NUMBER/),
    )
    expect(rig.logger.messages('info')).toContain('events are delivered again')
    // The copy does not contain two and three, so they are delivered twice; four must be delivered
    // exactly once.
    expect(await rig.values('lines')).toEqual(['one', 'two', 'three', 'two', 'three', 'four'])
    await rig.close()
  })

  test('with useFlumeEventFormat a value is the whole event, and a header becomes a record header', async () => {
    const rig = new AgentRig()
    await rig.startBroker()
    await rig.disk.makeDirectory('/logs')
    await rig.startAgent(
      tailToKafka({
        'sources.r1.interceptors': 'i1',
        'sources.r1.interceptors.i1.type': 'host',
        'sinks.k1.useFlumeEventFormat': 'true',
        'sinks.k1.header.host': 'x-host',
      }),
    )
    await rig.append('/logs/app.log', 'one\n')
    await rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === 1)
    const [batch] = await rig.batches('lines')
    const [record] = [...records(batch!, 1000)]
    // By Avro's specification: a block of 1 entry (02), 'host' (08), '10.0.0.1' (10), end (00),
    // 'one' (06).
    expect(record!.value!.toString('latin1')).toBe('\x02\x08host\x1010.0.0.1\x00\x06one')
    expect(record!.headers.map(({ key, value }) => [key, String(value)])).toEqual([
      ['x-host', '10.0.0.1'],
    ])
    await rig.close()
  })
})
