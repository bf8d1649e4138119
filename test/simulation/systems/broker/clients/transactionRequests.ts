// The requests of a transactional producer over the wire, in the way of clients before KIP-890
// (which add partitions and groups themselves) or after it. Each is one attempt, unless it says
// otherwise; refusals are errors.

import { addOffsetsToTxn } from '../../../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { endTxn } from '../../../../../protocol/kafka/apis/endTxn.ts'
import { initProducerId } from '../../../../../protocol/kafka/apis/initProducerId.ts'
import { txnOffsetCommit } from '../../../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { ErrorCode } from '../../../../../protocol/kafka/errors.ts'
import { RecordBatchBuilder } from '../../../../../protocol/kafka/records/recordBatchBuilder.ts'
import { noteProducerId } from './carelessProducer.ts'
import { type Client, throwUnlessNone } from './client.ts'
import { sendBatch } from './sendBatch.ts'

export interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** With the newest versions, the broker adds partitions and groups to the transaction (KIP-890). */
export interface Versions {
  readonly produce: number
  readonly txnOffsetCommit: number
  readonly endTxn: number
  readonly addsPartitions: boolean
}

export const newVersions: Versions = {
  ...{ produce: 12, txnOffsetCommit: 5, endTxn: 5 },
  addsPartitions: false,
}
export const oldVersions: Versions = {
  ...{ produce: 11, txnOffsetCommit: 4, endTxn: 4 },
  addsPartitions: true,
}

export interface TransactionalRecord {
  readonly key?: string
  readonly value: string
}

export class TransactionRequests {
  readonly transactionalId: string
  readonly versions: Versions
  readonly #client: Client
  /** The next sequence number, by topic and partition. */
  readonly #sequences = new Map<string, number>()

  constructor(client: Client, transactionalId: string, versions: Versions) {
    this.#client = client
    this.transactionalId = transactionalId
    this.versions = versions
  }

  /** Repeated until it succeeds: an open transaction of the id has ended then. */
  async initialize(): Promise<Identity> {
    const { transactionalId } = this
    const { transactionTimeoutMs } = this.#client.shared.parameters.workload
    const answer = await this.#client.patiently(async () => {
      const connection = await this.#coordinator()
      const found = await connection.send(initProducerId, { transactionalId, transactionTimeoutMs })
      throwUnlessNone(found.errorCode)
      return found
    })
    noteProducerId(this.#client, answer.producerId, answer.producerEpoch)
    this.#sequences.clear()
    return answer
  }

  async addPartition(identity: Identity, topic: string, partition: number): Promise<void> {
    const connection = await this.#coordinator()
    const request = {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: identity.producerId,
      v3AndBelowProducerEpoch: identity.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
    }
    const answer = await connection.send(addPartitionsToTxn, request, { version: 3 })
    throwUnlessNone(answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode)
  }

  async addGroup({ producerId, producerEpoch }: Identity, groupId: string): Promise<void> {
    const connection = await this.#coordinator()
    const identity = { transactionalId: this.transactionalId, producerId, producerEpoch }
    const answer = await connection.send(addOffsetsToTxn, { ...identity, groupId })
    throwUnlessNone(answer.errorCode)
  }

  /** The batch with the next sequence number of the partition. */
  nextBatch(identity: Identity, topic: string, partition: number, record: TransactionalRecord) {
    const place = `${topic}-${partition}`
    const baseSequence = this.#sequences.get(place) ?? 0
    this.#sequences.set(place, baseSequence + 1)
    const builder = new RecordBatchBuilder({ ...identity, baseSequence, isTransactional: true })
    const key = record.key === undefined ? null : Buffer.from(record.key)
    builder.append(this.#client.clock.nowMs(), key, Buffer.from(record.value))
    return builder.build()
  }

  /** Returns the offset; -1 if the batch is a duplicate. */
  async produce(topic: string, partition: number, records: Buffer, lane?: string): Promise<number> {
    const { transactionalId } = this
    const version = this.versions.produce
    const place = { topic, partition, lane }
    const sent = await sendBatch(this.#client, place, records, { transactionalId, version })
    if (sent.errorCode !== ErrorCode.duplicateSequenceNumber) throwUnlessNone(sent.errorCode)
    return sent.offset
  }

  /** Commits an offset of the first partition of the log topic. */
  async commitOffset(
    { producerId, producerEpoch }: Identity,
    groupId: string,
    committedOffset: number,
    lane?: string,
  ): Promise<void> {
    const { cluster, shared } = this.#client
    const identity = { transactionalId: this.transactionalId, producerId, producerEpoch }
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const topics = [{ name: shared.parameters.logTopic.name, partitions }]
    const connection = await cluster.coordinator(groupId, lane)
    const version = this.versions.txnOffsetCommit
    const answer = await connection.send(
      txnOffsetCommit,
      { ...identity, groupId, topics },
      { version },
    )
    throwUnlessNone(answer.topics[0]!.partitions[0]!.errorCode)
  }

  /** Returns the identity for the next transaction. */
  async end(identity: Identity, committed: boolean): Promise<Identity> {
    const connection = await this.#coordinator()
    const { producerId, producerEpoch } = identity
    const request = {
      ...{ transactionalId: this.transactionalId, producerId, producerEpoch, committed },
    }
    const answer = await connection.send(endTxn, request, { version: this.versions.endTxn })
    throwUnlessNone(answer.errorCode)
    if (this.versions.addsPartitions || answer.producerId < 0) return identity
    if (answer.producerEpoch !== identity.producerEpoch) this.#sequences.clear()
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  }

  /** Any broker is the coordinator while there is one. */
  #coordinator() {
    return this.#client.cluster.any()
  }
}
