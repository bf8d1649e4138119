// The broker for tests: the real one on a disk in memory or in a directory, with functions to set
// up topics, to inspect what a client has done, and to inject faults.
// Contract: a shell around the real broker. Must never implement a part of Kafka's protocol itself,
// nor leave a socket, timer or file behind after `close`.

import type { Address } from '../../protocol/runtime/network/network.ts'
import { unfakedClock } from '../../protocol/runtime/time/clock.ts'
import { addressText } from '../configuration/listenerAddress.ts'
import { BrokerLife } from './brokerLife.ts'
import { ClientConnections } from './clientConnections.ts'
import { Faults } from './faults/faults.ts'
import { FaultyRequests } from './faults/faultyRequests.ts'
import { FencedMembers } from './fencedMembers.ts'
import { directoryStorage, memoryStorage, type Storage } from './storage.ts'
import { closedError, invalidArgument, TestBrokerError } from './testBrokerError.ts'
import {
  planTestBroker,
  planTopic,
  type TestBrokerOptions,
  type TestBrokerPlan,
  type TestTopic,
} from './testBrokerOptions.ts'
import {
  describeGroup,
  type MemberChoice,
  rebalance,
  removeMembers,
  type TestGroup,
} from './testGroups.ts'
import {
  producerRecord,
  type RecordsOptions,
  type RecordToProduce,
  type StoredRecord,
  type TestData,
  TopicReader,
} from './testRecords.ts'
import { type WaitOptions, waitFor } from './waiting.ts'

/** Committed offset of a group for a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  /** Offset of the next record to read. */
  readonly offset: number
}

/**
 * Starts a broker; resolves when clients can connect to `bootstrap`. Close it at the end of the
 * test, or declare it with `await using`: an open broker keeps the process alive.
 *
 * @example
 * await using broker = await startBroker({ topics: ['orders'] })
 * const kafka = new Kafka({ brokers: [broker.bootstrap] })
 *
 * @throws TestBrokerError for an invalid option, KafkaError for a topic that cannot be created, and
 * NetworkError for a port in use.
 */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = new TestBroker(planTestBroker(options))
  await broker.start()
  return broker
}

/** A running broker, started by `startBroker`. */
export class TestBroker implements AsyncDisposable {
  readonly #plan: TestBrokerPlan
  readonly #storage: Storage
  readonly #clock = unfakedClock
  readonly #closing = new AbortController()
  readonly #connections = new ClientConnections()
  readonly #requests: FaultyRequests
  readonly #fenced = new FencedMembers()
  /** Injects faults. */
  readonly faults: Faults
  /** As requested before the first start, then as bound: a restart uses the same port. */
  #address: Address
  #life: BrokerLife | undefined
  #clusterId: string | undefined
  #isClosed = false
  /** Serializes starts and stops. */
  #turn: Promise<void> = Promise.resolve()

