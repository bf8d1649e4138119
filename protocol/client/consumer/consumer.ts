// A member of a consumer group that returns whole record batches. Rebalances happen only inside
// `poll`, as in Kafka's consumer. Invariant: the assignment does not change while the caller
// processes polled batches; a commit is either for assigned partitions or refused by the
// coordinator.

import { fetch } from '../../kafka/apis/fetch.ts'
import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import type { ResponseOf } from '../../kafka/schema/schema.ts'
import type { Backoff } from '../backoff.ts'
import { ClientError, isRetriableFailure } from '../clientError.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { saysStale } from '../cluster/clusterView.ts'
import type { KafkaConnection } from '../cluster/connection.ts'
import { GroupSession } from './groupSession.ts'
import type { Isolation } from './isolation.ts'
import { fetchVersion, isolationLevels, PartitionReader } from './partitionReader.ts'
import type { Assignment } from './rangeAssignor.ts'
import { visibleBatches } from './visibleBatches.ts'

export interface GroupConsumerOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /**
   * Start position of partitions without a committed offset; `none` fails with OFFSET_OUT_OF_RANGE.
   * `latest` unless given.
   */
  readonly autoOffsetReset?: 'earliest' | 'latest' | 'none'
  readonly sessionTimeoutMs?: number
  /**
   * Limit on the time between polls during a rebalance, in ms; then the partitions are reassigned.
   */
  readonly rebalanceTimeoutMs?: number
  readonly heartbeatIntervalMs?: number
  /** Limit on one Fetch response and on each partition in it, in bytes. */
  readonly maxBytes?: number
  readonly minBytes?: number
  readonly maxWaitMs?: number
  /** `uncommitted` unless given, as in Kafka. */
  readonly isolation?: Isolation
  /**
   * Called before partitions are revoked: the last time at which their offsets can be committed.
   */
  readonly onRevoked?: (assignment: Assignment) => void | Promise<void>
  /** Called after partitions are assigned. */
  readonly onAssigned?: (assignment: Assignment) => void | Promise<void>
}

export interface FetchedBatches {
  readonly topic: string
  readonly partition: number
  /** Whole batches, concatenated; the first may start before `offset`. */
  readonly batches: Buffer
  /** Requested offset; records before it must be skipped. */
  readonly offset: number
  /** Offset to commit when all records of `batches` are processed. */
  readonly nextOffset: number
  readonly highWatermark: number
}

/** Next offsets to read, by topic and partition. */
export type Offsets = ReadonlyMap<string, ReadonlyMap<number, number>>

interface Position {
  readonly topic: string
  readonly partition: number
  offset: number
}

type FetchedPartition = ResponseOf<typeof fetch>['responses'][number]['partitions'][number]

const nothing = Buffer.alloc(0)

export class GroupConsumer {
  readonly #cluster: Cluster
  readonly #options: Required<Omit<GroupConsumerOptions, 'onRevoked' | 'onAssigned'>>
  readonly #listeners: Pick<GroupConsumerOptions, 'onRevoked' | 'onAssigned'>
  readonly #session: GroupSession
  readonly #backoff: Backoff
  readonly #lane: string
  #assignment: Assignment = new Map()
  #positions: Position[] = []
  /** Whether `#positions` belongs to `#assignment`. */
  #isReady = false
  #isClosed = false

