// Reading offset ranges from a broker: any range gives exactly its records, wherever batches begin
// and end, and a range that is gone is said to be gone.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { text } from '../../../engine/engine.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import { TopicOffsets } from '../../../engine/sources/topicOffsets.ts'
import { TopicScanner } from '../../../engine/sources/topicScanner.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { isRetriableFailure } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster.ts'
import { Producer } from '../../../protocol/client/producer.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { tcpNetwork } from '../../../protocol/runtime/tcpNetwork.ts'
import { TestBroker } from '../../interop/testBroker.ts'

const runtime = nodeRuntime(tcpNetwork)
const batches = [1, 4, 2, 5]
const count = 12
const startMs = 1_700_000_000_000
let broker: TestBroker
let cluster: Cluster

beforeAll(async () => {
  broker = await TestBroker.start()
  cluster = new Cluster(runtime, {
    bootstrap: [{ host: '127.0.0.1', port: broker.port }],
    clientId: 'test',
  })
  await new Admin(cluster).createTopics([{ name: 'lines', partitions: 1 }])
  const producer = new Producer(cluster, runtime)
  let at = 0
  for (const size of batches) {
    const sent: Promise<unknown>[] = []
    for (const end = at + size; at < end; at++) {
      sent.push(
        producer.send('lines', {
          value: at === 7 ? null : Buffer.from(`line ${at}`),
          timestampMs: startMs + at,
        }),
      )
    }
    await producer.flush()
    await Promise.all(sent)
  }
  await producer.close()
})

afterAll(async () => {
  await cluster.close()
  await broker.stop()
})

async function scan(from: number, until: number, partition = 0) {
  const scanner = new TopicScanner(cluster)
  const range: OffsetRange = { topic: 'lines', partition, from, until }
  const lines: string[] = []
  try {
    const { oldestTimestampMs } = await scanner.scan({ range, format: text() }, (row) =>
      lines.push((row as { line: string }).line),
    )
    return { lines, oldestTimestampMs }
  } finally {
    scanner.close()
  }
}

test('every range gives its records, in order, without those that have no value', async () => {
  for (let from = 0; from <= count; from++) {
    for (let until = from; until <= count; until++) {
      const expected: string[] = []
      for (let at = from; at < until; at++) if (at !== 7) expected.push(`line ${at}`)
      expect((await scan(from, until)).lines).toEqual(expected)
    }
  }
})

test('the oldest timestamp is that of the first batch read', async () => {
  expect((await scan(0, count)).oldestTimestampMs).toBe(startMs)
  expect((await scan(5, 7)).oldestTimestampMs).toBe(startMs + 5)
  expect((await scan(3, 3)).oldestTimestampMs).toBeUndefined()
})

test('a range beyond the log is an error, not a wait', async () => {
  await expect(scan(count + 5, count + 6)).rejects.toMatchObject({ code: 'OFFSETS_LOST' })
})

test('what a sink throws is what the scan fails with', async () => {
  const scanner = new TopicScanner(cluster)
  const range = { topic: 'lines', partition: 0, from: 0, until: count }
  const scanning = scanner.scan({ range, format: text() }, () => {
    throw new Error('no more, please')
  })
  await expect(scanning).rejects.toThrow('no more, please')
  scanner.close()
})

test('the ends of a topic are known, and a topic that is missing may come yet', async () => {
  expect(await new TopicOffsets(cluster, ['lines'], 'committed').ends()).toEqual([
    {
      ...{ topic: 'lines', topicId: await cluster.topicId('lines'), partition: 0 },
      ...{ earliest: 0, latest: count },
    },
  ])
  const failure = await new TopicOffsets(cluster, ['missing-topic'], 'committed')
    .ends()
    .catch((error) => error)
  expect(isRetriableFailure(failure)).toBe(true)
})
