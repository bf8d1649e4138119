// Positions in the topics of a broker: where a job starts, and where it continues after a loss of
// records.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { text } from '../../../engine/engine.ts'
import { planRanges } from '../../../engine/scheduler/rangePlan.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import { TopicOffsets } from '../../../engine/sources/topicOffsets.ts'
import type { TopicSource } from '../../../engine/sources/topicOptions.ts'
import { TopicScanner } from '../../../engine/sources/topicScanner.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { TestBroker } from '../../interop/testBroker.ts'

const runtime = nodeRuntime(tcpNetwork)
const startMs = 1_700_000_000_000
let broker: TestBroker
let cluster: Cluster

beforeAll(async () => {
  broker = await TestBroker.start()
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
})

afterAll(async () => {
  await cluster.close()
  await broker.stop()
})

/** Creates a topic of ten records, whose timestamps are a second apart. */
async function topicOfTen(topic: string): Promise<void> {
  await new Admin(cluster).createTopics([{ name: topic, partitions: 1 }])
  const producer = new Producer(cluster, runtime)
  for (let at = 0; at < 10; at++) {
    const timestampMs = startMs + 1000 * at
    await producer.send(topic, { value: Buffer.from(`line ${at}`), timestampMs })
  }
  await producer.close()
}

async function removeBefore(topic: string, offset: number): Promise<void> {
  const connection = await cluster.leader(topic, 0)
  const partitions = [{ partitionIndex: 0, offset }]
  await connection.send(deleteRecords, { topics: [{ name: topic, partitions }], timeoutMs: 10_000 })
}

function offsetsOf(
  topic: string,
  source: Partial<TopicSource>,
  isolation: Isolation = 'committed',
) {
  const whole: TopicSource = { startAt: 'earliest', onLost: 'fail', deadLetters: [], ...source }
  return new TopicOffsets(cluster, [topic], isolation, new Map([[topic, whole]]))
}

function read(topic: string, until: number): OffsetRange[] {
  return [{ topic, partition: 0, from: 0, until }]
}

test('the offset of a time is that of the first record at or after it', async () => {
  await topicOfTen('times')
  const reader = new PartitionReader(cluster, { topic: 'times', partition: 0 })
  expect(await reader.offsetForTime(0)).toBe(0)
  expect(await reader.offsetForTime(startMs + 4000)).toBe(4)
  expect(await reader.offsetForTime(startMs + 4001)).toBe(5)
  expect(await reader.offsetForTime(startMs + 9001)).toBe(10)
})

test.each([
  ['earliest' as const, 0],
  ['latest' as const, 10],
  [{ timeMs: startMs + 4000 }, 4],
  [{ timeMs: startMs + 60_000 }, 10],
])('a new job with startAt %j starts at offset %d', async (startAt, expected) => {
  const topic = `start-${JSON.stringify(startAt).replaceAll(/\W/g, '')}`
  await topicOfTen(topic)
  const offsets = offsetsOf(topic, { startAt })
  expect(planRanges(await offsets.ends(), [], () => 100)[0]).toMatchObject({
    from: expected,
    until: 10,
  })
  // The position of earlier reads has priority over the option.
  const previous = read(topic, 7)
  expect(planRanges(await offsets.ends(previous), previous, () => 100)[0]).toMatchObject({
    from: 7,
  })
})

test.each([
  ['earliest' as const, 6],
  ['latest' as const, 10],
  [{ timeMs: startMs + 8000 }, 8],
  [{ timeMs: startMs }, 6],
])('a job that lost records continues at %j, offset %d', async (onLost, expected) => {
  const topic = `lost-${JSON.stringify(onLost).replaceAll(/\W/g, '')}`
  await topicOfTen(topic)
  await removeBefore(topic, 6)
  const previous = read(topic, 2)
  const resumed = await offsetsOf(topic, { onLost }).ends(previous)
  expect(planRanges(resumed, previous, () => 100)[0]).toMatchObject({ from: expected, until: 10 })
  const failing = await offsetsOf(topic, {}).ends(previous)
  expect(() => planRanges(failing, previous, () => 100)).toThrow(
    /lost|no longer has offsets 2 to 6/,
  )
  // A job that has read all of the removed records loses nothing.
  const ahead = read(topic, 6)
  const sound = await offsetsOf(topic, { onLost }).ends(ahead)
  expect(planRanges(sound, ahead, () => 100)[0]).toMatchObject({ from: 6, until: 10 })
})

test.each(['committed', 'uncommitted'] as const)(
  'a job continues at the end of a log that ends below the offsets read, read %s',
  async (isolation) => {
    const topic = `short-${isolation}`
    await topicOfTen(topic)
    const previous = read(topic, 15)
    const resumed = await offsetsOf(topic, { onLost: 'earliest' }, isolation).ends(previous)
    expect(planRanges(resumed, previous, () => 100)[0]).toMatchObject({ from: 10, until: 10 })
    const failing = await offsetsOf(topic, {}, isolation).ends(previous)
    expect(() => planRanges(failing, previous, () => 100)).toThrow(/ends at offset 10.*up to 15/)
  },
)

test('the start of a log is listed again when the listed start is old, and after a batch was found to be lost', async () => {
  await topicOfTen('moving')
  let aheadMs = 0
  const monotonicMs = () => runtime.clock.monotonicMs() + aheadMs
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  const clock = { ...runtime.clock, monotonicMs }
  const later = new Cluster({ ...runtime, clock }, { bootstrap, clientId: 'later' })
  try {
    const offsets = new TopicOffsets(later, ['moving'], 'committed')
    expect(await offsets.ends()).toMatchObject([{ earliest: 0 }])
    await removeBefore('moving', 4)
    expect(await offsets.ends()).toMatchObject([{ earliest: 0 }])
    aheadMs += 10_000
    expect(await offsets.ends()).toMatchObject([{ earliest: 4 }])
    await removeBefore('moving', 6)
    offsets.forget()
    expect(await offsets.ends()).toMatchObject([{ earliest: 6 }])
  } finally {
    await later.close()
  }
})

test('a scan of a lost range names the lost offsets, the existing offsets, and the remedies', async () => {
  await topicOfTen('scanned')
  await removeBefore('scanned', 6)
  const scanner = new TopicScanner(cluster)
  const scan = (from: number, until: number) =>
    scanner.scan(
      { range: { topic: 'scanned', partition: 0, from, until }, format: text() },
      () => {},
    )
  await expect(scan(2, 8)).rejects.toMatchObject({ code: 'OFFSETS_LOST' })
  await expect(scan(2, 8)).rejects.toThrow(
    /offsets 2 to 6 \(4 .* has offsets 6 to 10.*onLost.*rewind/,
  )
  await expect(scan(2, 4)).rejects.toThrow(/offsets 2 to 4 \(2 /)
  await expect(scan(12, 14)).rejects.toThrow(/ends at offset 10.*read it up to 12/)
  const found = await scan(6, 10)
  expect(found).toMatchObject({ records: 4 })
  // Each record is in a record batch of its own.
  expect(found.bytes).toBeGreaterThan(4 * 61)
  scanner.close()
})