  constructor(cluster: Cluster, options: GroupConsumerOptions) {
    this.#cluster = cluster
    this.#listeners = options
    this.#options = {
      autoOffsetReset: 'latest',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      heartbeatIntervalMs: 3000,
      maxBytes: 4 * 1024 * 1024,
      minBytes: 1,
      maxWaitMs: 500,
      isolation: 'uncommitted',
      ...options,
    }
    this.#session = new GroupSession(cluster, this.#options)
    this.#backoff = cluster.newBackoff()
    this.#lane = cluster.newLane(`consume ${options.groupId}`)
  }

  get assignment(): Assignment {
    return this.#assignment
  }

  get memberId(): string {
    return this.#session.memberId
  }

  /** -1 while this member is in no generation. */
  get generationId(): number {
    return this.#session.generationId
  }

  /**
   * Returns batches of the assigned partitions, after joining the group if necessary; empty when
   * none arrives within `maxWaitMs`. Commits nothing. Calls must not overlap, and the next one must
   * follow within `rebalanceTimeoutMs`. Fails with a KafkaError that is not retriable.
   */
  async poll(): Promise<FetchedBatches[]> {
    if (this.#isClosed) throw new ClientError('CLIENT_CLOSED', 'this consumer was closed')
    if (!this.#session.isStable || !this.#isReady) await this.#rejoin()
    if (this.#positions.length === 0) {
      await this.#cluster.pause(this.#options.maxWaitMs)
      return []
    }
    const byLeader = await this.#byLeader()
    const fetched = await Promise.all([...byLeader].map((leader) => this.#fetch(...leader)))
    return fetched.flat()
  }

  /**
   * Commits `offsets`, or the next offsets of everything returned by `poll`. Fails with KafkaError
   * ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or REBALANCE_IN_PROGRESS after a rebalance: another
   * member then reads the uncommitted records again.
   */
  async commit(offsets: Offsets = this.#handedOut()): Promise<void> {
    if (offsets.size > 0) await this.#session.commit(offsets)
  }

  /** Leaves the group without committing. Does not close the cluster. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#session.leave()
    this.#cluster.closeLane(this.#lane)
  }

  async #rejoin(): Promise<void> {
    if (this.#assignment.size > 0) await this.#listeners.onRevoked?.(this.#assignment)
    this.#isReady = false
    this.#assignment = new Map()
    this.#positions = []
    const assignment = await this.#session.join()
    this.#positions = await this.#startingAt(assignment)
    this.#assignment = assignment
    this.#isReady = true
    await this.#listeners.onAssigned?.(assignment)
  }

  async #startingAt(assignment: Assignment): Promise<Position[]> {
    if (assignment.size === 0) return []
    const committed = await this.#session.committed(assignment)
    const positions: Position[] = []
    for (const [topic, partitions] of assignment) {
      for (const partition of partitions) {
        const known = committed.get(topic)?.get(partition)
        const offset = known ?? (await this.#resetOffset(topic, partition))
        positions.push({ topic, partition, offset })
      }
    }
    return positions
  }

  async #resetOffset(topic: string, partition: number): Promise<number> {
    const { autoOffsetReset, isolation } = this.#options
    if (autoOffsetReset === 'none') {
      const place = `${topic}-${partition} has no committed offset, and autoOffsetReset is none`
      throw new KafkaError(ErrorCode.offsetOutOfRange, place)
    }
    const reader = new PartitionReader(this.#cluster, { topic, partition, isolation })
    return autoOffsetReset === 'earliest' ? await reader.earliest() : await reader.latest()
  }

  /**
   * Groups positions by leader; a partition without a reachable leader is left to the next poll.
   */
  async #byLeader(): Promise<Map<KafkaConnection, Position[]>> {
    const byLeader = new Map<KafkaConnection, Position[]>()
    // A broker fills a response in request order: the first partition moves to the end, so that no
    // partition is starved.
    this.#positions.push(this.#positions.shift()!)
    for (const position of this.#positions) {
      try {
        const { topic, partition } = position
        const leader = await this.#cluster.leader(topic, partition, this.#lane)
        const group = byLeader.get(leader)
        if (group === undefined) byLeader.set(leader, [position])
        else group.push(position)
      } catch (error) {
        if (!isRetriableFailure(error)) throw error
      }
    }
    if (byLeader.size === 0) await this.#cluster.pause(this.#backoff.failed())
    return byLeader
  }

  async #fetch(leader: KafkaConnection, positions: Position[]): Promise<FetchedBatches[]> {
    const { maxWaitMs, minBytes, maxBytes, isolation } = this.#options
    const topics = positions.map(({ topic, partition, offset }) => ({
      topic,
      partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: maxBytes }],
    }))
    const isolationLevel = isolationLevels[isolation]
    const request = { maxWaitMs, minBytes, maxBytes, isolationLevel, topics: merged(topics) }
    const timeoutMs = maxWaitMs + this.#cluster.requestTimeoutMs
    try {
      const answer = await leader.send(fetch, request, { version: fetchVersion, timeoutMs })
      if (answer.errorCode !== ErrorCode.none) throw new KafkaError(answer.errorCode)
      this.#backoff.succeeded()
      return await this.#take(positions, answer)
    } catch (error) {
      if (!isRetriableFailure(error)) throw error
      for (const { topic } of positions) this.#cluster.invalidate(topic)
      await this.#cluster.pause(this.#backoff.failed())
      return []
    }
  }

  async #take(
    positions: readonly Position[],
    answer: ResponseOf<typeof fetch>,
  ): Promise<FetchedBatches[]> {
    const taken: FetchedBatches[] = []
    for (const position of positions) {
      const found = answer.responses
        .find(({ topic }) => topic === position.topic)
        ?.partitions.find(({ partitionIndex }) => partitionIndex === position.partition)
      if (found === undefined) continue
      if (found.errorCode !== ErrorCode.none) {
        await this.#refused(position, found)
        continue
      }
      const batches = handOut(position, found)
      if (batches !== undefined) taken.push(batches)
    }
    return taken
  }

  async #refused(position: Position, { errorCode }: FetchedPartition): Promise<void> {
    const { topic, partition } = position
    if (errorCode === ErrorCode.offsetOutOfRange) {
      position.offset = await this.#resetOffset(topic, partition)
      return
    }
    const failure = new KafkaError(errorCode, `${topic}-${partition}`)
    if (!failure.isRetriable) throw failure
    if (saysStale(errorCode)) this.#cluster.invalidate(topic)
    await this.#cluster.pause(this.#backoff.failed())
  }

  #handedOut(): Map<string, Map<number, number>> {
    const offsets = new Map<string, Map<number, number>>()
    for (const { topic, partition, offset } of this.#positions) {
      const ofTopic = offsets.get(topic) ?? new Map<number, number>()
      offsets.set(topic, ofTopic.set(partition, offset))
    }
    return offsets
  }
}

/**
 * Returns the visible batches of a response, and moves the position past everything in it,
 * including control batches and aborted transactions. Undefined without visible batches.
 */
function handOut(position: Position, found: FetchedPartition): FetchedBatches | undefined {
  const { highWatermark, abortedTransactions } = found
  const { batches, nextOffset } = visibleBatches(
    found.records ?? nothing,
    abortedTransactions ?? [],
  )
  if (nextOffset === undefined) return undefined
  const { topic, partition, offset } = position
  position.offset = nextOffset
  if (batches.length === 0) return undefined
  return { topic, partition, batches, offset, nextOffset, highWatermark }
}

type TopicEntry<P> = { readonly topic: string; readonly partitions: P[] }

/** Merges entries of the same topic: a Fetch request may name a topic only once. */
function merged<P>(entries: readonly TopicEntry<P>[]): TopicEntry<P>[] {
  const topics = new Map<string, TopicEntry<P>>()
  for (const { topic, partitions } of entries) {
    const known = topics.get(topic)
    if (known === undefined) topics.set(topic, { topic, partitions })
    else for (const partition of partitions) known.partitions.push(partition)
  }
  return [...topics.values()]
}
