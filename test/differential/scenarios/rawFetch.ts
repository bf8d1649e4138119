// Fetch, ListOffsets, OffsetForLeaderEpoch and DeleteRecords: from the middle of a batch, out of
// range, by time, in sessions, with wrong epochs, after records were deleted.

import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { offsetForLeaderEpoch } from '../../../protocol/kafka/apis/offsetForLeaderEpoch.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

const whole = { maxWaitMs: 0, minBytes: 0, maxBytes: 1 << 20, forgottenTopicsData: [] }

/** Appends three batches of two, three and one record; one of them is a tombstone. */
async function fill(probe: Probe, topic: string): Promise<void> {
  await probe.append(topic, probe.batch(['a', 'b']))
  await probe.append(topic, probe.batch(['c', null, 'e'], {}, 10_000))
  await probe.append(topic, probe.batch(['f'], {}, 5000))
}

async function fetchAt(
  probe: Probe,
  label: string,
  topic: string,
  fetchOffset: number,
  { version = 11, partition = 0, bytes = 1 << 20, epoch = -1, isolationLevel = 0 } = {},
): Promise<void> {
  const wanted = { partition, fetchOffset, partitionMaxBytes: bytes, currentLeaderEpoch: epoch }
  await probe.ask(label, fetch, version, {
    ...{ ...whole, isolationLevel },
    topics: [{ topic, partitions: [wanted] }],
  })
}

async function deleteTo(
  probe: Probe,
  label: string,
  name: string,
  offset: number,
  partitionIndex = 0,
) {
  const topics = [{ name, partitions: [{ partitionIndex, offset }] }]
  await probe.ask(label, deleteRecords, 2, { topics, timeoutMs: 10_000 })
}

