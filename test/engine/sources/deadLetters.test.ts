// Dead letters in the topics of a broker: their contents, and that each is written once, however
// often its batch runs and wherever a run ended.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeadLetters } from '../../../engine/sources/deadLetters.ts'
import type { RejectedRecord } from '../../../engine/sources/scan.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { isRetriableFailure } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { PartitionReader } from '../../../protocol/client/consumer/partitionReader.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { type Record, records } from '../../../protocol/kafka/records/recordCursor.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
import { TestBroker } from '../../interop/testBroker.ts'

const runtime = nodeRuntime(tcpNetwork)
let broker: TestBroker
let cluster: Cluster
let topics = 0

beforeAll(async () => {
  broker = await TestBroker.start()
  cluster = newCluster()
})

afterAll(async () => {
  await cluster.close()
  await broker.stop()
})

function newCluster(): Cluster {
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  return new Cluster(runtime, { bootstrap, clientId: 'test', allowAutoTopicCreation: false })
}

async function newTopic(partitions = 2, configs = {}): Promise<string> {
  const name = `dead-${topics++}`
  await new Admin(cluster).createTopics([{ name, partitions, configs }])
  return name
}

function lettersTo(topic: string, job = 'tested'): DeadLetters {
  return new DeadLetters(cluster, runtime, { job, topics: [topic] })
}

function rejected(
  topic: string,
  offset: number,
  more: Partial<RejectedRecord> = {},
): RejectedRecord {
  const headers = [{ key: 'trace', value: new Uint8Array([1, 2]) }]
  const record = {
    key: Buffer.from(`key ${offset}`),
    value: Buffer.from(`value ${offset}`),
    headers,
  }
  const place = { topic: 'orders', partition: 3, offset, timestampMs: 1234 }
  return {
    ...place,
    onError: { deadLetter: topic },
    error: `Error: no at ${offset}`,
    record,
    ...more,
  }
}

async function lettersIn(topic: string): Promise<Record[]> {
  const found: Record[] = []
  const { partitions } = (await new Admin(cluster).describeTopics([topic]))[0]!
  for (const { partition } of partitions) {
    const reader = new PartitionReader(cluster, { topic, partition })
    const until = await reader.latest()
    for (let offset = 0; offset < until; ) {
      const { batches, nextOffset } = await reader.fetch(offset)
      for (const batch of splitBatches(batches)) found.push(...records(batch, 1e8))
      offset = nextOffset
    }
    reader.close()
  }
  return found
}

/**
 * Returns the offsets of the rejected records whose dead letters are in the topic, in ascending
 * order.
 */
async function offsetsIn(topic: string): Promise<number[]> {
  const letters = await lettersIn(topic)
  return letters.map((letter) => Number(header(letter, 'millrace.offset'))).sort((a, b) => a - b)
}

function header({ headers }: Record, key: string): string | undefined {
  return headers.find((each) => each.key === key)?.value?.toString('utf8')
}

describe('a dead letter', () => {
  test('is the unchanged record, with its position and the error', async () => {
    const topic = await newTopic()
    const letters = lettersTo(topic)
    const tombstone = { key: null, value: null, headers: [] }
    const all = [rejected(topic, 7), rejected(topic, 8, { record: tombstone })]
    expect(await letters.write(5, all, await letters.ends())).toBe(2)
    await letters.close()
    const found = await lettersIn(topic)
    const [first, second] = found.sort((one, other) =>
      header(one, 'millrace.offset')! < header(other, 'millrace.offset')! ? -1 : 1,
    )
    expect(first!.key!.toString()).toBe('key 7')
    expect(first!.value!.toString()).toBe('value 7')
    expect(first!.headers.map(({ key, value }) => [key, value?.toString('latin1')])).toEqual([
      ['trace', '\x01\x02'],
      ['millrace.job', 'tested'],
      ['millrace.batch', '5'],
      ['millrace.topic', 'orders'],
      ['millrace.partition', '3'],
      ['millrace.offset', '7'],
      ['millrace.timestamp', '1234'],
      ['millrace.error', 'Error: no at 7'],
    ])
    expect(second).toMatchObject({ key: null, value: null })
  })

  test('of a rejected dead letter is distinguished from that dead letter', async () => {
    const topic = await newTopic()
    const own = [
      { key: 'millrace.job', value: Buffer.from('tested') },
      { key: 'millrace.offset', value: Buffer.from('7') },
    ]
    const record = { key: null, value: null, headers: own }
    const letters = lettersTo(topic)
    const ends = await letters.ends()
    expect(await letters.write(0, [rejected(topic, 1, { record })], ends)).toBe(1)
    expect(await letters.write(0, [rejected(topic, 1, { record })], ends)).toBe(0)
    expect(await letters.write(0, [rejected(topic, 7)], ends)).toBe(1)
    await letters.close()
  })
})

