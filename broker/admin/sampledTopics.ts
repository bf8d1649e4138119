// Samples the topics of a cluster for its console, through the client, every few seconds: for a
// cluster in other processes, of Kafka or Millrace. What a client cannot know, such as the incoming
// bytes of a topic, is null. The longer a sample takes, the longer the pause after it.

import { type Admin, OffsetSpec, type TopicDescription } from '../../protocol/client/admin.ts'
import type { FoundOffset } from '../../protocol/client/adminApi.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { recordsIn, type TopicOverview } from '../server/overview.ts'

const pauseMs = 2_000
/** Minimum pause as a multiple of a sample's duration: a large cluster is sampled less often. */
const leastPauses = 4
/**
 * Log start offsets and sizes are read in one of this many samples: they change slowly and are only
 * shown.
 */
const samplesOfSizes = 15
/** Failing samples are a problem after this time: a broker restarts in less. */
const awayAfterMs = 3_000
/** Most partitions that are sampled; beyond it, a warning is logged. */
const mostPartitions = 20_000

export interface SampleProblem {
  readonly message: string
  readonly sinceMs: number
}

interface Sizes {
  readonly starts: ReadonlyMap<string, number>
  readonly bytes: ReadonlyMap<string, number>
}

const noSizes: Sizes = { starts: new Map(), bytes: new Map() }

export class SampledTopics {
  readonly #admin: Admin
  readonly #clock: Clock
  readonly #logger: Logger
  #topics: readonly TopicOverview[] = []
  #sizes = noSizes
  #samples = 0
  #sampledMs: number | undefined
  #failure: SampleProblem | undefined
  #isReported = false
  #isCut = false
  #timer: Timer | undefined
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(admin: Admin, clock: Clock, logger: Logger) {
    this.#admin = admin
    this.#clock = clock
    this.#logger = logger
  }

  start(): void {
    this.#running = this.#sample()
  }

  /**
   * Topics of the latest sample: the same array until the next one. Throws while the cluster is
   * unreachable.
   */
  topics(): readonly TopicOverview[] {
    const { problem } = this
    if (problem !== undefined) throw new Error(problem.message)
    return this.#topics
  }

  /** Why there are no samples, once failures have lasted or if there never was one. */
  get problem(): SampleProblem | undefined {
    if (this.#failure === undefined) {
      if (this.#samples > 0) return undefined
      return { message: 'the cluster has not answered yet', sinceMs: this.#clock.nowMs() }
    }
    const isOld = this.#clock.nowMs() - this.#failure.sinceMs >= awayAfterMs
    return isOld || this.#samples === 0 ? this.#failure : undefined
  }

  /** Number of topics in the latest sample. */
  get count(): number {
    return this.#topics.length
  }

  /** Time since the latest sample; undefined before the first. */
  get ageMs(): number | undefined {
    return this.#sampledMs === undefined ? undefined : this.#clock.monotonicMs() - this.#sampledMs
  }

  /** Stops sampling. Close the client first, so that no request in flight delays the stop. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#running
  }

  async #sample(): Promise<void> {
    const startMs = this.#clock.monotonicMs()
    try {
      this.#topics = await this.#ask()
      this.#samples++
      this.#sampledMs = this.#clock.monotonicMs()
      this.#back()
    } catch (error) {
      this.#away(error as Error)
    }
    if (this.#isStopped) return
    // A failed sample has spent its time on retries.
    const tookMs = this.#failure === undefined ? this.#clock.monotonicMs() - startMs : 0
    const delayMs = Math.max(pauseMs, leastPauses * tookMs)
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#running = this.#sample()
    })
  }

  async #ask(): Promise<TopicOverview[]> {
    const topics = this.#bounded(await this.#admin.describeTopics())
    const places = topics.flatMap(ledPartitions)
    const ends = await this.#offsets(places, OffsetSpec.latest)
    if (this.#samples % samplesOfSizes === 0) {
      const starts = await this.#offsets(places, OffsetSpec.earliest)
      this.#sizes = { starts, bytes: await this.#bytes() }
    }
    return topics.map((topic) => overview(topic, ends, this.#sizes))
  }

  #bounded(topics: readonly TopicDescription[]): readonly TopicDescription[] {
    let partitions = 0
    const kept = topics.filter((topic) => {
      partitions += topic.partitions.length
      return partitions <= mostPartitions
    })
    if (kept.length < topics.length && !this.#isCut) {
      const fields = { partitions, topics: topics.length, shown: kept.length }
      const message = `cluster has more than ${mostPartitions} partitions: the console does not show all topics`
      this.#logger.warn(fields, message)
    }
    this.#isCut = kept.length < topics.length
    return kept
  }

  async #offsets(
    places: readonly { readonly topic: string; readonly partition: number }[],
    at: number,
  ): Promise<Map<string, number>> {
    const found = await this.#admin.findOffsets(places.map((place) => ({ ...place, at })))
    const known = found.filter(({ errorCode }) => errorCode === 0)
    return new Map(known.map((each: FoundOffset) => [key(each), each.offset]))
  }

  /** Log sizes by topic; empty for a cluster that does not report them. */
  async #bytes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    const directories = await this.#admin.describeLogDirs().catch(() => [])
    for (const replica of directories.flatMap(({ replicas }) => replicas)) {
      sizes.set(key(replica), Math.max(sizes.get(key(replica)) ?? 0, replica.sizeBytes))
    }
    return sizes
  }

  #away(error: Error): void {
    if (this.#isStopped) return
    const sinceMs = this.#failure?.sinceMs ?? this.#clock.nowMs()
    this.#failure = { message: error.message, sinceMs }
    if (this.#isReported) return
    this.#isReported = true
    this.#logger.warn({ error }, 'failed to reach the cluster; retrying')
  }

  #back(): void {
    if (this.#failure !== undefined) {
      const awayFor = duration(this.#clock.nowMs() - this.#failure.sinceMs)
      this.#logger.info({ awayFor }, 'cluster is reachable again')
    }
    this.#failure = undefined
    this.#isReported = false
  }
}

function ledPartitions({ name, partitions }: TopicDescription) {
  return partitions
    .filter(({ leader }) => leader >= 0)
    .map(({ partition }) => ({ topic: name, partition }))
}

function overview(
  { name, topicId, isInternal, partitions }: TopicDescription,
  ends: ReadonlyMap<string, number>,
  { starts, bytes }: Sizes,
): TopicOverview {
  const shown = partitions.map(({ partition }) => {
    const place = key({ topic: name, partition })
    return {
      partition,
      logStartOffset: starts.get(place) ?? null,
      highWatermark: ends.get(place) ?? null,
      sizeBytes: bytes.get(place) ?? null,
      isOffline: !ends.has(place),
    }
  })
  return {
    ...{ name, id: topicId, isInternal, partitions: shown },
    bytesInTotal: null,
    bytesOutTotal: null,
    // Each record written advances a high watermark: as good a counter as the broker's own.
    messagesInTotal: recordsIn(shown),
  }
}

function key({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}
