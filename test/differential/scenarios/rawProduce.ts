// Edge cases of Produce: the error code of each refusal, the answers to retries of an idempotent
// producer, and the offsets and timestamps of records.

import { Compression } from '../../../protocol/bytes/compression.ts'
import { crc32c } from '../../../protocol/bytes/crc32c.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { RecordBatchField } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

const timeoutMs = 10_000

interface Send {
  readonly version?: number
  readonly acks?: number
  readonly index?: number
  readonly transactionalId?: string
}

async function send(
  probe: Probe,
  label: string,
  topic: string,
  records: Uint8Array | null,
  { version = 9, acks = -1, index = 0, transactionalId }: Send = {},
): Promise<void> {
  await probe.ask(label, produce, version, {
    transactionalId: transactionalId ?? null,
    acks,
    timeoutMs,
    topicData: [{ name: topic, partitionData: [{ index, records }] }],
  })
}

async function refuseNull(probe: Probe, name: string): Promise<void> {
  const label = 'null records'
  const partitionData = [{ index: 0, records: null }]
  const request = { acks: -1, timeoutMs, topicData: [{ name, partitionData }] }
  const answer = await probe.ask(label, produce, 9, request)
  const errorCode = answer?.responses[0]?.partitionResponses[0]?.errorCode
  if (errorCode !== undefined) probe.answers[label] = errorName(errorCode)
}

/** Returns the batch after `change`, with a corrected checksum. */
function altered(batch: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(batch)
  change(copy)
  copy.writeUInt32BE(crc32c(copy.subarray(RecordBatchField.attributes)), RecordBatchField.crc)
  return copy
}

