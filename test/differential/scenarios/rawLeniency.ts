// Irregular requests that Kafka answers: with bytes after their last field, with int64 extremes,
// for topics that do not exist yet, for APIs without effect.

import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { listConfigResources } from '../../../protocol/kafka/apis/listConfigResources.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { updateFeatures } from '../../../protocol/kafka/apis/updateFeatures.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import { zeroUuid } from '../../../protocol/kafka/schema/fields.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/kafka/schema/schema.ts'
import { type Probe, probing } from '../clients/probe.ts'
import type { Scenario } from '../scenario.ts'

const timeoutMs = 10_000
/** Placeholder in a request for a number that our encoder cannot write. */
const placeholder = 0x1234_5678_9abc
const placeholderBytes = Buffer.from('0000123456789abc', 'hex')
const largest = '7fffffffffffffff'

/** Sends the request after `change`, which gets the whole frame. */
async function askChanged<A extends Api>(
  probe: Probe,
  label: string,
  api: A,
  version: number,
  body: RequestInput<A>,
  change: (frame: Buffer) => Buffer,
): Promise<ResponseOf<A>> {
  const header = { correlationId: 0, clientId: 'raw' }
  const frame = change(Buffer.concat(encodeRequest(api, version, header, body)))
  frame.writeInt32BE(frame.length - 4)
  // A separate connection, because the answers on the other one follow its correlation ids.
  const client = await probe.freshClient()
  const answer = client.expectAnswer(api, version)
  client.write(frame)
  const told = await answer
  probe.answers[label] = probe.stage.naming.plain(told)
  return told
}

const followed = (tail: string) => (frame: Buffer) =>
  Buffer.concat([frame, Buffer.from(tail, 'hex')])

function withLargest(frame: Buffer): Buffer {
  frame.write(largest, frame.indexOf(placeholderBytes), 'hex')
  return frame
}

export const rawLeniency: readonly Scenario[] = [
  {
    client: 'raw',
    name: 'bytes-behind-requests',
    run: probing(async (probe) => {
      const { name } = await probe.createTopic('t')
      const one = { topics: [{ name }] }
      await askChanged(probe, 'plain', metadata, 1, one, followed('ff'))
      await askChanged(probe, 'flexible', metadata, 12, one, followed('010000'))
      const acls = {
        ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1 },
        ...{ principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 },
      }
      await askChanged(probe, 'access rules', describeAcls, 3, acls, followed('00'))
    }),
  },
  {
    client: 'raw',
    name: 'largest-numbers',
    run: probing(async (probe) => {
      const { name } = await probe.createTopic('t')
      await probe.append(name, probe.batch(['a']))
      const ask = <A extends Api>(label: string, api: A, version: number, body: RequestInput<A>) =>
        askChanged(probe, label, api, version, body, withLargest)
      await ask('as a timestamp', listOffsets, 7, {
        ...{ replicaId: -1, isolationLevel: 0 },
        topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: placeholder }] }],
      })
      await ask('to read from', fetch, 11, {
        ...{ maxWaitMs: 0, minBytes: 0 },
        topics: [
          {
            topic: name,
            partitions: [{ partition: 0, fetchOffset: placeholder, partitionMaxBytes: 1000 }],
          },
        ],
      })
      await ask('to delete before', deleteRecords, 2, {
        topics: [{ name, partitions: [{ partitionIndex: 0, offset: placeholder }] }],
        timeoutMs,
      })
      const stateFilters = [probe.stage.name('no such state')]
      await ask('as a duration', listTransactions, 1, {
        ...{ stateFilters, producerIdFilters: [], durationFilter: placeholder },
      })
      await ask('to commit', offsetCommit, 8, {
        groupId: probe.stage.name('g'),
        memberId: '',
        topics: [
          {
            name,
            partitions: [
              { partitionIndex: 0, committedOffset: placeholder, committedMetadata: null },
            ],
          },
        ],
      })
    }),
    differs: [
      {
        at: 'to commit.topics.0.partitions.0.errorCode',
        kafka: 'NONE',
        ours: 'INVALID_COMMIT_OFFSET_SIZE',
        why: 'an offset beyond the safe integers would be read as another offset',
      },
    ],
  },
  {
    client: 'raw',
    name: 'topics-on-demand',
    run: probing(async (probe) => {
      const name = probe.stage.name('demanded')
      const ask = () => probe.send(metadata, 9, { topics: [{ name }] })
      probe.answers.first = probe.stage.naming.plain((await ask()).topics)
      while ((await ask()).topics[0]!.errorCode !== 0);
      await probe.send(deleteTopics, 6, { topics: [{ name, topicId: zeroUuid }], timeoutMs })
      probe.answers['after its deletion'] = probe.stage.naming.plain((await ask()).topics)
    }),
  },
  {
    client: 'raw',
    name: 'features-and-resources',
    run: probing(async (probe) => {
      const update = (label: string, feature: string, maxVersionLevel: number, upgradeType = 1) =>
        probe
          .send(updateFeatures, 1, {
            featureUpdates: [{ feature, maxVersionLevel, upgradeType }],
            validateOnly: true,
          })
          .then(({ errorCode, results }) => {
            probe.answers[label] = { errorCode, results: results.length }
          })
      await update('to the level in force', 'transaction.version', 2)
      await update('above what is supported', 'transaction.version', 9)
      await update('lower, as an upgrade', 'transaction.version', 1)
      await update('higher, as a downgrade', 'group.version', 2, 2)
      await update('below zero', 'group.version', -1, 3)
      await update('of no feature', 'no.such.feature', 1)
      await update('of no feature, to level 0', 'no.such.feature', 0, 2)
      await update('by no type', 'group.version', 1, 9)
      const list = (types: number[]) => probe.send(listConfigResources, 1, { resourceTypes: types })
      probe.answers.brokers = (await list([4])).configResources
      probe.answers.loggers = (await list([8])).configResources
      probe.answers['no such type'] = (await list([99])).errorCode
    }),
  },
]
