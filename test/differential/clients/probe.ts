// Single requests in exact versions, encoded by our own codecs: for requests that no client library
// sends. Each answer is kept under a label. A closed connection is an answer, too: 'closed'.

import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { initProducerId } from '../../../protocol/kafka/apis/initProducerId.ts'
import { listOffsets } from '../../../protocol/kafka/apis/listOffsets.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import {
  RecordBatchBuilder,
  type RecordBatchOptions,
} from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/kafka/schema/schema.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { RawClient } from '../../broker/server/memoryBroker.ts'
import type { Stage } from '../scenario.ts'

const timeoutMs = 10_000

export class Probe {
  readonly answers: Record<string, unknown> = {}
  readonly stage: Stage
  #client: RawClient | undefined

  constructor(stage: Stage) {
    this.stage = stage
    stage.onClose(() => this.#client?.close())
  }

  /** Sends a request, and keeps the answer under `label`. */
  async ask<A extends Api>(
    label: string,
    api: A,
    version: number,
    body: RequestInput<A>,
  ): Promise<ResponseOf<A> | undefined> {
    if (label in this.answers) throw new Error(`the label ${label} is used twice`)
    try {
      const answer = await this.send(api, version, body)
      // Converted at once, so that ids are numbered in the order of the answers.
      this.answers[label] = this.stage.naming.plain(answer)
      return answer
    } catch (error) {
      const { message } = error as Error
      if (message !== 'closed' && message !== 'not answered') throw error
      this.#client?.close()
      this.#client = undefined
      this.answers[label] = message
      return undefined
    }
  }

  /** Sends a request without keeping the answer. */
  async send<A extends Api>(
    api: A,
    version: number,
    body: RequestInput<A>,
  ): Promise<ResponseOf<A>> {
    const client = await this.client()
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => late.reject(new Error('the request was not answered')),
      timeoutMs,
    )
    try {
      return await Promise.race([client.send(api, version, body), late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async client(): Promise<RawClient> {
    this.#client ??= await this.#connect()
    return this.#client
  }

  /** A second connection, beside that of `ask` and `send`. */
  async freshClient(): Promise<RawClient> {
    const client = await this.#connect()
    this.stage.onClose(() => client.close())
    return client
  }

  async #connect(): Promise<RawClient> {
    const address = { host: '127.0.0.1', port: this.stage.port }
    return new RawClient(await tcpNetwork.connect(address, timeoutMs))
  }

  /** Creates a topic. Returns its name and id. */
  async createTopic(
    base: string,
    numPartitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<{ name: string; topicId: string }> {
    const name = this.stage.name(base)
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: entries }
    const { topics } = await this.send(createTopics, 7, { topics: [topic], timeoutMs })
    const { topicId, errorCode, errorMessage } = topics[0]!
    if (errorCode !== 0) throw new Error(`${name} was not created: ${errorMessage}`)
    await this.#untilServed(name, numPartitions)
    this.stage.naming.of('topic id', topicId)
    return { name, topicId }
  }

  /** Returns a producer id for an idempotent producer. */
  async producerId(): Promise<number> {
    const request = { transactionalId: null, transactionTimeoutMs: 1000 }
    return (await this.send(initProducerId, 4, request)).producerId
  }

  /** Appends a batch to partition 0. Returns the partition's answer. */
  async append(topic: string, records: Uint8Array, { version = 9, transactionalId = '' } = {}) {
    const partition = { index: 0, records }
    const { responses } = await this.send(produce, version, {
      transactionalId: transactionalId === '' ? null : transactionalId,
      acks: -1,
      timeoutMs,
      topicData: [{ name: topic, partitionData: [partition] }],
    })
    return responses[0]!.partitionResponses[0]!
  }

  /** Returns a batch of records, one for each key or value, a second apart from T on. */
  batch(values: readonly (string | null)[], options: RecordBatchOptions = {}, atMs = 0): Buffer {
    const builder = new RecordBatchBuilder(options)
    for (const [index, value] of values.entries()) {
      const time = this.stage.timeMs + atMs + 1000 * index
      builder.append(time, Buffer.from(`k${index}`), value === null ? null : Buffer.from(value))
    }
    return builder.build()
  }

  /** Returns what a consumer that starts at `fetchOffset` of partition 0 reads. */
  async read(topic: string, fetchOffset: number, isolationLevel = 0, version = 11) {
    return await this.send(fetch, version, {
      ...{ maxWaitMs: 100, minBytes: 1, isolationLevel },
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
      forgottenTopicsData: [],
    })
  }

  /** A broker may answer before a topic that it has created is served. */
  async #untilServed(name: string, numPartitions: number): Promise<void> {
    const indexes = Array.from({ length: numPartitions }, (_, index) => index)
    const partitions = indexes.map((partitionIndex) => ({ partitionIndex, timestamp: -1 }))
    const request = { replicaId: -1, isolationLevel: 0, topics: [{ name, partitions }] }
    for (;;) {
      const { topics } = await this.send(listOffsets, 7, request)
      if (topics[0]!.partitions.every(({ errorCode }) => errorCode === 0)) return
    }
  }
}

/** A scenario of probes, which observes the answers by label. */
export function probing(
  script: (probe: Probe, stage: Stage) => Promise<void>,
): (stage: Stage) => Promise<unknown> {
  return async (stage) => {
    const probe = new Probe(stage)
    await script(probe, stage)
    return probe.answers
  }
}
