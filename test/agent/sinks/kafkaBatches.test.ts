// The batches that a Kafka sink makes, as the broker has them: their compression, their size, and
// what becomes of one that the broker does not take.

import { describe, expect, test } from 'vitest'
import { batchOf } from '../../../agent/event.ts'
import { readKafkaSinkSettings } from '../../../agent/sinks/kafka/kafkaSinkOptions.ts'
import { eventsWithin } from '../../../agent/sinks/kafka/takeSize.ts'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { AgentRig, tailToKafka } from '../agentRig.ts'
import { component, testHost } from '../component.ts'

/** With the lines in the log before the agent starts, so that batches are as large as they can be. */
async function started(
  lines: readonly string[],
  options: Readonly<Record<string, string | number>>,
  broker: Readonly<Record<string, string>> = {},
): Promise<AgentRig> {
  const rig = new AgentRig()
  await rig.startBroker(broker)
  await rig.disk.makeDirectory('/logs')
  await rig.append('/logs/app.log', lines.map((line) => `${line}\n`).join(''))
  await rig.startAgent(
    tailToKafka({ 'sources.r1.batchSize': 1000, 'sinks.k1.flumeBatchSize': 1000, ...options }),
  )
  return rig
}

function drained(rig: AgentRig, events: number): Promise<void> {
  return rig.until(() => rig.agent!.status().sinks[0]!.eventsDrained === events)
}

describe('compression', () => {
  const lines = Array.from(
    { length: 500 },
    (_, n) => `order ${n} of the same old words, ever again`,
  )
  const plainBytes = lines.join('').length

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', async (codec) => {
    const rig = await started(lines, { 'sinks.k1.kafka.producer.compression.type': codec })
    await drained(rig, lines.length)
    const batches = await rig.batches('lines')
    expect(new Set(batches.map((batch) => batch.compression))).toEqual(
      new Set([Compression[codec]]),
    )
    const bytes = batches.reduce((sum, batch) => sum + batch.sizeInBytes, 0)
    expect(bytes).toBeLessThan(plainBytes / 2)
    expect(await rig.values('lines')).toEqual(lines)
    await rig.close()
  })

  test('is none unless asked for', async () => {
    const rig = await started(lines, {})
    await drained(rig, lines.length)
    for (const batch of await rig.batches('lines')) expect(batch.compression).toBe(Compression.none)
    await rig.close()
  })
})

describe('the size of a batch', () => {
  test('counts the headers that are sent, so that the broker takes it', async () => {
    const lines = Array.from({ length: 900 }, (_, n) => `line ${n}`)
    const rig = await started(
      lines,
      {
        'sources.r1.fileHeader': 'true',
        'sources.r1.byteOffsetHeader': 'true',
        'sinks.k1.header.file': 'x-where-this-line-of-the-log-came-from',
        'sinks.k1.header.byteoffset': 'x-how-far-from-the-start-of-that-file',
        'sinks.k1.kafka.producer.max.request.size': 16_000,
      },
      { 'message.max.bytes': '16000' },
    )
    await drained(rig, lines.length)
    const batches = await rig.batches('lines')
    expect(await rig.values('lines')).toEqual(lines)
    expect(batches.length).toBeLessThan(20)
    expect(rig.logger.messages('error')).toEqual([])
    await rig.close()
  })

  test('is bounded by the first events that fit, one at least', () => {
    const settings = readKafkaSinkSettings(
      component('sinks', 'k1', { 'kafka.bootstrap.servers': 'h:1', 'header.n': 'name' }),
      testHost,
    )
    const bodies = ['a', 'b', 'c'].map((body) => Buffer.from(body.repeat(100)))
    const shared = [batchOf(bodies, { n: 'x'.repeat(100) })]
    const own = [batchOf(bodies, {}, [{ n: 'x'.repeat(300) }, undefined, { key: 'k' }])]
    expect([0, 300, 600, 900].map((bytes) => eventsWithin(settings, shared, bytes))).toEqual([
      1, 1, 2, 3,
    ])
    expect([0, 450, 600, 900].map((bytes) => eventsWithin(settings, own, bytes))).toEqual([
      1, 1, 2, 3,
    ])
  })
})

describe('a batch that the broker finds too large', () => {
  const large = 'x'.repeat(3000)

  test('is tried until it is taken, said at error level once and then rarely', async () => {
    const rig = await started(
      ['first'],
      {
        'sources.r1.fileHeader': 'true',
        'sources.r1.byteOffsetHeader': 'true',
        'sinks.k1.kafka.producer.max.request.size': 2000,
      },
      { 'message.max.bytes': '2000' },
    )
    await drained(rig, 1)
    await rig.append('/logs/app.log', `${large}\nnext\n`)
    const errors = () => rig.logger.lines.filter(({ level }) => level === 'error')
    await rig.until(() => errors().length > 0)
    for (let second = 0; second < 9 * 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(errors()).toHaveLength(1)
    const { message, fields } = errors()[0]!
    expect(message).toMatch(
      /^the broker refuses a batch as too large.*: one event makes a batch of (\d+) bytes \(which kafka.producer.max.request.size, 2000, does not bound\); raise message.max.bytes of the broker, or max.message.bytes of the topic, to \1 or more/,
    )
    expect(fields).toMatchObject({
      sink: 'k1',
      topic: 'lines',
      partition: 0,
      events: 1,
      largestEventBytes: 3000,
      headers: { file: '/logs/app.log', byteoffset: '6' },
      error: { errorCode: 10 },
    })
    for (let second = 0; second < 2 * 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(errors()).toHaveLength(2)
    const { RollbackCount } = rig.agent!.metrics()['SINK.k1']!
    expect(Number(RollbackCount)).toBeGreaterThan(100)
    expect(rig.agent!.status().channels[0]!.size).toBe(2)
    await rig.stopBroker()
    await rig.startBroker({ 'message.max.bytes': '4000' })
    await drained(rig, 3)
    expect(await rig.values('lines')).toEqual([large, 'next'])
    await rig.close()
  })

  test('because max.request.size is larger than what the broker allows, tells that', async () => {
    const lines = Array.from({ length: 100 }, () => 'x'.repeat(100))
    const rig = await started(lines, {}, { 'message.max.bytes': '2000' })
    await rig.until(() => rig.logger.messages('error').length > 0)
    expect(rig.logger.messages('error')[0]).toMatch(
      /a batch of 100 events has \d+ bytes \(kafka.producer.max.request.size is 1048576; lower it/,
    )
    await rig.close()
  })
})
