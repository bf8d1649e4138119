// The topics of a cluster as its console needs them, asked for through the client every couple of seconds: for a
// cluster that is not in this process, and perhaps not ours. What a client cannot know, such as the bytes
// that a topic takes in, is null. The more a sample costs, the longer the pause behind it.

import { type Admin, OffsetSpec, type TopicDescription } from '../../protocol/client/admin.ts'
import type { FoundOffset } from '../../protocol/client/adminApi.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { recordsIn, type TopicOverview } from '../server/overview.ts'

const pauseMs = 2_000
/** Of the time that a sample takes: a cluster with very many partitions is asked less often. */
const leastPauses = 4
/** Offsets of log starts and sizes change slowly, and are only shown. */
const samplesOfSizes = 15
/** Samples fail for so long before that is a problem: a broker that restarts takes less. */
const awayAfterMs = 3_000
/** Of one cluster: more are not asked for, and a warning says so. */
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

  /** Of the newest sample: the same array until there is another one. Throws while the cluster is away. */
  topics(): readonly TopicOverview[] {
    const { problem } = this
    if (problem !== undefined) throw new Error(problem.message)
    return this.#topics
  }

  /** Why there are no samples, once that has lasted or when there has been none. */
  get problem(): SampleProblem | undefined {
    if (this.#failure === undefined) {
      if (this.#samples > 0) return undefined
      return { message: 'the cluster has not answered yet', sinceMs: this.#clock.nowMs() }
    }
    const isOld = this.#clock.nowMs() - this.#failure.sinceMs >= awayAfterMs
    return isOld || this.#samples === 0 ? this.#failure : undefined
  }

  /** Topics of the newest sample. */
  get count(): number {
    return this.#topics.length
  }

  /** Time since the newest sample; undefined before the first. */
  get ageMs(): number | undefined {
    return this.#sampledMs === undefined ? undefined : this.#clock.monotonicMs() - this.#sampledMs
  }

  /** The client should be closed first, so that no question is waited for. */
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
    // A failure has taken its time by trying again.
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
      const message = `cluster has more than ${mostPartitions} partitions: the console shows some of its topics`
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

  /** Of a cluster that does not say how large its logs are, nothing is known. */
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
    this.#logger.warn({ error }, 'cluster cannot be reached: trying again until it can be')
  }

  #back(): void {
    if (this.#failure !== undefined) {
      const awayFor = duration(this.#clock.nowMs() - this.#failure.sinceMs)
      this.#logger.info({ awayFor }, 'cluster can be reached again')
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
    // Every record written has moved a high watermark: as good a counter as the broker's own.
    messagesInTotal: recordsIn(shown),
  }
}

function key({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}