export const rawFetch: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'fetch',
    differs: [
      {
        at: 'answers to a partition twice',
        kafka: 1,
        ours: 2,
        why: 'a partition that is requested twice is answered twice; no client does this',
      },
    ],
    run: probing(async (probe, stage) => {
      const { name, topicId } = await probe.createTopic('t')
      await fill(probe, name)
      for (const version of [4, 5, 7, 9, 10, 11, 12])
        await fetchAt(probe, `version ${version}`, name, 0, { version })
      for (const offset of [1, 3, 4, 5, 6]) await fetchAt(probe, `from ${offset}`, name, offset)
      await fetchAt(probe, 'beyond the end', name, 7)
      await fetchAt(probe, 'before the start', name, -1)
      await fetchAt(probe, 'unknown partition', name, 0, { partition: 4 })
      await fetchAt(probe, 'unknown topic', stage.name('none'), 0)
      await fetchAt(probe, 'newer epoch', name, 0, { epoch: 5 })
      await fetchAt(probe, 'current epoch', name, 0, { epoch: 0 })
      await fetchAt(probe, 'one byte', name, 0, { bytes: 1 })
      await fetchAt(probe, 'no bytes', name, 0, { bytes: 0 })
      await fetchAt(probe, 'one batch fits', name, 0, { bytes: 100 })
      await fetchAt(probe, 'committed', name, 0, { isolationLevel: 1 })
      const byId = (id: string, version: number) =>
        probe.ask(`id ${stage.naming.of('topic id', id)} in ${version}`, fetch, version, {
          ...whole,
          topics: [
            {
              topicId: id,
              partitions: [{ partition: 0, fetchOffset: 4, partitionMaxBytes: 1000 }],
            },
          ],
        })
      for (const version of [13, 15, 16, 17, 18]) await byId(topicId, version)
      await byId('11111111-1111-1111-1111-111111111111', 13)
      await probe.ask('zero id', fetch, 13, {
        ...whole,
        topics: [
          {
            topicId: zeroUuid,
            partitions: [{ partition: 0, fetchOffset: 4, partitionMaxBytes: 1000 }],
          },
        ],
      })
      await probe.ask('diverging', fetch, 12, {
        ...whole,
        topics: [
          {
            topic: name,
            partitions: [
              { partition: 0, fetchOffset: 9, lastFetchedEpoch: 0, partitionMaxBytes: 1000 },
            ],
          },
        ],
      })
      await probe.ask('bytes of the whole request', fetch, 11, {
        ...{ ...whole, maxBytes: 1 },
        topics: [
          { topic: name, partitions: [{ partition: 0, fetchOffset: 2, partitionMaxBytes: 1000 }] },
        ],
      })
      await probe.ask('no topics', fetch, 11, { ...whole, topics: [] })
      const same = { partition: 0, fetchOffset: 5, partitionMaxBytes: 1000 }
      const twice = await probe.send(fetch, 11, {
        ...whole,
        topics: [{ topic: name, partitions: [same, same] }],
      })
      probe.answers['answers to a partition twice'] = twice.responses[0]!.partitions.length
    }),
  },
  {
    client: 'raw',
    name: 'fetch-sessions',
    run: probing(async (probe) => {
      const { name } = await probe.createTopic('t', 3)
      await fill(probe, name)
      const partition = (index: number, fetchOffset: number) => ({
        partition: index,
        fetchOffset,
        partitionMaxBytes: 1 << 20,
      })
      const ask = (
        label: string,
        sessionId: number,
        sessionEpoch: number,
        partitions: ReturnType<typeof partition>[],
        forgotten: number[] = [],
      ) =>
        probe.ask(label, fetch, 11, {
          ...{ ...whole, sessionId, sessionEpoch },
          topics: partitions.length === 0 ? [] : [{ topic: name, partitions }],
          forgottenTopicsData:
            forgotten.length === 0 ? [] : [{ topic: name, partitions: forgotten }],
        })
      const begun = await ask('begin', 0, 0, [partition(0, 0), partition(1, 0), partition(2, 9)])
      const id = begun!.sessionId
      await ask('nothing new but an error', id, 1, [])
      await ask('moved on', id, 2, [partition(0, 6), partition(2, 0)])
      await ask('the same epoch again', id, 2, [])
      await ask('an epoch ahead', id, 9, [])
      await probe.append(name, probe.batch(['g']))
      await ask('what is new', id, 3, [])
      await ask('forgotten', id, 4, [], [0])
      await ask('unknown session', id + 1, 1, [])
      await ask('epoch without a session', 0, 1, [])
      await ask('begin again in the old', id, 0, [partition(0, 6)])
      await ask('the old one', id, 5, [])
      await ask('end', id, -1, [partition(0, 6)])
      await ask('without a session', 0, -1, [partition(0, 6)])
    }),
  },
  {
    client: 'raw',
    name: 'list-offsets',
    differs: [
      {
        at: 'a partition twice.topics.0.partitions.1',
        ours: {
          partitionIndex: 0,
          errorCode: 'INVALID_REQUEST',
          timestamp: -1,
          offset: -1,
          leaderEpoch: -1,
        },
        why: 'a partition that is requested twice is answered twice; no client does this',
      },
    ],
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t')
      const ask = (
        label: string,
        timestamp: number,
        { version = 7, epoch = -1, index = 0, isolationLevel = 0, topic = name } = {},
      ) =>
        probe.ask(label, listOffsets, version, {
          ...{ replicaId: -1, isolationLevel, timeoutMs: 1000 },
          topics: [
            {
              name: topic,
              partitions: [{ partitionIndex: index, currentLeaderEpoch: epoch, timestamp }],
            },
          ],
        })
      for (const special of [-1, -2, -3, -4, -5, -6, -7])
        await ask(`${special} of nothing`, special, { version: 10 })
      await ask('time of nothing', stage.timeMs)
      await fill(probe, name)
      for (const version of [1, 2, 4, 5, 6, 7, 8, 9, 10]) {
        for (const special of [-1, -2, -3, -4, -5])
          await ask(`${special} in ${version}`, special, { version })
      }
      for (const distance of [-1, 0, 1, 1000, 1001, 5000, 10_000, 11_500, 12_000, 12_001]) {
        await ask(`T+${distance}`, stage.timeMs + distance)
      }
      await ask('zero', 0)
      await ask('committed latest', -1, { isolationLevel: 1 })
      await ask('newer epoch', -1, { epoch: 3 })
      await ask('current epoch', -1, { epoch: 0 })
      await ask('unknown partition', -1, { index: 3 })
      await ask('unknown topic', -1, { topic: stage.name('none') })
      await probe.ask('a partition twice', listOffsets, 7, {
        ...{ replicaId: -1, isolationLevel: 0 },
        topics: [
          {
            name,
            partitions: [
              { partitionIndex: 0, timestamp: -1 },
              { partitionIndex: 0, timestamp: -2 },
            ],
          },
        ],
      })
      const epoch = (label: string, leaderEpoch: number, currentLeaderEpoch = -1, partition = 0) =>
        probe.ask(label, offsetForLeaderEpoch, 4, {
          topics: [{ topic: name, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
        })
      await epoch('end of epoch 0', 0)
      await epoch('end of epoch 5', 5)
      await epoch('end of epoch -1', -1)
      await epoch('by a newer leader', 0, 4)
      await epoch('of an unknown partition', 0, -1, 4)
    }),
  },
  {
    client: 'raw',
    name: 'delete-records',
    differs: (
      [
        ['timestamp', 'T+12000'],
        ['offset', 4],
        ['leaderEpoch', 0],
      ] as const
    ).map(([field, kafka]) => ({
      at: `largest time then.topics.0.partitions.0.${field}`,
      kafka,
      ours: -1,
      why: 'Kafka returns the offset of a deleted record, and a fetch from it is out of range',
    })),
    run: probing(async (probe, stage) => {
      const { name } = await probe.createTopic('t', 2)
      await fill(probe, name)
      await deleteTo(probe, 'into a batch', name, 3)
      await fetchAt(probe, 'what was deleted', name, 1)
      await fetchAt(probe, 'what is left', name, 3)
      await deleteTo(probe, 'backwards', name, 1)
      await deleteTo(probe, 'beyond the end', name, 7)
      await deleteTo(probe, 'negative', name, -2)
      await deleteTo(probe, 'unknown partition', name, 0, 9)
      await deleteTo(probe, 'unknown topic', stage.name('none'), 0)
      await deleteTo(probe, 'empty partition', name, 0, 1)
      const list = (label: string, timestamp: number) =>
        probe.ask(label, listOffsets, 7, {
          ...{ replicaId: -1, isolationLevel: 0 },
          topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }],
        })
      await list('start', -2)
      await list('time of what was deleted', stage.timeMs)
      await deleteTo(probe, 'everything', name, -1)
      await list('start then', -2)
      await list('end then', -1)
      await list('largest time then', -3)
      await list('any time then', 0)
      await fetchAt(probe, 'nothing is left', name, 6)
      await probe.append(name, probe.batch(['g'], {}, 20_000))
      await fetchAt(probe, 'what came later', name, 6)
      const compact = await probe.createTopic('compact', 1, { 'cleanup.policy': 'compact' })
      await fill(probe, compact.name)
      await deleteTo(probe, 'of a compacted topic', compact.name, 1)
      const both = await probe.createTopic('both', 1, { 'cleanup.policy': 'compact,delete' })
      await fill(probe, both.name)
      await deleteTo(probe, 'of one of both kinds', both.name, 1)
      await probe.ask('in version 0', deleteRecords, 0, {
        topics: [{ name, partitions: [{ partitionIndex: 0, offset: 7 }] }],
        timeoutMs: 1000,
      })
    }),
  },
]
