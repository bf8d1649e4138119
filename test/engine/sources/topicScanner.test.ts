// Reading offset ranges from a broker: any range gives exactly its records, wherever record batches
// begin and end, and a lost range is reported.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Envelope,
  envelope,
  type RowFormat,
  type TextRow,
  text,
} from '../../../engine/engine.ts'
import type { OffsetRange } from '../../../engine/sources/scan.ts'
import { TaskRejections } from '../../../engine/sources/taskRejections.ts'
import { TopicOffsets } from '../../../engine/sources/topicOffsets.ts'
import { TopicScanner } from '../../../engine/sources/topicScanner.ts'
import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { isRetriableFailure } from '../../../protocol/client/clientError.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'
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

test('a scan waits for the end of its range, and eventually fails with the end of the log', async () => {
  await new Admin(cluster).createTopics([{ name: 'short', partitions: 1 }])
  const producer = new Producer(cluster, runtime)
  await producer.send('short', { value: Buffer.from('one') })
  const scanner = new TopicScanner(cluster, { lostAfterMs: 1 })
  const range: OffsetRange = { topic: 'short', partition: 0, from: 0, until: 2 }
  await expect(scanner.scan({ range, format: text() }, () => {})).rejects.toMatchObject({
    code: 'OFFSETS_LOST',
    message: expect.stringMatching(
      /^short-0 ends at offset 1, but this job was to read it up to 2: .* has offsets 0 to 1\./,
    ),
  })
  const patient = new TopicScanner(cluster)
  const lines: unknown[] = []
  const scanning = patient.scan({ range, format: text() }, (row) => lines.push(row))
  await producer.send('short', { value: Buffer.from('two') })
  await scanning
  expect(lines).toHaveLength(2)
  scanner.close()
  patient.close()
  await producer.close()
})

test('every range gives its records, in order, without records that have no value', async () => {
  for (let from = 0; from <= count; from++) {
    for (let until = from; until <= count; until++) {
      const expected: string[] = []
      for (let at = from; at < until; at++) if (at !== 7) expected.push(`line ${at}`)
      expect((await scan(from, until)).lines).toEqual(expected)
    }
  }
})

test('the oldest timestamp is that of the first record batch in the range', async () => {
  expect((await scan(0, count)).oldestTimestampMs).toBe(startMs)
  expect((await scan(5, 7)).oldestTimestampMs).toBe(startMs + 5)
  expect((await scan(3, 3)).oldestTimestampMs).toBeUndefined()
})

test('a range past the end of the log is an error, not a wait', async () => {
  await expect(scan(count + 5, count + 6)).rejects.toMatchObject({ code: 'OFFSETS_LOST' })
})

test('a scan fails with the error that its sink throws', async () => {
  const scanner = new TopicScanner(cluster)
  const range = { topic: 'lines', partition: 0, from: 0, until: count }
  const scanning = scanner.scan({ range, format: text() }, () => {
    throw new Error('no more, please')
  })
  await expect(scanning).rejects.toThrow('no more, please')
  scanner.close()
})

