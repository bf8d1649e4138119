// Fetch sessions (KIP-227): the broker keeps the partitions that a consumer fetches, so that
// requests carry only changes and responses only news. A state machine without I/O. Sessions are
// best effort: a client whose session does not exist gets an error and sends all of its partitions
// again. Sessions may therefore be evicted at any time, and are bounded in number and in
// partitions.

import type { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'

export type FetchRequest = RequestOf<typeof fetch>
export type PartitionRequest = FetchRequest['topics'][number]['partitions'][number]

/** One partition to fetch. The topic has a name in old versions, an id in new ones. */
export interface WantedPartition {
  readonly topic: string
  readonly topicId: string
  readonly request: PartitionRequest
}

/** The part of a partition's response that decides whether an incremental response includes it. */
export interface PartitionNews {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: { readonly length: number }
  readonly divergingEpoch?: unknown
}

/** The partitions of one request, and the completion of its session's turn. */
export interface FetchContext {
  readonly wanted: readonly WantedPartition[]
  /**
   * Completes the turn with the response of each wanted partition. Returns the session id, and
   * which responses are sent.
   */
  finish(news: readonly PartitionNews[], nowMs: number): FetchOutcome
}

export interface FetchOutcome {
  readonly errorCode: number
  readonly sessionId: number
  /** Whether the response of the wanted partition with this index is sent. */
  readonly isSent: (index: number) => boolean
}

interface SessionPartition {
  wanted: WantedPartition
  /** The high watermark in the last response to the client. */
  highWatermark: number
  logStartOffset: number
}

interface Session {
  readonly id: number
  readonly byId: boolean
  readonly createdMs: number
  /** The epoch that the client's next request must have. */
  epoch: number
  lastUsedMs: number
  readonly partitions: SessionPartitions
}

/**
 * The partitions of a session, in the order in which they are read. Topics are identified by name
 * or by id, as in the session's requests.
 */
class SessionPartitions {
  readonly #byId: boolean
  readonly #ordered = new Set<SessionPartition>()
  readonly #found = new PartitionMap<SessionPartition>()

  constructor(byId: boolean) {
    this.#byId = byId
  }

  get size(): number {
    return this.#ordered.size
  }

  inOrder(): SessionPartition[] {
    return [...this.#ordered]
  }

  /** Adds the partition at the end, or replaces what the client wants of it. */
  want(wanted: WantedPartition): SessionPartition {
    const topic = this.#topicOf(wanted)
    const known = this.#found.get(topic, wanted.request.partition)
    if (known) {
      known.wanted = wanted
      return known
    }
    const added = { wanted, highWatermark: -1, logStartOffset: -1 }
    this.#found.set(topic, wanted.request.partition, added)
    this.#ordered.add(added)
    return added
  }

  forget(topic: { readonly topic: string; readonly topicId: string }, partition: number): void {
    const name = this.#topicOf(topic)
    const known = this.#found.get(name, partition)
    if (!known) return
    this.#ordered.delete(known)
    this.#found.delete(name, partition)
  }

  /** Moves a partition to the end; no effect once it was forgotten. */
  putLast(partition: SessionPartition): void {
    if (this.#ordered.delete(partition)) this.#ordered.add(partition)
  }

  #topicOf({ topic, topicId }: { readonly topic: string; readonly topicId: string }): string {
    return this.#byId ? topicId : topic
  }
}

export interface FetchSessionsOptions {
  readonly maxSessions: number
  /** Maximum number of partitions in all sessions together. */
  readonly maxPartitions?: number
  /** Returns a positive int32 that is hard to guess. */
  readonly newId: () => number
  readonly rarePoints?: RarePoints
}

/** Epochs of requests that begin a session, and of requests without one. */
const initialEpoch = 0
const finalEpoch = -1
const noSession = 0
const defaultMaxPartitions = 500_000
/**
 * Kafka's min.incremental.fetch.session.eviction.ms: a session that was used within this time is
 * not evicted in favour of a larger one.
 */
const evictionMs = 120_000

export class FetchSessions {
  readonly #options: FetchSessionsOptions
  readonly #maxPartitions: number
  /** The sessions, least recently used first. */
  readonly #sessions = new Map<number, Session>()
  #partitionCount = 0
  #evictions = 0

  constructor(options: FetchSessionsOptions) {
    this.#options = options
    this.#maxPartitions = options.maxPartitions ?? defaultMaxPartitions
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Number of partitions in all sessions. */
  get partitionCount(): number {
    return this.#partitionCount
  }

  /** Number of sessions evicted to make room for others. */
  get evictions(): number {
    return this.#evictions
  }

  /**
   * Begins a request's turn. Returns an error code, or the partitions to fetch. `byId`: the request
   * names topics by id.
   */
  begin(request: FetchRequest, byId: boolean, nowMs: number): FetchContext | number {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch !== initialEpoch && sessionEpoch !== finalEpoch) {
      return this.#resume(request, byId, nowMs)
    }
    this.#remove(this.#sessions.get(sessionId))
    const wanted = partitionsOf(request)
    if (sessionEpoch === finalEpoch) return withoutSession(wanted)
    return {
      wanted,
      finish: (news, finishedMs) => ({
        errorCode: ErrorCode.none,
        sessionId: this.#create(wanted, news, byId, finishedMs),
        isSent: () => true,
      }),
    }
  }

  #resume(request: FetchRequest, byId: boolean, nowMs: number): FetchContext | number {
    const session = this.#sessions.get(request.sessionId)
    if (!session) return ErrorCode.fetchSessionIdNotFound
    if (session.epoch !== request.sessionEpoch) return ErrorCode.invalidFetchSessionEpoch
    if (session.byId !== byId) return ErrorCode.fetchSessionTopicIdError
    this.#update(session, request)
    if (session.partitions.size === 0) {
      this.#remove(session)
      return withoutSession([])
    }
    const isForced = this.#options.rarePoints?.isForced('fetch session evicted')
    if (isForced || this.#partitionCount > this.#maxPartitions) {
      this.#remove(session)
      return ErrorCode.fetchSessionIdNotFound
    }
    this.#touch(session, nowMs)
    session.epoch = epochAfter(session.epoch)
    const { epoch } = session
    const partitions = session.partitions.inOrder()
    return {
      wanted: partitions.map(({ wanted }) => wanted),
      finish: (news) => finishIncremental(session, epoch, partitions, news),
    }
  }

  #update({ partitions }: Session, request: FetchRequest): void {
    const before = partitions.size
    for (const wanted of partitionsOf(request)) partitions.want(wanted)
    for (const topic of request.forgottenTopicsData) {
      for (const partition of topic.partitions) partitions.forget(topic, partition)
    }
    this.#partitionCount += partitions.size - before
  }

  /** Creates a session. Returns its id, or `noSession` when there is no room for it. */
  #create(
    wanted: readonly WantedPartition[],
    news: readonly PartitionNews[],
    byId: boolean,
    nowMs: number,
  ): number {
    const partitions = new SessionPartitions(byId)
    const read = wanted.map((each, index) => {
      const partition = partitions.want(each)
      note(partition, news[index]!)
      return partition
    })
    if (!this.#makeRoom(partitions.size, nowMs)) return noSession
    const id = this.#newId()
    const epoch = epochAfter(initialEpoch)
    const times = { createdMs: nowMs, lastUsedMs: nowMs }
    const session = { id, byId, epoch, partitions, ...times }
    putLast(session, read, news)
    this.#sessions.set(id, session)
    this.#partitionCount += partitions.size
    return id
  }

  #newId(): number {
    let id = this.#options.newId()
    while (id === noSession || this.#sessions.has(id)) id = this.#options.newId()
    return id
  }

  #makeRoom(partitions: number, nowMs: number): boolean {
    while (!this.#hasRoom(partitions)) {
      const victim = this.#victimFor(partitions, nowMs)
      if (!victim) return false
      this.#remove(victim)
      this.#evictions++
    }
    return true
  }

  #hasRoom(partitions: number): boolean {
    const hasSlot = this.#sessions.size < this.#options.maxSessions
    return hasSlot && this.#partitionCount + partitions <= this.#maxPartitions
  }

  /**
   * Returns an idle session, or else the smallest of the sessions that are old enough to be
   * evicted.
   */
  #victimFor(partitions: number, nowMs: number): Session | undefined {
    const oldest = this.#sessions.values().next().value
    if (oldest && nowMs - oldest.lastUsedMs > evictionMs) return oldest
    let smallest: Session | undefined
    for (const session of this.#sessions.values()) {
      if (nowMs - session.createdMs <= evictionMs) continue
      if (!smallest || session.partitions.size < smallest.partitions.size) smallest = session
    }
    return smallest && smallest.partitions.size < partitions ? smallest : undefined
  }

  #touch(session: Session, nowMs: number): void {
    session.lastUsedMs = nowMs
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  #remove(session: Session | undefined): void {
    if (!session || !this.#sessions.delete(session.id)) return
    this.#partitionCount -= session.partitions.size
  }
}

