// The topics of the fake broker: movable leaders, batches in memory, and Kafka's check of sequence
// numbers, which detects duplicated, lost and reordered batches.

import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { deleteTopics } from '../../../protocol/kafka/apis/deleteTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  sequenceAfter,
  validateBatch,
} from '../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../protocol/kafka/records/recordCursor.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { RequestHandlers } from './requestHandlers.ts'

interface ProducerState {
  epoch: number
  nextSequence: number
  /** The last 5 batches, as many as a broker remembers. */
  recent: { baseSequence: number; baseOffset: number }[]
}

export class FakePartition {
  leader = 0
  logStartOffset = 0
  nextOffset = 0
  /** Whether stored bytes are discarded, for measurements. */
  discard = false
  readonly batches: RecordBatch[] = []
  readonly #producers = new Map<number, ProducerState>()

  append(bytes: Buffer): { errorCode: number; baseOffset: number } {
    const batch = new RecordBatch(bytes)
    if (!this.discard) validateBatch(batch, { maxBytes: 16 * 1024 * 1024 })
    const verdict = this.#checkSequence(batch)
    if (verdict !== undefined) return verdict
    const baseOffset = this.nextOffset
    this.nextOffset += batch.lastOffsetDelta + 1
    if (!this.discard) {
      const stored = new RecordBatch(Buffer.from(bytes))
      stored.baseOffset = baseOffset
      this.batches.push(stored)
    }
    return { errorCode: ErrorCode.none, baseOffset }
  }

  /** The values of all stored records, as text. */
  values(): string[] {
    return this.batches.flatMap((batch) =>
      [...records(batch, 1 << 24)].map(({ value }) => value!.toString()),
    )
  }

  read(offset: number, maxBytes: number): Buffer {
    const found = this.batches.filter((batch) => batch.lastOffset >= offset)
    const chunks: Buffer[] = []
    let bytes = 0
    for (const batch of found) {
      // The bytes end at the limit, also in the middle of a batch, as those of a broker may.
      const room = chunks.length === 0 ? batch.bytes.length : maxBytes - bytes
      if (room <= 0) break
      chunks.push(batch.bytes.subarray(0, room))
      bytes += batch.bytes.length
    }
    return Buffer.concat(chunks)
  }

  #checkSequence(batch: RecordBatch) {
    const { producerId, producerEpoch: epoch, baseSequence } = batch
    if (producerId < 0) return undefined
    let state = this.#producers.get(producerId)
    if (state === undefined || state.epoch !== epoch) {
      if (state !== undefined && baseSequence !== 0)
        return refused(ErrorCode.outOfOrderSequenceNumber)
      // A broker accepts any first sequence of a new producer; this one only 0, so that a test
      // detects the loss of the first batch.
      state = { epoch, nextSequence: state === undefined ? 0 : baseSequence, recent: [] }
      this.#producers.set(producerId, state)
    }
    const known = state.recent.find((recent) => recent.baseSequence === baseSequence)
    if (known !== undefined) {
      // Brokers answer a duplicate with its offset, or only with DUPLICATE_SEQUENCE_NUMBER.
      return baseSequence % 2 === 0
        ? { errorCode: ErrorCode.none, baseOffset: known.baseOffset }
        : { errorCode: ErrorCode.duplicateSequenceNumber, baseOffset: -1 }
    }
    if (baseSequence !== state.nextSequence) return refused(ErrorCode.outOfOrderSequenceNumber)
    state.nextSequence = sequenceAfter(baseSequence, batch.recordCount)
    state.recent.push({ baseSequence, baseOffset: this.nextOffset })
    if (state.recent.length > 5) state.recent.shift()
    return undefined
  }
}

export class FakeTopics {
  readonly byName = new Map<string, FakePartition[]>()
  readonly #random: Random
  #nextProducerId = 1000

  constructor(random: Random) {
    this.#random = random
  }

  create(name: string, partitions: number, brokers = 1): FakePartition[] {
    const created = Array.from({ length: partitions }, (_, index) => {
      const partition = new FakePartition()
      partition.leader = index % brokers
      return partition
    })
    this.byName.set(name, created)
    return created
  }