describe('a rerun batch', () => {
  test('writes only the missing dead letters, wherever the previous run ended', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(6), { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
        async (batches) => {
          const topic = await newTopic()
          let next = 0
          for (const [batchId, runs] of batches.entries()) {
            const all = Array.from({ length: 6 }, () => rejected(topic, next++))
            const ends = await lettersTo(topic).ends()
            // Each run is killed after it has written this many letters, the last one before its
            // commit.
            for (const written of [...runs, all.length, all.length]) {
              const letters = lettersTo(topic)
              await letters.write(batchId, all.slice(0, written), ends)
              await letters.close()
            }
          }
          expect(await offsetsIn(topic)).toEqual(Array.from({ length: next }, (_, at) => at))
        },
      ),
      { numRuns: 15 },
    )
  }, 60_000)

  test('writes all dead letters again when the records are read again after a rewind of the job', async () => {
    const topic = await newTopic()
    const letters = lettersTo(topic)
    await letters.write(0, [rejected(topic, 1)], await letters.ends())
    await letters.write(1, [rejected(topic, 1)], await letters.ends())
    expect(await offsetsIn(topic)).toEqual([1, 1])
    await letters.close()
  })

  test('does not mistake dead letters of another job, or foreign records, for its own', async () => {
    const topic = await newTopic()
    const letters = lettersTo(topic)
    const ends = await letters.ends()
    const other = lettersTo(topic, 'other')
    await other.write(0, [rejected(topic, 1)], ends)
    const producer = new Producer(cluster, runtime)
    await producer.send(topic, { value: Buffer.from('by hand') })
    await producer.close()
    expect(await letters.write(0, [rejected(topic, 1)], ends)).toBe(1)
    expect(await letters.write(0, [rejected(topic, 1)], ends)).toBe(0)
    await letters.close()
    await other.close()
  })

  test('finds dead letters in an added partition, and in a recreated topic', async () => {
    const topic = await newTopic()
    const letters = lettersTo(topic)
    await letters.write(0, [rejected(topic, 1)], [])
    expect(await letters.write(0, [rejected(topic, 1)], [])).toBe(0)
    const beyond = [0, 1].map((partition) => ({ topic, partition, offset: 99 }))
    expect(await letters.write(0, [rejected(topic, 1)], beyond)).toBe(0)
    await letters.close()
  })

  test('waits for a broker that is temporarily down', async () => {
    const topic = await newTopic()
    const letters = lettersTo(topic)
    const ends = await letters.ends()
    const restarted = broker.restart()
    const written = letters.write(0, [rejected(topic, 1)], ends)
    await restarted
    expect(await written).toBe(1)
    await letters.close()
  })
})

describe('a dead letter topic', () => {
  test('that does not exist fails the start, with advice', async () => {
    const starting = lettersTo('never-created').start()
    await expect(starting).rejects.toMatchObject({ code: 'DEAD_LETTERS_FAILED' })
    await expect(starting).rejects.toThrow(/job 'tested' does not exist.*create it.*never-created/)
    expect(await new Admin(cluster).listTopics()).not.toContain('never-created')
  })

  test('of an unreachable cluster is assumed to exist: the job does not fail', async () => {
    const bootstrap = [{ host: '127.0.0.1', port: 1 }]
    const nowhere = new Cluster(runtime, { bootstrap, clientId: 'test' })
    const letters = new DeadLetters(nowhere, runtime, { job: 'tested', topics: ['dead'] })
    const failure = await letters.start().catch((error) => error)
    expect(isRetriableFailure(failure)).toBe(true)
    await nowhere.close()
  })

  test('that rejects a record of this size fails the batch, with advice', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': '1000' })
    const letters = lettersTo(topic)
    const record = { key: null, value: Buffer.alloc(2000), headers: [] }
    const writing = letters.write(3, [rejected(topic, 1, { record })], await letters.ends())
    await expect(writing).rejects.toMatchObject({ code: 'DEAD_LETTERS_FAILED' })
    await expect(writing).rejects.toThrow(/dead letters of batch 3 .*max\.message\.bytes/)
    await letters.close()
  })

  test('that is compacted, and rejects a record without a key, fails the batch with advice', async () => {
    const topic = await newTopic(1, { 'cleanup.policy': 'compact' })
    const letters = lettersTo(topic)
    const ends = await letters.ends()
    const record = { key: null, value: Buffer.from('v'), headers: [] }
    await expect(letters.write(1, [rejected(topic, 5, { record })], ends)).rejects.toMatchObject({
      code: 'DEAD_LETTERS_FAILED',
      message: expect.stringMatching(/cleanup\.policy=delete/),
    })
    await letters.close()
  })

  test('is not required by a job without a dead letter policy', async () => {
    const letters = new DeadLetters(cluster, runtime, { job: 'tested', topics: [] })
    await letters.start()
    expect(await letters.ends()).toEqual([])
    const skipped = rejected('x', 1, { onError: 'skip' })
    expect(await letters.write(0, [skipped], [])).toBe(0)
    await letters.close()
  })
})
