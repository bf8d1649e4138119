// A broker inside a test: the real one on a disk in memory or in a folder, with what a test needs to set up topics,
// to look at what a client has done, and to make things fail. A shell around the broker: nothing of how Kafka's
// protocol is served is done here.

import { unfakedClock } from '../../protocol/runtime/clock.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import { addressText } from '../configuration/listenerAddress.ts'
import { BrokerLife } from './brokerLife.ts'
import { ClientConnections } from './clientConnections.ts'
import { Faults } from './faults/faults.ts'
import { FaultyRequests } from './faults/faultyRequests.ts'
import { FencedMembers } from './fencedMembers.ts'
import { folderStorage, memoryStorage, type Storage } from './storage.ts'
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

/** What a group has committed for a partition. */
export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  /** Of the next record to read. */
  readonly offset: number
}

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
  readonly #fenced = new FencedMembers()
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
   * Stores records and resolves when they are stored, in the order given; a topic that does not exist is created. A record is a value, or an object with
   * `key`, `value`, `headers`, `partition` and `timestampMs`; an object in place of a text becomes JSON.
   *
   * @example await broker.produce('orders', ['a', { key: 'k', value: { price: 7 } }])
   */
  async produce(topic: string, records: readonly (RecordToProduce | TestData)[]): Promise<void> {
    const life = this.#running
    if (!life.hasTopic(topic)) await this.createTopic(topic)
    await Promise.all(records.map((each) => life.producer.send(topic, producerRecord(each))))
  }

  /**
   * The records of a topic, partition by partition. Rejects with INVALID_ARGUMENT when there is no such topic.
   *
   * @example expect(await broker.records('orders')).toMatchObject([{ key: 'k', value: 'v' }])
   */
  async records(topic: string, options: RecordsOptions = {}): Promise<StoredRecord[]> {
    const life = this.#running
    const records = await new TopicReader(topic, options).read(life)
    if (records !== undefined) return records
    const names = life.broker.topics().map(({ name }) => name)
    const list = names.length === 0 ? 'there is none' : `there are ${names.sort().join(', ')}`
    throw invalidArgument(`there is no topic ${topic}; ${list}`)
  }

  /**
   * Resolves with the records of a topic as soon as there are `count` or more, whether the topic exists already or
   * not. Rejects with TIMED_OUT, and how many there are.
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
    const what = () => `${count} records in ${topic}, there are ${found.length}`
    await this.#waitFor(look, what, options)
    return found.sort(byPlace)
  }

  /** A consumer group; undefined when nobody has joined it or committed to it. */
  group(groupId: string): TestGroup | undefined {
    return describeGroup(this.#running.parts.groups, groupId)
  }

  /**
   * Resolves as soon as the group is stable with this many members: all have their partitions. Rejects with
   * TIMED_OUT, and how the group is.
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
      return `group ${groupId} ${state} with ${members} members, it is ${now}`
    }
    return await this.#waitFor(look, what, options)
  }

  /** What a group has committed: the next offset to read of each partition. Empty for a group that has nothing. */
  async committed(groupId: string): Promise<CommittedOffset[]> {
    const topics = await this.#running.admin.committedOffsets(groupId)
    const offsets = [...topics].flatMap(([topic, partitions]) =>
      Array.from(partitions, ([partition, offset]) => ({ topic, partition, offset })),
    )
    return offsets.sort(byPlace)
  }

  /** Resolves as soon as a group has committed `offset` or more. Rejects with TIMED_OUT. */
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
      `offset ${offset} of ${topic}-${partition} committed by ${groupId}, it is ${last}`
    await this.#waitFor(look, what, options)
  }

  /**
   * Has all members of a group join again, as when another member comes: partitions are revoked and assigned anew.
   * Members of the consumer protocol (KIP-848) are fenced for that, and lose their partitions. It has begun when this
   * resolves; `waitForGroup` waits until it is over.
   */
  async rebalance(groupId: string): Promise<void> {
    rebalance(this.#running.parts.groups, groupId, this.#fenced)
  }

  /**
   * Removes members from a group, as a coordinator does that has not heard of them for a whole session. They learn of
   * it with their next heartbeat or commit. Returns how many there were.
   */
  async removeMembers(groupId: string, choice: MemberChoice = {}): Promise<number> {
    return await removeMembers(this.#running.parts.groups, groupId, choice)
  }

  /**
   * The client id of each open connection that has sent a request, in no particular order: a client has several
   * connections. Empty once all clients are closed.
   */
  get connectedClients(): readonly string[] {
    return this.#connections.clientIds
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
   * Stops the broker; it cannot be started again. Data in memory is lost; a directory is kept. Resolves when no
   * socket, timer or file is left of it; calling it again changes nothing.
   */
  close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    return this.stop()
  }

  /** As `close`, for `await using`. */
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

  /** The topics of the options, as far as a folder does not have them from before. */
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
