// A broker inside a test: the real one on a disk in memory or in a folder, with what a test needs to set up topics,
// to look at what a client has done, and to make things fail. A shell around the broker: nothing of how Kafka's
// protocol is served is done here.

import { unfakedClock } from '../../protocol/runtime/clock.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import { addressText } from '../server/listenerAddress.ts'
import { BrokerLife } from './brokerLife.ts'
import { ClientConnections } from './clientConnections.ts'
import { Faults } from './faults/faults.ts'
import { FaultyRequests } from './faults/faultyRequests.ts'
import { folderStorage, memoryStorage, type Storage } from './storage.ts'
import { TestBrokerError } from './testBrokerError.ts'
import {
  planTestBroker,
  planTopic,
  type TestBrokerOptions,
  type TestBrokerPlan,
  type TestTopic,
} from './testBrokerOptions.ts'

/**
 * Starts a broker and resolves when clients can connect to `bootstrap`. Close it at the end of the test, or
 * declare it with `await using`: while it is open, its process does not end.
 *
 * @example
 * await using broker = await startBroker({ topics: ['orders'] })
 * const kafka = new Kafka({ brokers: [broker.bootstrap] })
 *
 * @throws TestBrokerError for an option that cannot be used, KafkaError for a topic that cannot be created, and
 * NetworkError when the port is taken.
 */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = new TestBroker(planTestBroker(options))
  await broker.start()
  return broker
}

/** A running broker; `startBroker` makes one. */
export class TestBroker implements AsyncDisposable {
  readonly #plan: TestBrokerPlan
  readonly #storage: Storage
  readonly #clock = unfakedClock
  readonly #closing = new AbortController()
  readonly #connections = new ClientConnections()
  readonly #requests: FaultyRequests
  /** The faults of this broker: what goes wrong is up to the test. */
  readonly faults: Faults
  /** As asked for until the first start, then as bound: a restart takes the same port again. */
  #address: Address
  #life: BrokerLife | undefined
  #clusterId: string | undefined
  #isClosed = false
  /** Starts and stops, one after another. */
  #turn: Promise<void> = Promise.resolve()

  /** @internal */
  constructor(plan: TestBrokerPlan) {
    this.#plan = plan
    this.#storage =
      plan.directory === undefined
        ? memoryStorage(plan.memoryBytes, () => this.#clock.nowMs())
        : folderStorage()
    this.#address = plan.address
    this.faults = new Faults({
      clock: this.#clock,
      closed: this.#closing.signal,
      setDiskFull: (isFull) => this.#setDiskFull(isFull),
    })
    this.#requests = new FaultyRequests(this.faults, this.#clock)
  }

  /** `host:port`, for the bootstrap servers of clients. It stays the same over restarts. */
  get bootstrap(): string {
    return addressText(this.#address)
  }

  get host(): string {
    return this.#address.host
  }

  get port(): number {
    return this.#address.port
  }

  /** Kafka's id of the cluster, which this broker is all of. */
  get clusterId(): string {
    return this.#clusterId!
  }

  /** False after `stop` and `close`. */
  get isRunning(): boolean {
    return this.#life !== undefined
  }

  /**
   * Creates a topic. Rejects with a KafkaError when it exists (`TOPIC_ALREADY_EXISTS`), or when its name or
   * configuration is not allowed.
   */
  async createTopic(topic: string | TestTopic): Promise<void> {
    await this.#createTopics([planTopic(topic)])
  }

  /**
   * Closes the connections of the clients with this id, or of all clients, as a network does that breaks. Returns
   * how many there were. Clients may connect again at once.
   */
  closeConnections(clientId?: string): number {
    return this.#connections.close(clientId)
  }

  /** Starts a broker that was stopped: on the same port, with what it had stored. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isClosed) throw closedError()
      if (this.#life !== undefined) return
      await this.#begin()
    })
  }

  /** Stops the broker. Its clients lose their connections, and cannot connect until `start`. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const life = this.#life
      this.#life = undefined
      await life?.close()
    })
  }

  /** Stops the broker if it runs, and starts it on the same port with what it had stored. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /**
   * Stops the broker for good. What was in memory is gone; a folder stays. Resolves when no socket, timer or file
   * is left of it; calling it again changes nothing.
   */
  close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    return this.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(): Promise<void> {
    const isFirst = this.#clusterId === undefined
    const life = await BrokerLife.start({
      plan: this.#plan,
      storage: this.#storage,
      clock: this.#clock,
      handle: (api, request, context, handle) => {
        this.#connections.note(context)
        return this.#requests.handle(api, request, context, handle)
      },
      address: this.#address,
    })
    this.#address = life.address
    this.#clusterId = life.broker.clusterId
    this.#life = life
    if (!isFirst) return
    try {
      await this.#createMissing()
    } catch (error) {
      this.#life = undefined
      await life.close()
      throw error
    }
  }

  /** The topics of the options, as far as a folder does not have them from before. */
  async #createMissing(): Promise<void> {
    const { topics } = this.#plan
    if (topics.length === 0) return
    const existing = new Set(this.#running.broker.topics().map(({ name }) => name))
    await this.#createTopics(topics.filter(({ name }) => !existing.has(name)))
  }

  async #createTopics(topics: readonly Required<TestTopic>[]): Promise<void> {
    if (topics.length === 0) return
    await this.#running.admin.createTopics(
      topics.map(({ name, partitions, configs }) => ({
        name,
        partitions,
        configs: Object.fromEntries(
          Object.entries(configs).map(([key, value]) => [key, String(value)]),
        ),
      })),
    )
  }

  async #setDiskFull(isFull: boolean): Promise<void> {
    const { disk } = this.#storage
    const life = this.#life
    // A broker that runs for long has its reserve.
    if (isFull) await life?.checkSpace()
    if (isFull) disk.fill()
    else disk.free()
    await life?.checkSpace()
  }

  get #running(): BrokerLife {
    if (this.#life !== undefined) return this.#life
    if (this.#isClosed) throw closedError()
    throw new TestBrokerError('NOT_RUNNING', 'the broker is stopped: call start() first')
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }
}

function closedError(): TestBrokerError {
  return new TestBrokerError('NOT_RUNNING', 'the broker is closed: start another one')
}