function withoutSession(wanted: readonly WantedPartition[]): FetchContext {
  const outcome = { errorCode: ErrorCode.none, sessionId: noSession, isSent: () => true }
  return { wanted, finish: () => outcome }
}

function finishIncremental(
  session: Session,
  epoch: number,
  partitions: readonly SessionPartition[],
  news: readonly PartitionNews[],
): FetchOutcome {
  // Another request has used the session meanwhile: what the client was last sent is not certain.
  if (session.epoch !== epoch) {
    const errorCode = ErrorCode.invalidFetchSessionEpoch
    return { errorCode, sessionId: noSession, isSent: () => false }
  }
  const sent = partitions.map((partition, index) => note(partition, news[index]!))
  putLast(session, partitions, news)
  return {
    errorCode: ErrorCode.none,
    sessionId: session.id,
    isSent: (index) => sent[index]!,
  }
}

/**
 * Moves partitions that had records to the end: they are read last the next time, so that they do
 * not starve the others.
 */
function putLast(
  { partitions }: Session,
  read: readonly SessionPartition[],
  news: readonly PartitionNews[],
): void {
  for (const [index, partition] of read.entries()) {
    if (news[index]!.records.length > 0) partitions.putLast(partition)
  }
}

/**
 * Records what the client is sent for a partition. Returns false when it was sent the same before.
 */
function note(partition: SessionPartition, news: PartitionNews): boolean {
  const { highWatermark, logStartOffset } = news
  const isNews =
    news.records.length > 0 ||
    news.errorCode !== ErrorCode.none ||
    news.divergingEpoch !== undefined ||
    highWatermark !== partition.highWatermark ||
    logStartOffset !== partition.logStartOffset
  partition.highWatermark = highWatermark
  partition.logStartOffset = logStartOffset
  return isNews
}

function partitionsOf({ topics }: FetchRequest): WantedPartition[] {
  return topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((request) => ({ topic, topicId, request })),
  )
}

function epochAfter(epoch: number): number {
  return epoch === 2 ** 31 - 1 ? 1 : epoch + 1
}