  moveLeaders(brokers: number): void {
    for (const partition of [...this.byName.values()].flat()) {
      partition.leader = this.#random.below(brokers)
    }
  }

  install(cluster: RequestHandlers): void {
    cluster.handle(metadata, (request) => this.#metadata(cluster, request))
    cluster.handle(produce, (request, { broker }) => this.#produce(broker, request))
    cluster.handle(fetch, (request, { broker }) => this.#fetch(broker, request))
    cluster.handle(listOffsets, (request, { broker }) => this.#listOffsets(broker, request))
    cluster.handle(initProducerId, () => ({
      errorCode: 0,
      producerId: this.#nextProducerId++,
      producerEpoch: 0,
    }))
    cluster.handle(createTopics, (request) => ({
      topics: request.topics.map(({ name, numPartitions }) => {
        const exists = this.byName.has(name)
        if (!exists) this.create(name, numPartitions, cluster.addresses.length)
        const errorCode = exists ? ErrorCode.topicAlreadyExists : ErrorCode.none
        return { name, errorCode, errorMessage: null }
      }),
    }))
    cluster.handle(deleteTopics, (request) => ({
      responses: [...request.topicNames, ...request.topics.map(({ name }) => name!)].map(
        (name) => ({
          name,
          errorCode: this.byName.delete(name) ? ErrorCode.none : ErrorCode.unknownTopicOrPartition,
        }),
      ),
    }))
  }

  /** The partition if this broker leads it, or the error code that says why not. */
  #led(broker: number, topic: string, index: number): FakePartition | number {
    const partition = this.byName.get(topic)?.[index]
    if (partition === undefined) return ErrorCode.unknownTopicOrPartition
    return partition.leader === broker ? partition : ErrorCode.notLeaderOrFollower
  }

  #metadata(cluster: RequestHandlers, { topics }: RequestOf<typeof metadata>) {
    const names = topics === null ? [...this.byName.keys()] : topics.map(({ name }) => name!)
    return {
      brokers: cluster.addresses.map(({ host, port }, nodeId) => ({ nodeId, host, port })),
      controllerId: 0,
      topics: names.map((name) => {
        const partitions = this.byName.get(name)
        return {
          errorCode: partitions ? ErrorCode.none : ErrorCode.unknownTopicOrPartition,
          name,
          partitions: (partitions ?? []).map(({ leader }, partitionIndex) => ({
            errorCode: 0,
            partitionIndex,
            leaderId: leader,
            replicaNodes: [leader],
            isrNodes: [leader],
          })),
        }
      }),
    }
  }

  #produce(broker: number, { topicData }: RequestOf<typeof produce>) {
    return {
      responses: topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index, records: bytes }) => {
          const led = this.#led(broker, name, index)
          return { index, ...(typeof led === 'number' ? refused(led) : led.append(bytes!)) }
        }),
      })),
    }
  }

  #fetch(broker: number, { topics }: RequestOf<typeof fetch>) {
    return {
      errorCode: 0,
      responses: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(
          ({ partition: partitionIndex, fetchOffset, partitionMaxBytes }) => {
            const led = this.#led(broker, topic, partitionIndex)
            const noRecords = { partitionIndex, highWatermark: -1, abortedTransactions: null }
            if (typeof led === 'number') return { ...noRecords, errorCode: led, records: null }
            const { logStartOffset, nextOffset: highWatermark } = led
            const outside = fetchOffset < logStartOffset || fetchOffset > highWatermark
            return {
              ...noRecords,
              errorCode: outside ? ErrorCode.offsetOutOfRange : ErrorCode.none,
              highWatermark,
              logStartOffset,
              records: outside ? null : led.read(fetchOffset, partitionMaxBytes),
            }
          },
        ),
      })),
    }
  }

  #listOffsets(broker: number, { topics }: RequestOf<typeof listOffsets>) {
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const led = this.#led(broker, name, partitionIndex)
          if (typeof led === 'number') return { partitionIndex, errorCode: led }
          const offset = timestamp === -2 ? led.logStartOffset : led.nextOffset
          return { partitionIndex, errorCode: 0, offset }
        }),
      })),
    }
  }
}

function refused(errorCode: number) {
  return { errorCode, baseOffset: -1 }
}