test('the ends of a topic are listed, and a missing topic may be created later', async () => {
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

describe('records that fail', () => {
  const failing: RowFormat<string> = {
    name: 'failing',
    describe: () => 'failing()',
    row(bytes, start, end) {
      const line = bytes.toString('utf8', start, end)
      if (/[258]/.test(line)) throw new MalformedError('not this one')
      return line
    },
  }

  async function scanLeniently(from: number, until: number, format = failing) {
    const scanner = new TopicScanner(cluster)
    const range: OffsetRange = { topic: 'lines', partition: 0, from, until }
    const lines: unknown[] = []
    const rejections = new TaskRejections()
    try {
      const { records } = await scanner.scan(
        { range, format, onError: { deadLetter: 'dead' } },
        (line) => lines.push(line),
        { reject: (record) => rejections.reject(record) },
      )
      return { lines, records, ...rejections.report() }
    } finally {
      scanner.close()
    }
  }

  test('are omitted from any range, and reported unchanged', async () => {
    for (let from = 0; from <= count; from++) {
      for (let until = from; until <= count; until++) {
        const offsets = Array.from({ length: until - from }, (_, at) => from + at)
        const { lines, records, rejected } = await scanLeniently(from, until)
        expect(records).toBe(until - from)
        expect(lines).toEqual(
          offsets.filter((at) => ![2, 5, 7, 8].includes(at)).map((at) => `line ${at}`),
        )
        expect(rejected.map(({ offset }) => offset)).toEqual(
          offsets.filter((at) => [2, 5, 8].includes(at)),
        )
      }
    }
    const [first] = (await scanLeniently(5, 6)).rejected
    expect(structuredClone(first)).toEqual({
      ...{ topic: 'lines', partition: 0, offset: 5, timestampMs: startMs + 5 },
      onError: { deadLetter: 'dead' },
      error: expect.stringMatching(/^MalformedError: not this one .*at lines-0 offset 5$/),
      record: { key: null, value: new Uint8Array(Buffer.from('line 5')), headers: [] },
    })
  })

  test('fail the scan without a receiver of rejected records, and when the policy is to fail', async () => {
    const scanner = new TopicScanner(cluster)
    const range: OffsetRange = { topic: 'lines', partition: 0, from: 0, until: count }
    for (const onError of ['fail', 'skip'] as const) {
      const reject = () => expect.unreachable()
      const options = onError === 'fail' ? { reject } : {}
      const scanning = scanner.scan({ range, format: failing, onError }, () => {}, options)
      await expect(scanning).rejects.toMatchObject({ code: 'RECORD_INVALID' })
    }
    scanner.close()
  })

  test.each([
    ['with a wrong checksum', (batch: Buffer) => batch.writeUInt32BE(7, 17)],
    [
      'with malformed records',
      (batch: Buffer) => {
        batch[61] = 0x7f
        batch.writeUInt32BE(crc32c(batch, 21), 17)
      },
    ],
  ])('do not excuse a batch %s: its lost records are unknown', async (_what, damage) => {
    const builder = new RecordBatchBuilder()
    for (let at = 0; at < 3; at++) builder.append(startMs, null, Buffer.from(`line ${at}`))
    const batch = builder.build()
    damage(batch)
    const scanner = new TopicScanner(answeringWith(batch))
    const scan = {
      range: { topic: 't', partition: 0, from: 0, until: 3 },
      format: text(),
      onError: 'skip',
    } as const
    const scanning = scanner.scan(scan, () => {}, { reject: () => expect.unreachable() })
    await expect(scanning).rejects.toMatchObject({ code: 'RECORD_INVALID' })
    await expect(scanning).rejects.toThrow(/ at t-0 offset 0/)
  })
})

test('a format with rows for tombstones receives the tombstones, wherever record batches begin', async () => {
  const scanner = new TopicScanner(cluster)
  const format = envelope(text(), { tombstones: true })
  for (const [from, until] of [
    [0, count],
    [6, 9],
  ] as const) {
    const rows: string[] = []
    await scanner.scan({ range: { topic: 'lines', partition: 0, from, until }, format }, (row) => {
      const { offset, timestampMs, row: line } = row as Envelope<TextRow | null>
      rows.push(`${offset} ${timestampMs - startMs} ${line === null ? 'gone' : line.line}`)
    })
    expect(rows).toEqual(
      Array.from({ length: until - from }, (_, index) => {
        const at = from + index
        return `${at} ${at} ${at === 7 ? 'gone' : `line ${at}`}`
      }),
    )
  }
  scanner.close()
})

/** A cluster that answers every fetch with the same bytes. */
function answeringWith(batch: Buffer): Cluster {
  const partitions = [{ errorCode: 0, highWatermark: 3, lastStableOffset: 3, records: batch }]
  const connection = {
    versionOf: () => 12,
    send: async () => ({ errorCode: 0, responses: [{ partitions }] }),
  }
  const answering = {
    newLane: (purpose: string) => purpose,
    leader: async () => connection,
    retrying: (_timeoutMs: number, attempt: () => Promise<unknown>) => attempt(),
    closeLane: () => {},
  }
  return answering as unknown as Cluster
}
