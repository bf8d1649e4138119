// The way to the brokers of one Kafka cluster: it finds them from a bootstrap list, keeps a
// connection to each that is in use, and knows which broker leads a partition or coordinates a
// group. Everything above asks here for a connection and never opens one.

import { findCoordinator } from '../kafka/apis/findCoordinator.ts'
import { metadata } from '../kafka/apis/metadata.ts'
import { ErrorCode, KafkaError } from '../kafka/errors.ts'
import type { ResponseOf } from '../kafka/schema.ts'
import { sleep } from '../runtime/clock.ts'
import { type Address, NetworkError } from '../runtime/network.ts'
import { hostPort } from '../runtime/networkErrors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Backoff } from './backoff.ts'
import { BrokerSlot } from './brokerSlot.ts'
import { ClientError, isRetriableFailure } from './clientError.ts'
import { ClusterView, type TopicView } from './clusterView.ts'
import type { KafkaConnection } from './connection.ts'

export interface ClientOptions {
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  /** An answer later than this closes its connection. */
  readonly requestTimeoutMs?: number
  /** The first wait before something is tried again; it doubles up to the maximum. */
  readonly retryBackoffMs?: number
  readonly retryBackoffMaxMs?: number
  /**
   * Whether asking for a topic that does not exist may create it, where the broker allows that; true
   * unless given, as Kafka's `allow.auto.create.topics`. A program that only looks, and a reader that must
   * not bring back what was deleted, say false.
   */
  readonly allowAutoTopicCreation?: boolean
}

/** Where a broker of the cluster is. */
export interface BrokerAddress extends Address {
  readonly nodeId: number
}

/**
 * Requests on one connection wait for the answers before theirs. What the broker may hold back for
 * long (a fetch that waits for data, a join that waits for members) therefore names a lane of its
 * own, and gets its own connections.
 */
export const sharedLane = 'shared'

/** From here on FindCoordinator asks for several keys at once. */
const severalCoordinatorsVersion = 4

/** What a client touches of the world. */
export type ClusterRuntime = Pick<Runtime, 'clock' | 'random' | 'network' | 'scheduler'>

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

  /** A connection to the partition's leader. Fails with a retriable error when there is none now. */
  async leader(topic: string, partition: number, lane = sharedLane): Promise<KafkaConnection> {
    const known = this.#view.topic(topic)?.partitions.has(partition)
    if (!known) await this.#refresh(topic)
    return await this.#forgetting(topic, () =>
      this.#connection(this.#view.leaderOf(topic, partition), lane),
    )
  }

  async partitionCount(topic: string): Promise<number> {
    return (await this.#topic(topic)).partitions.size
  }

  /** Learns of all these topics with one request, where it would be one for each. */
  async learnTopics(names: Iterable<string>): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => this.#view.topic(name) === undefined)
    if (unknown.length < 2) return
    const connection = await this.any()
    const topics = unknown.map((name) => ({ name }))
    this.#view.update(await connection.send(metadata, { topics, allowAutoTopicCreation: false }))
  }

  /** As of the metadata at hand; the zero UUID from brokers before Kafka 2.8. */
  async topicId(topic: string): Promise<string> {
    return (await this.#topic(topic)).topicId
  }

  /** A connection to whichever broker can be reached. One round over all that are known. */
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
    throw nobodyAnswers(this.#bootstrap, last)
  }

  /**
   * A connection to the broker with this id. Fails with BROKER_NOT_AVAILABLE when the cluster has no
   * such broker now.
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

  /** Asks which brokers the cluster has now; names no topic. */
  async brokers(): Promise<ResponseOf<typeof metadata>> {
    const connection = await this.any()
    const answer = await connection.send(metadata, { topics: [], allowAutoTopicCreation: false })
    this.#view.update(answer)
    return answer
  }

  /** A connection to the broker that coordinates the group. */
  async coordinator(groupId: string, lane = sharedLane): Promise<KafkaConnection> {
    const address = await this.coordinatorOf(groupId)
    try {
      return await this.#connection(address, lane)
    } catch (error) {
      this.#coordinators.delete(groupId)
      throw error
    }
  }

  /** The broker that coordinates the group, as last heard. Fails with a KafkaError, mostly retriable. */
  async coordinatorOf(groupId: string): Promise<BrokerAddress> {
    let address = this.#coordinators.get(groupId)
    if (address === undefined) {
      address = await this.#findCoordinator(groupId)
      this.#coordinators.set(groupId, address)
    }
    return address
  }

  /** After NOT_COORDINATOR and its like, and after a lost connection. */
  forgetCoordinator(groupId: string): void {
    this.#coordinators.delete(groupId)
  }

  /** Forgets what is known of a topic, or of all: the next question about it asks a broker. */
  invalidate(topic?: string): void {
    this.#view.forget(topic)
  }

  /** A fresh sequence of waiting times, for a caller that tries again by itself. */
  newBackoff(): Backoff {
    return new Backoff(this.#backoff, this.runtime.random)
  }

  /** Waits, but not longer than until the cluster is closed; fails when it is. */
  async pause(delayMs: number): Promise<void> {
    await sleep(this.runtime.clock, delayMs, this.#closing.signal)
    this.#assertOpen()
  }

  /**
   * Tries until it works, until a failure that trying again cannot cure, or until the next wait
   * would go past `timeoutMs` from now; then fails with the last failure.
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

  /** The name of a lane that nobody else uses; `purpose` is for whoever reads it. */
  newLane(purpose: string): string {
    return `${purpose} ${++this.#lanes}`
  }

  /** Closes the connections of a lane that is not used any more. */
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

  /** Questions about a topic that is being asked for wait for that answer. */
  async #refresh(topic: string): Promise<void> {
    let refreshing = this.#refreshing.get(topic)
    if (refreshing === undefined) {
      refreshing = this.#askMetadata(topic).finally(() => this.#refreshing.delete(topic))
      this.#refreshing.set(topic, refreshing)
    }
    await refreshing
  }

  /**
   * The question creates a topic that does not exist, where that is allowed, and is answered before that
   * is done: what is being created is asked for once more before it is a failure of the caller's.
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

  /** Runs what depends on the topic's metadata; when that fails, it is asked for anew next time. */
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

  /** Async, so that a closed client is a rejection and not an exception. */
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

  /** Known brokers and the bootstrap list, from a random place on; those not in backoff first. */
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

function nobodyAnswers(bootstrap: readonly Address[], last: unknown): NetworkError {
  const tried = bootstrap.map(hostPort).join(', ')
  const why = last instanceof Error ? last.message : 'no address was given'
  return new NetworkError(
    'CONNECTION_REFUSED',
    `no broker of the cluster at ${tried} can be reached (${why})`,
    last,
  )
}
