// The requests of an administrator and of ordinary clients to a broker in memory, one function
// each, answered with error codes: for the tests of failing system calls. A connection that is
// closed without an answer fails the test.

import { addOffsetsToTxn } from '../../../protocol/kafka/apis/addOffsetsToTxn.ts'
import { addPartitionsToTxn } from '../../../protocol/kafka/apis/addPartitionsToTxn.ts'
import { alterConfigs } from '../../../protocol/kafka/apis/alterConfigs.ts'
import { createPartitions } from '../../../protocol/kafka/apis/createPartitions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteGroups } from '../../../protocol/kafka/apis/deleteGroups.ts'
import { deleteRecords } from '../../../protocol/kafka/apis/deleteRecords.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { describeConfigs } from '../../../protocol/kafka/apis/describeConfigs.ts'
import { endTxn } from '../../../protocol/kafka/apis/endTxn.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { incrementalAlterConfigs } from '../../../protocol/kafka/apis/incrementalAlterConfigs.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { offsetCommit } from '../../../protocol/kafka/apis/offsetCommit.ts'
import { offsetDelete } from '../../../protocol/kafka/apis/offsetDelete.ts'
import { offsetFetch } from '../../../protocol/kafka/apis/offsetFetch.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { txnOffsetCommit } from '../../../protocol/kafka/apis/txnOffsetCommit.ts'
import { splitBatches } from '../../../protocol/kafka/records/recordBatch.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import type { RawClient } from '../server/memoryBroker.ts'

const timeoutMs = 1000

export interface Producer {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}

export class AdminRequests {
  readonly #client: RawClient

  constructor(client: RawClient) {
    this.#client = client
  }

