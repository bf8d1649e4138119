/**
 * Produces to, consumes from and administers a Kafka cluster, one of Millrace's brokers or any other.
 *
 * ```ts
 * import { connect } from 'millrace/client'
 *
 * const client = connect('127.0.0.1:9092')
 * await client.admin.createTopics([{ name: 'orders', partitions: 2 }])
 * await client.producer().send('orders', { key: 'user-1', value: 'two apples' })
 *
 * const consumer = client.consumer({ groupId: 'shop', topics: ['orders'], autoOffsetReset: 'earliest' })
 * for await (const { value } of consumer) {
 *   console.log(value?.toString())
 *   break
 * }
 * await client.close()
 * ```
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module client
 */

import { nodeRuntime } from '../runtime/nodeRuntime.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { tcpNetwork } from '../runtime/tcpNetwork.ts'
import { Admin } from './admin.ts'
import { parseBootstrap } from './bootstrap.ts'
import { Cluster } from './cluster.ts'
import { type Consumer, type ConsumerOptions, RecordConsumer } from './recordConsumer.ts'
import { type Producer, type ProducerOptions, RecordProducer } from './recordProducer.ts'

export { ErrorCode, KafkaError } from '../kafka/errors.ts'
export type { TopicPartition } from '../kafka/topicPartition.ts'
export { NetworkError, type NetworkErrorCode } from '../runtime/network.ts'
export type { ConfigAlteration, ConfigOutcome } from './admin/configs.ts'
export type { NewOffset } from './admin/groupOffsets.ts'
export type { GroupFilter, GroupOutcome } from './admin/groups.ts'
export type { DeletedRecords, RecordsBefore } from './admin/records.ts'
export type { CreatedTopic } from './admin/topics.ts'
export {
  type Admin,
  type NewTopic,
  OffsetSpec,
  type PartitionDescription,
  type TopicDescription,
} from './admin.ts'
export type {
  BrokerDescription,
  ClusterDescription,
  CommittedOffset,
  ConfigChange,
  ConfigDescription,
  ConfigEntry,
  ConfigResource,
  ConfigSource,
  FoundOffset,
  GroupDescription,
  GroupListing,
  GroupMember,
  LogDirectory,
  OffsetQuestion,
  Outcome,
  PartitionOutcome,
  Reassignment,
} from './adminApi.ts'
export { AddressError } from './bootstrap.ts'
export { ClientError, type ClientErrorCode } from './clientError.ts'
export type { Isolation } from './isolation.ts'
export type { Assignment } from './rangeAssignor.ts'
export type { ConsumedHeader, ConsumedRecord, Consumer, ConsumerOptions } from './recordConsumer.ts'
export type {
  CompressionName,
  Producer,
  ProducerOptions,
  RecordToSend,
  StoredRecord,
} from './recordProducer.ts'

/** How a client talks to its cluster. */
export interface ConnectOptions {
  /** Name of the client in the logs and metrics of brokers; `millrace` unless given. */
  readonly clientId?: string
  /** Limit of one answer, in ms: a later one closes its connection. 30,000 unless given. */
  readonly requestTimeoutMs?: number
  /** First wait before a retry, in ms; it doubles up to `retryBackoffMaxMs`. 100 unless given. */
  readonly retryBackoffMs?: number
  /** Longest wait before a retry, in ms. 1,000 unless given. */
  readonly retryBackoffMaxMs?: number
  /** Whether a topic that does not exist may be created by its first use; true unless given. */
  readonly allowAutoTopicCreation?: boolean
}

/** A client of one cluster. Its producers, consumers and its admin share connections. */
export interface Client extends AsyncDisposable {
  /** Creates, describes and deletes topics, and looks into groups. */
  readonly admin: Admin
  /** Makes a producer. Most programs need one. */
  producer(options?: ProducerOptions): Producer
  /** Makes a member of a consumer group. It joins the group when its first records are asked for. */
  consumer(options: ConsumerOptions): Consumer
  /** Flushes producers, leaves groups, and closes all connections. */
  close(): Promise<void>
}

/**
 * Makes a client of the cluster that has one of the brokers of `bootstrap`: `host:port`, several separated
 * by commas. Connections are opened when they are needed, so that this does not fail for a cluster that
 * cannot be reached now. Throws an AddressError for what is no list of addresses.
 */
export function connect(bootstrap: string, options: ConnectOptions = {}): Client {
  return new ClusterClient(nodeRuntime(tcpNetwork), bootstrap, options)
}

class ClusterClient implements Client {
  readonly admin: Admin
  readonly #runtime: Runtime
  readonly #cluster: Cluster
  readonly #open = new Set<{ close(): Promise<void> }>()
  #closing: Promise<void> | undefined

  constructor(runtime: Runtime, bootstrap: string, options: ConnectOptions) {
    this.#runtime = runtime
    this.#cluster = new Cluster(runtime, {
      clientId: 'millrace',
      ...options,
      bootstrap: parseBootstrap(bootstrap),
    })
    this.admin = new Admin(this.#cluster)
  }

  producer(options: ProducerOptions = {}): Producer {
    return this.#opened(
      new RecordProducer(this.#cluster, this.#runtime, options, (closed) =>
        this.#open.delete(closed),
      ),
    )
  }

  consumer(options: ConsumerOptions): Consumer {
    return this.#opened(
      new RecordConsumer(this.#cluster, options, (closed) => this.#open.delete(closed)),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #opened<T extends { close(): Promise<void> }>(part: T): T {
    this.#open.add(part)
    return part
  }

  async #close(): Promise<void> {
    try {
      await Promise.all([...this.#open].map((part) => part.close()))
    } finally {
      await this.#cluster.close()
    }
  }
}