  /** @internal */
  constructor(plan: TestBrokerPlan) {
    this.#plan = plan
    this.#storage =
      plan.directory === undefined
        ? memoryStorage(plan.memoryBytes, () => this.#clock.nowMs())
        : directoryStorage()
    this.#address = plan.address
    this.faults = new Faults({
      clock: this.#clock,
      closed: this.#closing.signal,
      setDiskFull: (isFull) => this.#setDiskFull(isFull),
    })
    this.#requests = new FaultyRequests(this.faults, this.#clock)
  }

  /** Bootstrap address for clients, `host:port`. Stays the same across restarts. */
  get bootstrap(): string {
    return addressText(this.#address)
  }

  get host(): string {
    return this.#address.host
  }

  get port(): number {
    return this.#address.port
  }

  /** Kafka's id of the cluster, which consists of this broker. */
  get clusterId(): string {
    return this.#clusterId!
  }

  /** False after `stop` and `close`. */
  get isRunning(): boolean {
    return this.#life !== undefined
  }

  /**
   * Creates a topic. Rejects with a KafkaError if it exists (`TOPIC_ALREADY_EXISTS`), or if its
   * name or configuration is invalid.
   */
  async createTopic(topic: string | TestTopic): Promise<void> {
    await this.#createTopics([planTopic(topic)])
  }

  /**
   * Produces records in the given order; resolves when they are stored. Creates a topic that does
   * not exist. A record is a value, or an object with `key`, `value`, `headers`, `partition` and
   * `timestampMs`; a value that is an object is stored as JSON.
   *
   * @example await broker.produce('orders', ['a', { key: 'k', value: { price: 7 } }])
   */
  async produce(topic: string, records: readonly (RecordToProduce | TestData)[]): Promise<void> {
    const life = this.#running
    if (!life.hasTopic(topic)) await this.createTopic(topic)
    await Promise.all(records.map((each) => life.producer.send(topic, producerRecord(each))))
  }

  /**
   * Returns the records of a topic, partition by partition. Rejects with INVALID_ARGUMENT if the
   * topic does not exist.
   *
   * @example expect(await broker.records('orders')).toMatchObject([{ key: 'k', value: 'v' }])
   */
  async records(topic: string, options: RecordsOptions = {}): Promise<StoredRecord[]> {
    const life = this.#running
    const records = await new TopicReader(topic, options).read(life)
    if (records !== undefined) return records
    const names = life.broker.topics().map(({ name }) => name)
    const list =
      names.length === 0 ? 'there are no topics' : `existing topics: ${names.sort().join(', ')}`
    throw invalidArgument(`topic ${topic} does not exist; ${list}`)
  }

  /**
   * Resolves with the records of a topic once there are at least `count`; the topic need not exist
   * yet. Rejects with TIMED_OUT; the message has the number of records.
   */
  async waitForRecords(
    topic: string,
    count: number,
    options: RecordsOptions & WaitOptions = {},
  ): Promise<StoredRecord[]> {
    const reader = new TopicReader(topic, options)
    const found: StoredRecord[] = []
    const look = async () => {
      found.push(...((await reader.read(this.#running)) ?? []))
      return found.length >= count ? found : undefined
    }
    const what = () => `${count} records in ${topic}; found ${found.length}`
    await this.#waitFor(look, what, options)
    return found.sort(byPlace)
  }

  /** Returns a consumer group; undefined if no member has joined it or committed to it. */
  group(groupId: string): TestGroup | undefined {
    return describeGroup(this.#running.parts.groups, groupId)
  }

  /**
   * Resolves when the group is stable with this many members, which then have their partitions.
   * Rejects with TIMED_OUT; the message has the state of the group.
   */
  async waitForGroup(
    groupId: string,
    { members, ...options }: WaitOptions & { readonly members: number },
  ): Promise<TestGroup> {
    const state = members === 0 ? 'Empty' : 'Stable'
    const look = () => {
      const group = this.group(groupId)
      if (group?.state !== state || group.members.length !== members) return undefined
      return group.members.some(({ memberId }) => this.#fenced.has(memberId)) ? undefined : group
    }
    const what = () => {
      const group = this.group(groupId)
      const now = group ? `${group.state} with ${group.members.length} members` : 'unknown'
      return `group ${groupId} ${state} with ${members} members; it is ${now}`
    }
    return await this.#waitFor(look, what, options)
  }

  /** Returns the committed offsets of a group; empty for a group without any. */
  async committed(groupId: string): Promise<CommittedOffset[]> {
    const topics = await this.#running.admin.committedOffsets(groupId)
    const offsets = [...topics].flatMap(([topic, partitions]) =>
      Array.from(partitions, ([partition, offset]) => ({ topic, partition, offset })),
    )
    return offsets.sort(byPlace)
  }

  /** Resolves when a group has committed `offset` or more. Rejects with TIMED_OUT. */
  async waitForCommitted(
    groupId: string,
    {
      topic,
      partition = 0,
      offset,
    }: Omit<CommittedOffset, 'partition'> & { readonly partition?: number },
    options: WaitOptions = {},
  ): Promise<void> {
    let last: number | undefined
    const look = async () => {
      const all = await this.committed(groupId)
      last = all.find((each) => each.topic === topic && each.partition === partition)?.offset
      return (last ?? -1) >= offset || undefined
    }
    const what = () =>
      `offset ${offset} of ${topic}-${partition} committed by ${groupId}; the committed offset is ${last}`
    await this.#waitFor(look, what, options)
  }

  /**
   * Makes all members of a group rejoin, as if another member had joined: partitions are revoked
   * and assigned again. Members of the consumer protocol (KIP-848) are fenced, and lose their
   * partitions. Resolves when the rebalance has started; `waitForGroup` waits for its end.
   */
  async rebalance(groupId: string): Promise<void> {
    rebalance(this.#running.parts.groups, groupId, this.#fenced)
  }

  /**
   * Removes members from a group, as a coordinator does when their session expires. The members
   * learn of it with their next heartbeat or commit. Returns their number.
   */
  async removeMembers(groupId: string, choice: MemberChoice = {}): Promise<number> {
    return await removeMembers(this.#running.parts.groups, groupId, choice)
  }

  /**
   * Client ids of the open connections that have sent a request, in no particular order: a client
   * has several connections. Empty after all clients are closed.
   */
  get connectedClients(): readonly string[] {
    return this.#connections.clientIds
  }

  /**
   * Closes the connections of the clients with this id, or of all clients, like a network failure.
   * Returns their number. Clients may reconnect at once.
   */
  closeConnections(clientId?: string): number {
    return this.#connections.close(clientId)
  }

  /** Restarts a stopped broker on the same port, with its data. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isClosed) throw closedError()
      if (this.#life !== undefined) return
      await this.#begin()
    })
  }

  /** Stops the broker. Clients lose their connections and cannot reconnect until `start`. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const life = this.#life
      this.#life = undefined
      await life?.close()
    })
  }

  /** Stops the broker if it is running, and starts it on the same port with its data. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /**
   * Stops the broker permanently. Data in memory is lost; a directory is kept. Resolves when no
   * socket, timer or file of it is left. A second call has no effect.
   */
  close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    return this.stop()
  }

  /** Same as `close`, for `await using`. */
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
        const fencing = this.#fenced.answerTo(api, request)
        if (fencing !== undefined) return fencing
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

  /** Creates the topics of the options that a directory does not already contain. */
  async #createMissing(): Promise<void> {
    const { topics } = this.#plan
    if (topics.length === 0) return
    const life = this.#running
    await this.#createTopics(topics.filter(({ name }) => !life.hasTopic(name)))
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
    // Reserves disk space first, as a broker does that has run for a while.
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

  #waitFor<Found>(
    look: () => Found | undefined | Promise<Found | undefined>,
    describe: () => string,
    options: WaitOptions,
  ): Promise<Found> {
    return waitFor(look, describe, options, { clock: this.#clock, closed: this.#closing.signal })
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

function byPlace(one: Place, other: Place): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition || one.offset - other.offset
}
