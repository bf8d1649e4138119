/**
 * Produces to, consumes from and administers a Kafka cluster, one of Millrace's brokers or any
 * other.
 *
 * ```ts
 * import { connect } from 'millrace/client'
 *
 * const client = connect('127.0.0.1:9092')
 * await client.admin.createTopics([{ name: 'orders', partitions: 2 }])
 * await client.producer().send('orders', { key: 'user-1', value: 'two apples' })
 *
 * const consumer = client.consumer({ groupId: 'shop', topics: ['orders'], autoOffsetReset:
 * 'earliest' })
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

// The published API over the producer, the consumer and the administration in the folders beside
// this file, which the programs of Millrace use directly.
//
// Contract: a call either returns a result or fails with a KafkaError (broker), NetworkError
// (network) or ClientError (this client); `isRetriableFailure` says which may be retried.
// Invariants: batches of a partition are stored in order; no queue is unbounded; no file here
// decodes records on behalf of a caller that passes or receives whole batches. Nothing here imports
// above protocol.

import { tcpNetwork } from '../runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../runtime/nodeRuntime.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Admin } from './admin.ts'
import { parseBootstrap } from './bootstrap.ts'
import { Cluster } from './cluster/cluster.ts'
import { type Consumer, type ConsumerOptions, RecordConsumer } from './consumer/recordConsumer.ts'
import { type Producer, type ProducerOptions, RecordProducer } from './producer/recordProducer.ts'

export { ErrorCode, KafkaError } from '../kafka/errors.ts'
export type { TopicPartition } from '../kafka/topicPartition.ts'
export { NetworkError, type NetworkErrorCode } from '../runtime/network/network.ts'
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
export type { Isolation } from './consumer/isolation.ts'
export type { Assignment } from './consumer/rangeAssignor.ts'
export type {
  ConsumedHeader,
  ConsumedRecord,
  Consumer,
  ConsumerOptions,
} from './consumer/recordConsumer.ts'
export type {
  CompressionName,
  Producer,
  ProducerOptions,
  RecordToSend,
  StoredRecord,
} from './producer/recordProducer.ts'

/** Options of a client. */
export interface ConnectOptions {
  /** Name of the client in the logs and metrics of brokers; `millrace` unless given. */
  readonly clientId?: string
  /**
   * Limit on the time until a response arrives, in ms; when it is exceeded, the connection is
   * closed and its requests fail or are retried. 30,000 unless given.
   */
  readonly requestTimeoutMs?: number
  /**
   * Delay before the first retry, in ms; it doubles up to `retryBackoffMaxMs`. 100 unless given.
   */
  readonly retryBackoffMs?: number
  /** Limit on the delay before a retry, in ms. 1,000 unless given. */
  readonly retryBackoffMaxMs?: number
  /**
   * Whether the first use of a topic that does not exist creates it, if the broker allows that;
   * true unless given.
   */
  readonly allowAutoTopicCreation?: boolean
}

/** A client of one cluster. Its producers, its consumers and `admin` share connections. */
export interface Client extends AsyncDisposable {
  /** Administers topics, configurations, groups, offsets and log directories. */
  readonly admin: Admin
  /** Creates a producer. One producer is enough for most programs. */
  producer(options?: ProducerOptions): Producer
  /**
   * Creates a member of a consumer group. It joins the group when its first record is requested.
   */
  consumer(options: ConsumerOptions): Consumer
  /** Flushes producers, leaves consumer groups without committing, and closes all connections. */
  close(): Promise<void>
}

/**
 * Returns a client of the cluster of the brokers in `bootstrap`, a comma-separated list of
 * `host:port`. Connections are opened lazily: an unreachable cluster fails the first request, not
 * this call. Throws an AddressError for a malformed list.
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
