// An in-memory Kafka cluster for the client's tests: real frames and real rules (sequences,
// leaders, groups) without a disk, with injected faults. Does what a correct broker may do at
// worst: answers late, refuses, or loses a connection before or after it has processed a request.

import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { apiByKey, apis } from '../../../protocol/kafka/apis.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponse,
  FrameSplitter,
} from '../../../protocol/kafka/frame.ts'
import type { Api, RequestOf, ResponseInput } from '../../../protocol/kafka/schema/schema.ts'
import type {
  Address,
  Connection,
  Listener,
  Network,
} from '../../../protocol/runtime/network/network.ts'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { FakeGroups } from './fakeGroups.ts'
import { FakeTopics } from './fakeTopics.ts'
import type { RequestHandlers } from './requestHandlers.ts'

/** Injected faults. Probabilities are per request; all are 0 by default. */
export interface Faults {
  /** Probability that the connection is lost before the request is processed. */
  dropBefore: number
  /**
   * Probability that the connection is lost after the request is processed, before its response.
   */
  dropAfter: number
  /** Probability that the leaders of all partitions move after the request. */
  moveLeaders: number
  /** Maximum delay of a response, in ms. */
  delayMs: number
}

/** `undefined`: the connection is dropped. */
type Handler = (
  request: never,
  context: { readonly version: number; readonly broker: number },
) => unknown | Promise<unknown>

export class FakeCluster implements RequestHandlers {
  readonly topics: FakeTopics
  readonly groups: FakeGroups
  readonly faults: Faults = { dropBefore: 0, dropAfter: 0, moveLeaders: 0, delayMs: 0 }
  readonly addresses: Address[] = []
  /** Number of requests, by name of the API. */
  readonly asked = new Map<string, number>()
  /** Version ranges in ApiVersions responses that replace the actual ones, by API key. */
  readonly claimed = new Map<number, { minVersion: number; maxVersion: number }>()
  readonly #handlers = new Map<number, Handler>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #listeners: Listener[] = []
  readonly #connections = new Set<Connection>()

  constructor(clock: Clock, random: Random = seededRandom(1)) {
    this.#clock = clock
    this.#random = random
    this.topics = new FakeTopics(random)
    this.groups = new FakeGroups(clock)
    this.topics.install(this)
    this.groups.install(this)
  }

  /** Starts brokers 0 to `count` - 1 at broker-n:9092. */
  static async start(
    network: Network,
    clock: Clock,
    options: { brokers?: number; random?: Random } = {},
  ): Promise<FakeCluster> {
    const cluster = new FakeCluster(clock, options.random)
    for (let id = 0; id < (options.brokers ?? 1); id++) await cluster.#listen(network, id)
    return cluster
  }

  handle<A extends Api>(
    api: A,
    handler: (
      request: RequestOf<A>,
      context: { readonly version: number; readonly broker: number },
    ) => ResponseInput<A> | undefined | Promise<ResponseInput<A> | undefined>,
  ): void {
    this.#handlers.set(api.key, handler as Handler)
  }

  /** Returns the current handler of an API, for a test that replaces it once. */
  handlerOf<A extends Api>(api: A) {
    return this.#handlers.get(api.key) as unknown as (
      request: RequestOf<A>,
      context: { readonly version: number; readonly broker: number },
    ) => ResponseInput<A> | Promise<ResponseInput<A>>
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners.splice(0)) await listener.close()
    this.dropConnections()
  }

  async #listen(network: Network, id: number): Promise<void> {
    const address = { host: `broker-${id}`, port: 9092 }
    this.addresses[id] = address
    const accept = (connection: Connection) => this.#accept(connection, id)
    this.#listeners.push(await network.listen(address, accept))
  }

  /** Processes one request of a connection at a time, in order, as Kafka does. */
  #accept(connection: Connection, broker: number): void {
    this.#connections.add(connection)
    const frames = new FrameSplitter(64 * 1024 * 1024)
    let last = Promise.resolve()
    connection.start({
      onData: (chunk) => {
        for (const frame of frames.push(chunk)) {
          last = last.then(() => this.#serve(connection, broker, frame))
        }
      },
      onDrain() {},
      onClose: () => this.#connections.delete(connection),
    })
  }

  async #serve(connection: Connection, broker: number, frame: Buffer): Promise<void> {
    if (!this.#connections.has(connection)) return
    const reader = new ByteReader(frame)
    const { apiKey, apiVersion, correlationId } = decodeRequestHeader(reader)
    const api = apiByKey(apiKey)!
    this.asked.set(api.name, (this.asked.get(api.name) ?? 0) + 1)
    if (apiKey === 18) {
      connection.write(this.#apiVersions(api, apiVersion, correlationId))
      return
    }
    if (this.#happens(this.faults.dropBefore)) return connection.destroy()
    const request = decodeRequest(api, apiVersion, reader)
    const handler = this.#handlers.get(apiKey)
    if (handler === undefined) throw new Error(`the fake broker does not handle ${api.name}`)
    const response = await handler(request as never, { version: apiVersion, broker })
    if (this.#happens(this.faults.moveLeaders)) this.topics.moveLeaders(this.addresses.length)
    if (this.faults.delayMs > 0) await this.#delay()
    if (response === undefined || this.#happens(this.faults.dropAfter)) return connection.destroy()
    connection.write(encodeResponse(api, apiVersion, correlationId, response as never))
  }

  /** KIP-511: an unknown version of ApiVersions is answered in version 0, with the known ranges. */
  #apiVersions(api: Api, version: number, correlationId: number): Buffer[] {
    const claimed = this.claimed.get(api.key)
    const isKnown = version <= (claimed?.maxVersion ?? api.maxVersion)
    const apiKeys = apis.map(({ key, advertisedMinVersion, maxVersion }) => {
      const range = this.claimed.get(key) ?? { minVersion: advertisedMinVersion, maxVersion }
      return { apiKey: key, ...range }
    })
    const errorCode = isKnown ? ErrorCode.none : ErrorCode.unsupportedVersion
    return encodeResponse(api, isKnown ? version : 0, correlationId, {
      errorCode,
      apiKeys,
    } as never)
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random.float() < probability
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(this.#random.below(this.faults.delayMs + 1), resolve)
    })
  }
}
