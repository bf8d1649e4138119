// The connections to the brokers of one Kafka cluster: discovers brokers from a bootstrap list,
// keeps one connection per broker and lane, and finds the leader of a partition and the coordinator
// of a group. Producers, consumers and the admin client get every connection here and never open
// one.

import { findCoordinator } from '../../kafka/apis/findCoordinator.ts'
import { metadata } from '../../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import { type Address, NetworkError } from '../../runtime/network/network.ts'
import { hostPort } from '../../runtime/network/networkErrors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/time/clock.ts'
import { Backoff } from '../backoff.ts'
import { ClientError, isRetriableFailure } from '../clientError.ts'
import { BrokerSlot } from './brokerSlot.ts'
import { ClusterView, type TopicView } from './clusterView.ts'
import type { KafkaConnection } from './connection.ts'

export interface ClientOptions {
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  /**
   * Limit on the time until a response arrives, in ms; when it is exceeded, the connection is
   * closed.
   */
  readonly requestTimeoutMs?: number
  /** Delay before the first retry, in ms; it doubles up to `retryBackoffMaxMs`. */
  readonly retryBackoffMs?: number
  readonly retryBackoffMaxMs?: number
  /**
   * Whether a metadata request for a topic that does not exist creates it, if the broker allows
   * that; true unless given, as Kafka's `allow.auto.create.topics`. Set it to false where reading
   * must not recreate a deleted topic.
   */
  readonly allowAutoTopicCreation?: boolean
}

/** The id and address of a broker. */
export interface BrokerAddress extends Address {
  readonly nodeId: number
}

/**
 * The default lane. A connection is answered in order, so a request that the broker holds back (a
 * fetch that waits for data, a join that waits for members) would delay the requests after it; such
 * requests use a lane of their own, which has its own connections.
 */
export const sharedLane = 'shared'

/** The first version of FindCoordinator with several keys in one request. */
const severalCoordinatorsVersion = 4

/** The parts of the runtime that a client uses. */
export type ClusterRuntime = Pick<
  Runtime,
  'clock' | 'random' | 'network' | 'scheduler' | 'rarePoints'
>

export class Cluster {
  readonly runtime: ClusterRuntime
  readonly requestTimeoutMs: number
  readonly #clientId: string
  readonly #allowAutoTopicCreation: boolean
  readonly #bootstrap: readonly Address[]
  readonly #backoff: { readonly initialMs: number; readonly maxMs: number }
  readonly #view = new ClusterView()
  readonly #slots = new Map<string, BrokerSlot>()
  readonly #refreshing = new Map<string, Promise<void>>()
  readonly #coordinators = new Map<string, BrokerAddress>()
  readonly #closing = new AbortController()
  #lanes = 0

