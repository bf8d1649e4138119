// The batches of a Kafka sink as stored by the broker: their compression and size, and how a batch
// that the broker refuses is handled.

import { describe, expect, test } from 'vitest'
import { batchOf } from '../../../agent/event.ts'
import { readKafkaSinkSettings } from '../../../agent/sinks/kafka/kafkaSinkOptions.ts'
import { eventsWithin } from '../../../agent/sinks/kafka/takeSize.ts'
import { Compression } from '../../../protocol/bytes/compression.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import { AgentRig, tailToKafka } from '../agentRig.ts'
import { component, testHost } from '../component.ts'

/** Starts an agent on a log that has all lines, so that its batches are as large as possible. */
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

  test('is off by default', async () => {
    const rig = await started(lines, {})
    await drained(rig, lines.length)
    for (const batch of await rig.batches('lines')) expect(batch.compression).toBe(Compression.none)
    await rig.close()
  })
})

describe('the size of a batch', () => {
  test('includes the headers, so that the broker accepts it', async () => {
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

  test('is at most batch.size, and an event that is larger goes alone, whole', async () => {
    const lines = [...Array.from({ length: 20 }, () => 'x'.repeat(100)), 'y'.repeat(2000), 'z']
    const rig = await started(lines, { 'sinks.k1.kafka.producer.batch.size': 500 })
    await drained(rig, lines.length)
    expect(await rig.values('lines')).toEqual(lines)
    const counts = (await rig.batches('lines')).map(({ recordCount }) => recordCount)
    expect(Math.max(...counts)).toBe(4)
    await rig.close()
  })

  test('grows for up to linger.ms while events wait', async () => {
    const rig = await started(['1'], {
      'sinks.k1.kafka.producer.linger.ms': 2000,
      'sinks.k1.flumeBatchSize': 3,
    })
    await rig.clock.advanceAndSettle(1000)
    await rig.append('/logs/app.log', '2\n')
    await rig.clock.advanceAndSettle(500)
    expect(await rig.values('lines')).toEqual([])
    await drained(rig, 2)
    await rig.append('/logs/app.log', '3\n4\n5\n')
    const startMs = rig.clock.monotonicMs()
    await drained(rig, 5)
    expect(rig.clock.monotonicMs() - startMs).toBeLessThan(1000)
    const counts = (await rig.batches('lines')).map(({ recordCount }) => recordCount)
    expect(counts).toEqual([2, 3])
    await rig.close()
  })

  test('is that of the first events that fit, and of at least one', () => {
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

test('a new producer begins before stamps get too large, and each event is sent once', async () => {
  const lines = Array.from({ length: 1300 }, (_, n) => `line ${n}`)
  const rig = await started(
    lines,
    { 'sinks.k1.flumeBatchSize': 1, 'sources.r1.batchSize': 1000 },
    { 'num.partitions': '1200' },
  )
  await drained(rig, lines.length)
  // Each take has one event, for each partition in turn. The second producer begins near the
  // thousandth event.
  const producers = new Set<number>()
  for (const partition of [0, 50, 995, 998, 999, 1000, 1001, 1004, 1199]) {
    const expected = lines.filter((_, n) => n % 1200 === partition)
    expect(await rig.values('lines', partition)).toEqual(expected)
    for (const { producerId } of await rig.batches('lines', partition)) producers.add(producerId)
  }
  expect(producers.size).toBe(2)
  expect(rig.logger.messages('warn')).toEqual([])
  await rig.close()
})

describe('a line that is too long for one record', () => {
  // Each character has three bytes, so that most cuts at an arbitrary byte would split one.
  const long = '\u20ac'.repeat(2000)

  /** The value of each record, its part number and the number of parts. */
  async function parts(rig: AgentRig): Promise<[string, string, string][]> {
    const all: [string, string, string][] = []
    for (const batch of await rig.batches('lines')) {
      for (const { value, headers } of records(batch, 10_000_000)) {
        const header = (name: string) => String(headers.find(({ key }) => key === name)?.value)
        all.push([String(value), header('millrace.part'), header('millrace.parts')])
      }
    }
    return all
  }

  function expectWhole(all: readonly [string, string, string][], count: number): void {
    const pieces = all.slice(1, -1)
    expect([all[0]![0], all.at(-1)![0]]).toEqual(['before', 'behind'])
    expect(pieces.map(([text]) => text).join('')).toBe(long)
    expect(pieces.map(([, part, of]) => [part, of])).toEqual(
      Array.from({ length: count }, (_, n) => [String(n + 1), String(count)]),
    )
  }

  test('is split between characters, in order, and blocks no other line', async () => {
    const rig = await started(
      ['before', long, 'behind'],
      { 'sinks.k1.kafka.producer.max.request.size': 2000, 'sources.r1.fileHeader': 'true' },
      { 'message.max.bytes': '2000' },
    )
    await drained(rig, 3)
    expectWhole(await parts(rig), 5)
    expect(rig.logger.messages('error')).toEqual([])
    const [warning] = rig.logger.lines.filter(({ level }) => level === 'warn')
    expect(warning!.message).toMatch(/^an event of 6000 bytes .* sent as 5 records/)
    expect(warning!.fields).toMatchObject({ sizeBytes: 6000, headers: { file: '/logs/app.log' } })
    await rig.close()
  })

  test('is split to the limit of the broker if that is lower than the configured one', async () => {
    const rig = await started(['before', long, 'behind'], {}, { 'message.max.bytes': '3000' })
    await drained(rig, 3)
    const all = await parts(rig)
    expectWhole(all, all.length - 2)
    expect(rig.logger.messages('error')).toEqual([])
    expect(rig.logger.messages('warn')[0]).toMatch(
      /^the broker refused a batch of \d+ bytes as too large: from now on batches have at most \d+ bytes/,
    )
    await rig.close()
  })

  test('is stored from its first part on, even if the broker would accept only the last part', async () => {
    const rig = await started(
      [long],
      { 'sinks.k1.kafka.producer.max.request.size': 4000 },
      { 'message.max.bytes': '3000' },
    )
    await drained(rig, 1)
    const all = await parts(rig)
    expect(all.map(([text]) => text).join('')).toBe(long)
    expect(all.map(([, part, of]) => `${part}/${of}`)).toEqual(
      all.map((_, index) => `${index + 1}/${all.length}`),
    )
    await rig.close()
  })

  test('is sent exactly once across power failures at any moment', async () => {
    const configuration = tailToKafka({ 'sinks.k1.kafka.producer.max.request.size': 3000 })
    const crashedAt = new Set<number>()
    for (let crashAt = 0; crashAt < 20; crashAt++) {
      const rig = new AgentRig()
      await rig.startBroker({ 'message.max.bytes': '3000' })
      await rig.disk.makeDirectory('/logs')
      await rig.disk.syncDirectory('/')
      await rig.append('/logs/app.log', `before\n${long}\nbehind\n`)
      let left = crashAt
      rig.beforeChange = (_, path) => {
        if (!path.startsWith('/agent') || left-- > 0) return
        if (!crashedAt.has(crashAt)) rig.disk.crash()
        crashedAt.add(crashAt)
        throw new Error('the power failed')
      }
      try {
        await rig.startAgent(configuration)
        await rig.clock.advanceAndSettle(2000)
      } catch (error) {
        expect(crashedAt, String(error)).toContain(crashAt)
      }
      await rig.stopAgent()
      rig.beforeChange = () => {}
      await rig.startAgent(configuration)
      await rig.until(async () => (await rig.values('lines')).at(-1) === 'behind')
      expectWhole(await parts(rig), 3)
      await rig.close()
    }
    expect(crashedAt.size).toBeGreaterThan(12)
  })
})

describe('a batch that the broker refuses as too large', () => {
  test('is resent as smaller ones, each event once', async () => {
    const lines = Array.from({ length: 300 }, (_, n) => `${n} ${'x'.repeat(100)}`)
    const rig = await started(lines, {}, { 'message.max.bytes': '2000' })
    await drained(rig, lines.length)
    expect(await rig.values('lines')).toEqual(lines)
    expect(rig.logger.messages('error')).toEqual([])
    await rig.close()
  })

  test('of a new producer is resent before the events behind it', async () => {
    const long = Array.from({ length: 10 }, (_, n) => `${n} ${'x'.repeat(300)}`)
    const lines = [...long, ...Array.from({ length: 30 }, (_, n) => `behind ${n}`)]
    const rig = await started(
      lines,
      { 'sinks.k1.flumeBatchSize': 10 },
      { 'message.max.bytes': '2000' },
    )
    await drained(rig, lines.length)
    expect(await rig.values('lines')).toEqual(lines)
    await rig.close()
  })

  test('is resent as smaller ones when other batches of its take were stored', async () => {
    const rig = new AgentRig()
    await rig.startBroker({ 'message.max.bytes': '4000', 'num.partitions': '8' })
    await rig.disk.makeDirectory('/logs')
    // Each file has its own key: the events of one take go to several partitions, in small batches
    // and one large batch.
    const counts = [5, 5, 5, 5, 5, 300]
    const all: string[] = []
    for (const [file, count] of counts.entries()) {
      const lines = Array.from({ length: count }, (_, n) => `${file} ${n} ${'x'.repeat(100)}`)
      all.push(...lines)
      await rig.append(`/logs/app${file}.log`, lines.map((line) => `${line}\n`).join(''))
    }
    await rig.startAgent(
      tailToKafka({
        'sources.r1.filegroups.f1': '/logs/app.*',
        'sources.r1.fileHeader': 'true',
        'sources.r1.fileHeaderKey': 'key',
        'sinks.k1.flumeBatchSize': 1000,
      }),
    )
    await drained(rig, all.length)
    const partitions = await Promise.all(
      Array.from({ length: 8 }, (_, partition) => rig.values('lines', partition)),
    )
    expect(partitions.filter((values) => values.length > 0).length).toBeGreaterThan(2)
    expect(partitions.flat().sort()).toEqual(all.sort())
    expect(rig.logger.messages('warn')).toContainEqual(
      expect.stringMatching(/as too large: from now on batches/),
    )
    await rig.close()
  })

  test('is logged as an error once and then rarely if it cannot be split further', async () => {
    const rig = await started(['x'.repeat(3000)], {}, { 'message.max.bytes': '200' })
    const errors = () => rig.logger.messages('error')
    await rig.until(() => errors().length > 0)
    for (let second = 0; second < 9 * 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(errors()).toEqual([
      expect.stringMatching(
        /^the broker refused a batch of \d+ bytes as too large, .*: all later events wait; raise message.max.bytes/,
      ),
    ])
    for (let second = 0; second < 2 * 60; second++) await rig.clock.advanceAndSettle(1000)
    expect(errors()).toHaveLength(2)
    await rig.stopBroker()
    await rig.startBroker({ 'message.max.bytes': '4000' })
    await drained(rig, 1)
    expect((await rig.values('lines')).join('')).toBe('x'.repeat(3000))
    await rig.close()
  })
})
