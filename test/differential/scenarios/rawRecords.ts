// Produce of records that contradict their batch's header: the error code of each refusal, and the
// largest timestamp.

import { Compression, compress } from '../../../protocol/bytes/compression.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  RecordBatchField,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { withRecords } from '../../fuzz/forgedBatches.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { DeliberateDifference, Scenario } from '../scenario.ts'

const day = 86_400_000
const codecs = Object.entries(Compression)
const compressing = codecs.slice(1)

const differs: readonly DeliberateDifference[] = [
  {
    at: 'none, a delta twice',
    kafka: 'NONE',
    ours: 'INVALID_RECORD',
    why: 'Kafka does not check the deltas, and its consumers get two records with one offset',
  },
  ...compressing.flatMap(([codec]) =>
    ['a delta twice', 'no stream'].map((what) => ({
      at: `${codec}, ${what}`,
      kafka: 'UNKNOWN_SERVER_ERROR',
      ours: 'INVALID_RECORD',
      why: 'Kafka fails unexpectedly; the batch is invalid, and a retry of it will fail again',
    })),
  ),
]

async function send(probe: Probe, label: string, topic: string, records: Uint8Array) {
  probe.answers[label] = errorName((await probe.append(topic, records)).errorCode)
}

/** Returns three records of equal length, compressed with the codec after `change`. */
function forged(probe: Probe, codec: Compression, change: (records: Buffer) => Buffer): Buffer {
  const batch = probe.batch(['a', 'b', 'c'])
  const records = change(Buffer.from(batch.subarray(recordBatchOverheadBytes)))
  return withRecords(batch, codec, compress(codec, records))
}

/**
 * Index of the second record's offset delta: after one byte of length, one of attributes, two of
 * time.
 */
const secondDelta = (records: Buffer) => records.indexOf(2 * 2 - 2, secondRecord(records) + 4)
const secondRecord = (records: Buffer) => 1 + records[0]! / 2

const forgeries: readonly (readonly [name: string, change: (records: Buffer) => Buffer])[] = [
  ['sound', (records) => records],
  ['random bytes', () => Buffer.from('e5a9f0c41b', 'hex')],
  ['no records', () => Buffer.alloc(0)],
  ['one record', (records) => records.subarray(0, secondRecord(records))],
  [
    'a record too many',
    (records) => Buffer.concat([records, records.subarray(0, secondRecord(records))]),
  ],
  ['a byte too many', (records) => Buffer.concat([records, Buffer.of(0)])],
  ['a byte too few', (records) => records.subarray(0, -1)],
  ['a key beyond its record', (records) => changed(records, 4, 2 * 60)],
  ['a delta twice', (records) => changed(records, secondDelta(records), 0)],
]

function changed(bytes: Buffer, at: number, byte: number): Buffer {
  bytes[at] = byte
  return bytes
}

export const rawRecords: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'produce-records',
    differs,
    run: probing(async (probe) => {
      const { name } = await probe.createTopic('t')
      for (const [codecName, codec] of codecs) {
        for (const [what, change] of forgeries) {
          await send(probe, `${codecName}, ${what}`, name, forged(probe, codec, change))
        }
        if (codec === Compression.none) continue
        const noStream = withRecords(probe.batch(['a']), codec, Buffer.from('no such stream'))
        await send(probe, `${codecName}, no stream`, name, noStream)
      }
    }),
  },
  {
    client: 'raw',
    name: 'produce-max-timestamp',
    run: probing(async (probe, stage) => {
      const claim = (batch: Buffer, maxTimestamp: number) => {
        new RecordBatch(batch).setMaxTimestamp('create', maxTimestamp)
        return batch
      }
      for (const [codecName, compression] of codecs) {
        const { name } = await probe.createTopic(codecName)
        await send(
          probe,
          `${codecName}, -1`,
          name,
          claim(probe.batch(['a', 'b'], { compression }), -1),
        )
        const answer = await probe.read(name, 0)
        const stored = answer.responses[0]!.partitions[0]!.records!
        const maxTimestamp = Number(stored.readBigInt64BE(RecordBatchField.maxTimestamp))
        probe.answers[`${codecName}, stored`] = [
          maxTimestamp - stage.timeMs,
          new RecordBatch(stored).isCrcValid(),
        ]
        for (const timestamp of [stage.timeMs + 500, -3]) {
          await probe.ask(
            `${codecName}, ${timestamp < 0 ? 'the latest' : 'by time'}`,
            listOffsets,
            7,
            {
              replicaId: -1,
              isolationLevel: 0,
              topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }],
            },
          )
        }
        const tooNew = probe.batch(['a', 'b'], { compression }, 5 * day)
        await send(probe, `${codecName}, from the future`, name, claim(tooNew, stage.timeMs))
      }
    }),
  },
]