  constructor(runtime: ClusterRuntime, options: ClientOptions) {
    this.runtime = runtime
    this.requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    this.#clientId = options.clientId
    this.#allowAutoTopicCreation = options.allowAutoTopicCreation ?? true
    this.#bootstrap = options.bootstrap
    this.#backoff = {
      initialMs: options.retryBackoffMs ?? 100,
      maxMs: options.retryBackoffMaxMs ?? 1000,
    }
  }

  /**
   * Returns a connection to the leader of the partition. Fails with a retriable error without one.
   */
  async leader(topic: string, partition: number, lane = sharedLane): Promise<KafkaConnection> {
    if (this.runtime.rarePoints?.isForced('metadata forgotten')) this.#view.forget(topic)
    const known = this.#view.topic(topic)?.partitions.has(partition)
    if (!known) await this.#refresh(topic)
    return await this.#forgetting(topic, () =>
      this.#connection(this.#view.leaderOf(topic, partition), lane),
    )
  }

  /** Returns the number of partitions, from cached metadata if the topic is known. */
  async partitionCount(topic: string): Promise<number> {
    return (await this.#topic(topic)).partitions.size
  }

  /**
   * Requests metadata of all unknown topics of `names` at once, instead of one request for each.
   */
  async learnTopics(names: Iterable<string>): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => this.#view.topic(name) === undefined)
    if (unknown.length < 2) return
    const connection = await this.any()
    const topics = unknown.map((name) => ({ name }))
    this.#view.update(await connection.send(metadata, { topics, allowAutoTopicCreation: false }))
  }

  /**
   * Returns the id of the topic, from cached metadata; the zero UUID from brokers before Kafka 2.8.
   */
  async topicId(topic: string): Promise<string> {
    return (await this.#topic(topic)).topicId
  }

  /** Returns a connection to any broker, after at most one attempt for each known address. */
  async any(): Promise<KafkaConnection> {
    this.#assertOpen()
    const open = this.#openConnection()
    if (open !== undefined) return open
    let last: unknown
    for (const address of this.#candidates()) {
      try {
        return await this.#connection(address, sharedLane)
      } catch (error) {
        if (!isRetriableFailure(error)) throw error
        last = error
      }
    }
    throw unreachable(this.#bootstrap, last)
  }

  /**
   * Returns a connection to the broker with this id. Fails with BROKER_NOT_AVAILABLE when the
   * cluster currently has no such broker.
   */
  async broker(nodeId: number, lane = sharedLane): Promise<KafkaConnection> {
    if (this.#view.broker(nodeId) === undefined) await this.brokers()
    const address = this.#view.broker(nodeId)
    if (address === undefined) {
      throw new KafkaError(ErrorCode.brokerNotAvailable, `broker ${nodeId} is not in the cluster`)
    }
    try {
      return await this.#connection(address, lane)
    } catch (error) {
      this.#view.forgetBroker(nodeId)
      throw error
    }
  }

  /** Requests the current brokers of the cluster, without topics. */
  async brokers(): Promise<ResponseOf<typeof metadata>> {
    const connection = await this.any()
    const answer = await connection.send(metadata, { topics: [], allowAutoTopicCreation: false })
    this.#view.update(answer)
    return answer
  }

  /** Returns a connection to the coordinator of the group. */
  async coordinator(groupId: string, lane = sharedLane): Promise<KafkaConnection> {
    const address = await this.coordinatorOf(groupId)
    try {
      return await this.#connection(address, lane)
    } catch (error) {
      this.#coordinators.delete(groupId)
      throw error
    }
  }

  /**
   * Returns the coordinator of the group, cached after the first request. Fails with a KafkaError.
   */
  async coordinatorOf(groupId: string): Promise<BrokerAddress> {
    let address = this.#coordinators.get(groupId)
    if (address === undefined) {
      address = await this.#findCoordinator(groupId)
      this.#coordinators.set(groupId, address)
    }
    return address
  }

  /**
   * Drops the cached coordinator: after NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE or a lost
   * connection.
   */
  forgetCoordinator(groupId: string): void {
    this.#coordinators.delete(groupId)
  }

  /**
   * Drops the cached metadata of a topic, or of all topics; it is requested again on the next use.
   */
  invalidate(topic?: string): void {
    this.#view.forget(topic)
  }

  /** Returns a backoff with the options of the client, for a caller with its own retry loop. */
  newBackoff(): Backoff {
    return new Backoff(this.#backoff, this.runtime.random)
  }

  /**
   * Waits for `delayMs`. Fails with CLIENT_CLOSED, without waiting longer, when the cluster is
   * closed.
   */
  async pause(delayMs: number): Promise<void> {
    await sleep(this.runtime.clock, delayMs, this.#closing.signal)
    this.#assertOpen()
  }

  /**
   * Retries `attempt` until it succeeds, fails with an error that is not retriable, or the next
   * attempt would begin later than `timeoutMs` from now; then fails with the last error.
   */
  async retrying<T>(timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
    const backoff = this.newBackoff()
    const deadlineMs = this.runtime.clock.monotonicMs() + timeoutMs
    for (;;) {
      this.#assertOpen()
      try {
        return await attempt()
      } catch (error) {
        const delayMs = backoff.failed()
        const late = this.runtime.clock.monotonicMs() + delayMs > deadlineMs
        if (late || !isRetriableFailure(error)) throw error
        await this.pause(delayMs)
      }
    }
  }

  /** Returns a unique lane name that starts with `purpose`. */
  newLane(purpose: string): string {
    return `${purpose} ${++this.#lanes}`
  }

  /** Closes all connections of a lane. */
  closeLane(lane: string): void {
    for (const [key, slot] of this.#slots) {
      if (slot.lane !== lane) continue
      slot.close()
      this.#slots.delete(key)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const slot of this.#slots.values()) slot.close()
    this.#slots.clear()
  }

  async #topic(topic: string): Promise<TopicView> {
    if (this.#view.topic(topic) === undefined) await this.#refresh(topic)
    try {
      return this.#view.usableTopic(topic)
    } catch (error) {
      this.#view.forget(topic)
      throw error
    }
  }

  /** Concurrent calls for one topic share one request. */
  async #refresh(topic: string): Promise<void> {
    let refreshing = this.#refreshing.get(topic)
    if (refreshing === undefined) {
      refreshing = this.#askMetadata(topic).finally(() => this.#refreshing.delete(topic))
      this.#refreshing.set(topic, refreshing)
    }
    await refreshing
  }

  /**
   * With auto creation, the broker answers UNKNOWN_TOPIC_OR_PARTITION while it creates the topic,
   * so the request is repeated once before the caller sees that error.
   */
  async #askMetadata(topic: string): Promise<void> {
    await this.#askMetadataOnce(topic)
    if (this.#view.topic(topic)?.errorCode !== ErrorCode.unknownTopicOrPartition) return
    await this.pause(this.newBackoff().failed())
    await this.#askMetadataOnce(topic)
  }

  async #askMetadataOnce(topic: string): Promise<void> {
    const connection = await this.any()
    const allowAutoTopicCreation = this.#allowAutoTopicCreation
    const request = { topics: [{ name: topic }], allowAutoTopicCreation }
    this.#view.update(await connection.send(metadata, request))
  }

  /**
   * Runs `use`, which depends on the metadata of the topic, and drops that metadata when it fails.
   */
  async #forgetting<T>(topic: string, use: () => Promise<T>): Promise<T> {
    try {
      return await use()
    } catch (error) {
      this.#view.forget(topic)
      throw error
    }
  }

  async #findCoordinator(groupId: string): Promise<BrokerAddress> {
    const connection = await this.any()
    const hasManyKeys = connection.versionOf(findCoordinator) >= severalCoordinatorsVersion
    const request = hasManyKeys ? { coordinatorKeys: [groupId] } : { key: groupId }
    const answer = await connection.send(findCoordinator, request)
    const found = answer.coordinators[0] ?? answer
    if (found.errorCode !== ErrorCode.none) {
      throw new KafkaError(found.errorCode, found.errorMessage ?? `the coordinator of ${groupId}`)
    }
    return { nodeId: found.nodeId, host: found.host, port: found.port }
  }

  /** Async, so that a closed client rejects instead of throwing synchronously. */
  async #connection(address: Address, lane: string): Promise<KafkaConnection> {
    return await this.#slot(address, lane).connection()
  }

  #slot(address: Address, lane: string): BrokerSlot {
    this.#assertOpen()
    const key = `${lane} ${hostPort(address)}`
    let slot = this.#slots.get(key)
    if (slot === undefined) {
      const options = { clientId: this.#clientId, requestTimeoutMs: this.requestTimeoutMs }
      const { signal } = this.#closing
      slot = new BrokerSlot(this.runtime, address, lane, options, this.newBackoff(), signal)
      this.#slots.set(key, slot)
    }
    return slot
  }

  #openConnection(): KafkaConnection | undefined {
    for (const slot of this.#slots.values()) {
      if (slot.lane === sharedLane && slot.open !== undefined) return slot.open
    }
    return undefined
  }

  /** Known brokers and the bootstrap list in random rotation, addresses without backoff first. */
  #candidates(): Address[] {
    const unique = new Map<string, Address>()
    for (const address of [...this.#view.brokers(), ...this.#bootstrap]) {
      unique.set(hostPort(address), address)
    }
    const all = [...unique.values()]
    const first = all.length > 1 ? this.runtime.random.below(all.length) : 0
    const rotated = [...all.slice(first), ...all.slice(0, first)]
    const notBeforeMs = (address: Address) => this.#slot(address, sharedLane).notBeforeMs
    return rotated.sort((one, other) => notBeforeMs(one) - notBeforeMs(other))
  }

  #assertOpen(): void {
    if (!this.#closing.signal.aborted) return
    throw new ClientError('CLIENT_CLOSED', 'this client was closed')
  }
}

function unreachable(bootstrap: readonly Address[], last: unknown): NetworkError {
  const tried = bootstrap.map(hostPort).join(', ')
  const why = last instanceof Error ? last.message : 'no bootstrap address given'
  return new NetworkError(
    'CONNECTION_REFUSED',
    `no broker of the cluster at ${tried} can be reached (${why})`,
    last,
  )
}