  async createTopics(...wanted: (readonly [name: string, numPartitions: number])[]) {
    const topics = wanted.map(([name, numPartitions]) => {
      return { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
    })
    const answer = await this.#client.send(createTopics, 7, { topics, timeoutMs })
    return answer.topics.map(({ errorCode }) => errorCode)
  }

  async createPartitions(...wanted: (readonly [name: string, count: number])[]) {
    const topics = wanted.map(([name, count]) => ({ name, count, assignments: null }))
    const request = { topics, timeoutMs, validateOnly: false }
    const answer = await this.#client.send(createPartitions, 3, request)
    return answer.results.map(({ errorCode }) => errorCode)
  }

  async deleteTopics(...topicNames: string[]) {
    const answer = await this.#client.send(deleteTopics, 5, { topicNames, timeoutMs })
    return answer.responses.map(({ errorCode }) => errorCode)
  }

  async deleteRecords(name: string, offset: number) {
    const topics = [{ name, partitions: [{ partitionIndex: 0, offset }] }]
    const answer = await this.#client.send(deleteRecords, 2, { topics, timeoutMs })
    return answer.topics[0]!.partitions[0]!.errorCode
  }

  /** Of a topic (2), a broker (4) or a group (32). */
  async setConfig(resourceType: number, resourceName: string, name: string, value: string) {
    const configs = [{ name, configOperation: 0, value }]
    const resources = [{ resourceType, resourceName, configs }]
    const answer = await this.#client.send(incrementalAlterConfigs, 1, {
      ...{ resources, validateOnly: false },
    })
    return answer.responses[0]!.errorCode
  }

  /** The older request, which replaces all configs. */
  async replaceConfigs(resourceType: number, resourceName: string, name: string, value: string) {
    const resources = [{ resourceType, resourceName, configs: [{ name, value }] }]
    const answer = await this.#client.send(alterConfigs, 2, { resources, validateOnly: false })
    return answer.responses[0]!.errorCode
  }

  async config(resourceType: number, resourceName: string, name: string) {
    const resources = [{ resourceType, resourceName, configurationKeys: [name] }]
    const answer = await this.#client.send(describeConfigs, 4, { resources })
    return answer.results[0]!.configs[0]?.value
  }

  /** Returns the error codes of the topic and of each partition. */
  async describeTopic(name: string, allowAutoTopicCreation = false) {
    const request = { topics: [{ name }], allowAutoTopicCreation }
    const [topic] = (await this.#client.send(metadata, 9, request)).topics
    const partitions = topic!.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    return { errorCode: topic!.errorCode, partitions: partitions.map((each) => each.errorCode) }
  }

  async topicNames() {
    const { topics } = await this.#client.send(metadata, 9, { topics: null })
    return topics.map(({ name }) => name!).filter((name) => !name.startsWith('__'))
  }

  async produce(name: string, index: number, values: readonly string[], producer?: Producer) {
    const builder = new RecordBatchBuilder({
      producerId: producer?.producerId ?? -1,
      producerEpoch: producer?.producerEpoch ?? -1,
      baseSequence: producer ? 0 : -1,
      isTransactional: producer !== undefined,
    })
    for (const value of values) builder.append(1_000_000, null, Buffer.from(value))
    const partitionData = [{ index, records: builder.build() }]
    const transactionalId = producer?.transactionalId ?? null
    const request = { acks: -1, timeoutMs, transactionalId, topicData: [{ name, partitionData }] }
    const answer = await this.#client.send(produce, 9, request)
    return answer.responses[0]!.partitionResponses[0]!.errorCode
  }

  /** Returns the values of all records that a read_committed consumer gets, or the error code. */
  async read(topic: string, partition: number, fetchOffset = 0): Promise<string[] | number> {
    const values: string[] = []
    for (let from = fetchOffset; ; ) {
      const partitions = [{ partition, fetchOffset: from, partitionMaxBytes: 1_000_000 }]
      const request = { maxWaitMs: 0, minBytes: 0, isolationLevel: 1 }
      const answer = await this.#client.send(fetch, 11, {
        ...request,
        topics: [{ topic, partitions }],
      })
      const data = answer.responses[0]!.partitions[0]!
      if (data.errorCode !== 0) return data.errorCode
      const aborted = new Set(data.abortedTransactions?.map(({ producerId }) => producerId))
      const before = from
      for (const batch of splitBatches(data.records ?? Buffer.alloc(0))) {
        from = batch.nextOffset
        if (batch.isControl || (batch.isTransactional && aborted.has(batch.producerId))) continue
        for (const { offset, value } of records(batch, 1_000_000)) {
          if (offset >= fetchOffset) values.push(String(value))
        }
      }
      if (from === before) return values
    }
  }

  async commit(groupId: string, name: string, committedOffset: number) {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const request = { groupId, memberId: '', topics: [{ name, partitions }] }
    const answer = await this.#client.send(offsetCommit, 8, request)
    return answer.topics[0]!.partitions[0]!.errorCode
  }

  async committed(groupId: string, name: string) {
    const topics = [{ name, partitionIndexes: [0] }]
    const groups = [{ groupId, topics, memberId: null, memberEpoch: -1 }]
    const answer = await this.#client.send(offsetFetch, 9, { groups, requireStable: true })
    return answer.groups[0]!.topics[0]!.partitions[0]!.committedOffset
  }

  async deleteOffsets(groupId: string, name: string) {
    const topics = [{ name, partitions: [{ partitionIndex: 0 }] }]
    const answer = await this.#client.send(offsetDelete, 0, { groupId, topics })
    return answer.errorCode || answer.topics[0]!.partitions[0]!.errorCode
  }

  async deleteGroup(groupId: string) {
    const answer = await this.#client.send(deleteGroups, 2, { groupsNames: [groupId] })
    return answer.results[0]!.errorCode
  }

  async initProducerId(transactionalId: string | null = null) {
    const request = { transactionalId, transactionTimeoutMs: 60_000 }
    return await this.#client.send(initProducerId, 4, request)
  }

  async addPartition(producer: Producer, name: string) {
    const [errorCode] = await this.addPartitions(producer, name, [0])
    return errorCode!
  }

  async addPartitions(producer: Producer, name: string, partitions: readonly number[]) {
    const { transactionalId: v3AndBelowTransactionalId, ...rest } = producer
    const topics = [{ name, partitions }]
    const answer = await this.#client.send(addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId,
      v3AndBelowProducerId: rest.producerId,
      v3AndBelowProducerEpoch: rest.producerEpoch,
      v3AndBelowTopics: topics,
    })
    const { resultsByPartition } = answer.resultsByTopicV3AndBelow[0]!
    return resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode)
  }

  async addOffsets(producer: Producer, groupId: string) {
    return (await this.#client.send(addOffsetsToTxn, 3, { ...producer, groupId })).errorCode
  }

  async commitInTransaction(producer: Producer, groupId: string, name: string, offset: number) {
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }]
    const topics = [{ name, partitions }]
    const answer = await this.#client.send(txnOffsetCommit, 3, { ...producer, groupId, topics })
    return answer.topics[0]!.partitions[0]!.errorCode
  }

  async endTransaction(producer: Producer, committed: boolean) {
    return (await this.#client.send(endTxn, 3, { ...producer, committed })).errorCode
  }
}
