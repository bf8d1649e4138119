// A data directory as a broker leaves it, with all kinds of files: segments of all codecs, indexes,
// producer snapshots, aborted transactions, offsets of groups, the commit journal and checkpoints.
// Created once, and copied to new disks for each use, damaged or not.

import { addOffsetsToTxn } from '../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { consumerGroupHeartbeat } from '../../protocol/kafka/apis/consumerGroupHeartbeat.ts'
import { createTopics } from '../../protocol/kafka/apis/createTopics.ts'
import { endTxn } from '../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../protocol/kafka/apis/initProducerId.ts'
import { joinGroup } from '../../protocol/kafka/apis/joinGroup.ts'
import { offsetCommit } from '../../protocol/kafka/apis/offsetCommit.ts'
import { produce } from '../../protocol/kafka/apis/produce.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { MemoryBroker, type RawClient } from '../broker/server/memoryBroker.ts'
import { soundBatch } from './forgedBatches.ts'

export const directoryTopics = ['t', 'compacted']

/** File contents, by path. */
export type Files = ReadonlyMap<string, Buffer>

/** Returns the files of a broker that was closed or has lost power. */
export async function makeDirectory(ending: 'closed' | 'crashed'): Promise<{
  broker: MemoryBroker
  files: Files
}> {
  const broker = await MemoryBroker.start({
    'log.segment.bytes': 4096,
    'log.index.interval.bytes': 100,
    'flush.journal.file.bytes': 65_536,
    'offsets.topic.num.partitions': 2,
    'transaction.state.log.num.partitions': 2,
    'transaction.partition.verification.enable': false,
  })
  await fill(await broker.client(), seededRandom(1), broker.clock.nowMs())
  if (ending === 'crashed') broker.disk.crash()
  else await broker.broker.close()
  const files = new Map<string, Buffer>()
  await readInto(files, broker.disk, '/data')
  // Without its disk a broker cannot shut down cleanly; it only has to release its address.
  if (ending === 'crashed') await broker.broker.close().catch(() => {})
  return { broker, files }
}

export async function diskWith(files: Files): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  for (const [path, content] of files) {
    await disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    const file = await disk.open(path, 'write')
    await file.write([content], 0)
    await file.sync()
    await file.close()
  }
  return disk
}

async function readInto(files: Map<string, Buffer>, disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`
    if ((await disk.stat(path))!.isDirectory) await readInto(files, disk, path)
    else files.set(path, (await disk.readFile(path))!)
  }
}

async function fill(client: RawClient, random: Random, nowMs: number): Promise<void> {
  await client.send(createTopics, 4, {
    timeoutMs: 1000,
    topics: directoryTopics.map((name) => ({
      name,
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: name === 'compacted' ? [{ name: 'cleanup.policy', value: 'compact' }] : [],
    })),
  })
  for (let count = 0; count < 40; count++) {
    const topic = directoryTopics[count % directoryTopics.length]!
    await append(client, topic, soundBatch(random, nowMs), null)
  }
  for (const committed of [true, false, true]) await transact(client, committed, nowMs)
  await client.send(offsetCommit, 2, {
    groupId: 'alone',
    memberId: '',
    topics: [
      {
        name: 't',
        partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: 'm' }],
      },
    ],
  })
  await client.send(joinGroup, 3, {
    groupId: 'joined',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
  })
  await client.send(consumerGroupHeartbeat, 1, {
    groupId: 'consumers',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: directoryTopics,
    topicPartitions: [],
  })
}

async function append(
  client: RawClient,
  name: string,
  records: Buffer,
  transactionalId: string | null,
): Promise<void> {
  const partitionData = [{ index: 0, records }]
  await client.send(produce, 11, {
    transactionalId,
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name, partitionData }],
  })
}

async function transact(client: RawClient, committed: boolean, nowMs: number): Promise<void> {
  const request = { transactionalId: 'tx', transactionTimeoutMs: 10_000 }
  const { producerId, producerEpoch } = await client.send(initProducerId, 4, request)
  const producer = { transactionalId: 'tx', producerId, producerEpoch }
  await client.send(addPartitionsToTxn, 3, {
    transactions: [],
    v3AndBelowTransactionalId: 'tx',
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: 't', partitions: [0] }],
  })
  await client.send(addOffsetsToTxn, 3, { ...producer, groupId: 'alone' })
  const options = { producerId, producerEpoch, baseSequence: 0, isTransactional: true }
  const builder = new RecordBatchBuilder(options)
  builder.append(nowMs, Buffer.from('key'), Buffer.from('value'))
  await append(client, 't', builder.build(), 'tx')
  await client.send(endTxn, 3, { ...producer, committed })
}