export const rawProduce: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'produce-errors',
    differs: [
      {
        at: 'null records',
        kafka: 'not answered',
        ours: 'INVALID_RECORD',
        why: 'Kafka never answers this request: its handler fails and the client waits',
      },
      {
        at: 'magic 3.responses.0.partitionResponses.0.errorCode',
        kafka: 'CORRUPT_MESSAGE',
        ours: 'INVALID_RECORD',
        why: 'clients retry CORRUPT_MESSAGE, but a retry with an unknown format is refused again',
      },
    ],
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const good = probe.batch(['a', 'b'])
      for (const version of [3, 5, 7, 8, 9, 10, 11, 12]) {
        await send(probe, `version ${version}`, name, good, { version })
      }
      await send(probe, 'unknown partition', name, good, { index: 7 })
      await send(probe, 'negative partition', name, good, { index: -1 })
      await send(probe, 'unknown topic', stage.name('none'), good)
      await send(probe, 'invalid topic', 'a b', good)
      await send(probe, 'acks 2', name, good, { acks: 2 })
      await send(probe, 'no records', name, Buffer.alloc(0))
      await refuseNull(probe, name)
      await send(probe, 'two batches', name, Buffer.concat([good, good]))
      await send(
        probe,
        'zstd in version 6',
        name,
        probe.batch(['z'], { compression: Compression.zstd }),
        { version: 6 },
      )
      const bad = Buffer.from(good)
      bad[bad.length - 1]! ^= 1
      await send(probe, 'wrong checksum', name, bad)
      await send(probe, 'cut short', name, good.subarray(0, good.length - 1))
      await send(probe, 'half a header', name, good.subarray(0, 30))
      await send(
        probe,
        'magic 1',
        name,
        altered(good, (bytes) => bytes.writeInt8(1, RecordBatchField.magic)),
      )
      await send(
        probe,
        'magic 3',
        name,
        altered(good, (bytes) => bytes.writeInt8(3, RecordBatchField.magic)),
      )
      const at = (field: keyof typeof RecordBatchField, value: number) =>
        altered(good, (bytes) => bytes.writeInt32BE(value, RecordBatchField[field]))
      await send(probe, 'wrong record count', name, at('recordCount', 3))
      await send(probe, 'no record count', name, at('recordCount', -1))
      await send(probe, 'wrong last delta', name, at('lastOffsetDelta', 5))
      await send(probe, 'a control batch', name, probe.batch(['a'], { isControl: true }))
      const moved = Buffer.from(good)
      moved.writeBigInt64BE(77n, 0)
      await send(probe, 'base offset 77', name, moved)
      await send(
        probe,
        'transactional without id',
        name,
        probe.batch(['a'], {
          isTransactional: true,
          producerId: 5,
          producerEpoch: 0,
          baseSequence: 0,
        }),
      )
      await send(probe, 'id without transaction', name, good, { transactionalId: stage.name('tx') })
      await probe.ask('no topics', produce, 9, { acks: -1, timeoutMs, topicData: [] })
      await probe.ask('unknown topic id', produce, 13, {
        acks: -1,
        timeoutMs,
        topicData: [
          {
            topicId: '11111111-1111-1111-1111-111111111111',
            partitionData: [{ index: 0, records: good }],
          },
        ],
      })
      await probe.ask('zero topic id', produce, 13, {
        acks: -1,
        timeoutMs,
        topicData: [{ topicId: zeroUuid, partitionData: [{ index: 0, records: good }] }],
      })
      await send(probe, 'still served', name, good)
    }),
  },
  {
    client: 'raw',
    name: 'produce-limits',
    run: probing(async (probe) => {
      const small = await probe.createTopic('small', 1, { 'max.message.bytes': '200' })
      await send(probe, 'fits', small.name, probe.batch(['x'.repeat(100)]))
      await send(probe, 'too large', small.name, probe.batch(['x'.repeat(200)]))
      await send(
        probe,
        'compressed it fits',
        small.name,
        probe.batch(['x'.repeat(2000)], { compression: Compression.gzip }),
      )
      const recoded = await probe.createTopic('recoded', 1, {
        'max.message.bytes': '200',
        'compression.type': 'uncompressed',
      })
      await send(
        probe,
        'decompressed it is too large',
        recoded.name,
        probe.batch(['x'.repeat(2000)], { compression: Compression.gzip }),
      )
      const compact = await probe.createTopic('compact', 1, { 'cleanup.policy': 'compact' })
      await send(probe, 'with keys', compact.name, probe.batch(['a', null]))
      const keyless = new RecordBatchBuilder()
      keyless.append(probe.stage.timeMs, null, Buffer.from('v'))
      await send(probe, 'without a key', compact.name, keyless.build())
      const isr = await probe.createTopic('isr', 1, { 'min.insync.replicas': '2' })
      await send(probe, 'too few replicas', isr.name, probe.batch(['a']))
      await send(probe, 'too few replicas, acks 1', isr.name, probe.batch(['a']), { acks: 1 })
      const bounded = await probe.createTopic('bounded', 1, {
        'message.timestamp.before.max.ms': '1000',
        'message.timestamp.after.max.ms': '1000',
      })
      await send(probe, 'too old', bounded.name, probe.batch(['a']))
      const day = 86_400_000
      await send(probe, 'too new', bounded.name, probe.batch(['a'], {}, 5 * day))
      const stamped = await probe.createTopic('stamped', 1, {
        'message.timestamp.type': 'LogAppendTime',
      })
      await send(probe, 'stamped', stamped.name, probe.batch(['a', 'b']))
      await send(probe, 'stamped, from the future', stamped.name, probe.batch(['a'], {}, 5 * day))
      probe.answers['what was stamped'] = probe.stage.naming.plain(
        await probe.read(stamped.name, 0),
      )
      const lz4 = await probe.createTopic('lz4', 1, { 'compression.type': 'lz4' })
      await send(probe, 'to be compressed', lz4.name, probe.batch(['a', 'b']))
      probe.answers['what was compressed'] = probe.stage.naming.plain(await probe.read(lz4.name, 0))
    }),
  },
  {
    client: 'raw',
    name: 'produce-idempotent',
    differs: [
      ...(
        [
          ['second again', 'T+1000'],
          ['first again', 'T+0'],
          ['five back', 'T+0'],
        ] as const
      ).map(([label, kafka]) => ({
        at: `${label}.responses.0.partitionResponses.0.logAppendTimeMs`,
        kafka,
        ours: -1,
        why: 'a topic with create times has no append times, also in the answer to a retry',
      })),
      {
        at: 'negative epoch.responses.0.partitionResponses.0.errorCode',
        kafka: 'INVALID_PRODUCER_EPOCH',
        ours: 'INVALID_RECORD',
        why: 'a batch with a negative epoch is malformed, whatever the current epoch is',
      },
    ],
    run: probing(async (probe) => {
      const { name } = await probe.createTopic('t')
      const producerId = await probe.producerId()
      const batch = (baseSequence: number, values = ['a'], producerEpoch = 0, id = producerId) =>
        probe.batch(values, { producerId: id, producerEpoch, baseSequence })
      await send(probe, 'first', name, batch(0))
      await send(probe, 'second', name, batch(1, ['b', 'c']))
      await send(probe, 'second again', name, batch(1, ['b', 'c']))
      await send(probe, 'first again', name, batch(0))
      await send(probe, 'a gap', name, batch(5))
      await send(probe, 'an overlap', name, batch(2, ['x', 'y']))
      await send(probe, 'half of the second', name, batch(1))
      for (const sequence of [3, 4, 5, 6, 7])
        await send(probe, `sequence ${sequence}`, name, batch(sequence))
      await send(probe, 'five back', name, batch(3))
      await send(probe, 'six back', name, batch(1, ['b', 'c']))
      await send(probe, 'first, long ago', name, batch(0))
      await send(probe, 'next epoch, not from 0', name, batch(8, ['a'], 1))
      await send(probe, 'next epoch', name, batch(0, ['a'], 1))
      await send(probe, 'old epoch', name, batch(8))
      await send(probe, 'unknown id from 3', name, batch(3, ['a'], 0, producerId + 10_000))
      await send(probe, 'unknown id continues', name, batch(4, ['a'], 0, producerId + 10_000))
      await send(probe, 'negative sequence', name, batch(-1))
      await send(probe, 'negative epoch', name, batch(1, ['a'], -1))
      await send(
        probe,
        'before the wrap',
        name,
        batch(2 ** 31 - 2, ['a', 'b'], 0, producerId + 10_001),
      )
      await send(probe, 'after the wrap', name, batch(0, ['c'], 0, producerId + 10_001))
      probe.answers.log = probe.stage.naming.plain(await probe.read(name, 0))
    }),
  },
]
