// A broker in memory with some activity of every kind.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { type Family, familiesOf } from '../../protocol/telemetry/families.ts'
import { batchOf, MemoryBroker, type RawClient } from '../server/memoryBroker.ts'

type Config = Parameters<typeof MemoryBroker.start>[0]

export class BusyBroker {
  readonly broker: MemoryBroker
  readonly client: RawClient

  private constructor(broker: MemoryBroker, client: RawClient) {
    this.broker = broker
    this.client = client
  }

  static async start(config: Config = {}): Promise<BusyBroker> {
    const broker = await MemoryBroker.start({
      'transaction.state.log.num.partitions': 1,
      'offsets.topic.num.partitions': 1,
      'max.connections': 3,
      ...config,
    })
    return new BusyBroker(broker, await broker.client())
  }

  stop(): Promise<void> {
    return this.broker.stop()
  }

  async families(): Promise<Map<string, Family>> {
    return familiesOf(await this.broker.metrics.expose())
  }

  /** Returns the value of a sample; undefined if it does not exist. */
  async sample(name: string, labels = ''): Promise<number | undefined> {
    return (await this.families()).get(name)!.samples.get(labels)
  }

  async createTopic(name: string, numPartitions = 1): Promise<void> {
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
    await this.client.send(createTopics, 7, { topics: [topic], timeoutMs: 1000 })
  }

  /** Returns the error code. */
  async produce(topic: string, records: Buffer, index = 0, acks = -1): Promise<number> {
    const answer = await this.client.send(produce, 12, {
      acks,
      timeoutMs: 1000,
      topicData: [{ name: topic, partitionData: [{ index, records }] }],
    })
    return answer.responses[0]!.partitionResponses[0]!.errorCode
  }

  async fetch(topic: string, fetchOffset = 0, maxWaitMs = 0, partition = 0) {
    const partitions = [{ partition, fetchOffset, partitionMaxBytes: 2 ** 20 }]
    const request = { maxWaitMs, minBytes: 1, maxBytes: 2 ** 20, topics: [{ topic, partitions }] }
    return await this.client.send(fetch, 12, request)
  }

  async commit(groupId: string, topic: string, committedOffset: number, partitionIndex = 0) {
    const partitions = [{ partitionIndex, committedOffset, committedMetadata: '' }]
    await this.client.send(offsetCommit, 8, {
      groupId,
      memberId: '',
      topics: [{ name: topic, partitions }],
    })
  }

  /** A transaction with one record and one offset of a group, ended or left open. */
  async transaction(transactionalId: string, committed?: boolean): Promise<void> {
    const { client } = this
    const producer = await client.send(initProducerId, 4, {
      transactionalId,
      transactionTimeoutMs: 5000,
    })
    const { producerId, producerEpoch } = producer
    const identity = { transactionalId, producerId, producerEpoch }
    await client.send(addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: 't', partitions: [0] }],
    })
    await client.send(addOffsetsToTxn, 3, { ...identity, groupId: 'g' })
    const builder = new RecordBatchBuilder({
      ...{ producerId, producerEpoch, baseSequence: 0, isTransactional: true },
    })
    builder.append(1_000_000, null, Buffer.from('x'))
    await client.send(produce, 11, {
      transactionalId,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: builder.build() }] }],
    })
    if (committed !== undefined) await client.send(endTxn, 3, { ...identity, committed })
  }

  async doEverything(): Promise<void> {
    const { broker, client } = this
    await this.createTopic('t', 2)
    await this.produce('t', batchOf('a', 'b', 'c'))
    await this.produce('t', Buffer.from('no batch'))
    await this.produce('missing', batchOf('a'))
    await this.fetch('t')
    await this.fetch('t', 99)
    await this.commit('g', 't', 1)
    await this.transaction('committed', true)
    await this.transaction('aborted', false)
    await this.#sendFollowed()
    const waiting = this.fetch('t', await this.end('t'), 60_000)
    const other = await broker.client()
    await broker.metrics.expose()
    await this.produceBy(other, 't')
    await waiting
    other.close()
    await other.closed
    const full = await Promise.all([broker.client(), broker.client(), broker.client()])
    await full[2].closed
    for (const each of full) each.close()
    await Promise.all(full.map(({ closed }) => closed))
    await client.send(metadata, 12, { topics: null })
  }

  async end(topic: string): Promise<number> {
    const labels = `{topic="${topic}",partition="0"}`
    return (await this.sample('kafka_topic_partition_current_offset', labels))!
  }

  async produceBy(client: RawClient, topic: string): Promise<void> {
    await client.send(produce, 12, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf('late') }] }],
    })
  }

  /** A request with bytes after its last field. */
  async #sendFollowed(): Promise<void> {
    const header = { correlationId: 1_000_000, clientId: 'raw' }
    const frame = Buffer.concat([
      ...encodeRequest(metadata, 12, header, { topics: null }),
      Buffer.alloc(3),
    ])
    frame.writeInt32BE(frame.length - 4)
    const client = await this.broker.client()
    const answer = client.expectAnswer(metadata, 12)
    client.write(frame)
    await answer
    client.close()
    await client.closed
  }
}
