// Lists the current ends of a job's topics, and the offsets where the job starts or continues.
// Called once per batch; added partitions and recreated topics are detected. Rejects when a topic
// does not exist: whether to wait is the caller's decision.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../protocol/client/consumer/partitionReader.ts'
import { zeroUuid } from '../../protocol/kafka/schema/fields.ts'
import type { OffsetRange } from './scan.ts'
import type { Position, TopicSource } from './topicOptions.ts'

/** Offsets of one partition of a topic, as last listed. */
export interface PartitionEnds {
  readonly topic: string
  /** Undefined for brokers without topic ids. */
  readonly topicId?: string | undefined
  readonly partition: number
  /** The first offset of the log, as last listed; retention may have moved it since. */
  readonly earliest: number
  /** The end of what can be read: the last stable offset when only committed records are read. */
  readonly latest: number
  /** The end of the log; listed only when `latest` is below what was already read. */
  readonly highWatermark?: number | undefined
  /** Where a job that has never read the topic starts; `earliest` by default. */
  readonly start?: number | undefined
  /**
   * Where a job continues when the log has lost records that it has yet to read. Undefined: it
   * fails.
   */
  readonly resume?: number | undefined
}

interface KnownPartition {
  readonly reader: PartitionReader
  readonly earliest: number
  /** Time of the last listing of `earliest`, by the monotonic clock. */
  readonly askedMs: number
}

/** Timeout for a missing topic or an unavailable broker; the caller decides whether to retry. */
const timeoutMs = 2000
/**
 * Maximum age of a listed start offset. Retention moves it slowly: a job that keeps up is not
 * affected, and a job that lags detects lost records when it plans, or when it reads.
 */
const earliestMaxAgeMs = 10_000

export class TopicOffsets {
  readonly #cluster: Cluster
  readonly #admin: Admin
  readonly #topics: readonly string[]
  readonly #isolation: Isolation
  readonly #sources: ReadonlyMap<string, TopicSource>
  readonly #partitions = new Map<string, Promise<KnownPartition>>()

  /**
   * With isolation level `committed`, a partition ends at its last stable offset. Topics not in
   * `sources` start at their first record, and lost records fail the job.
   */
  constructor(
    cluster: Cluster,
    topics: readonly string[],
    isolation: Isolation,
    sources: ReadonlyMap<string, TopicSource> = new Map(),
  ) {
    this.#cluster = cluster
    this.#isolation = isolation
    this.#admin = new Admin(cluster, timeoutMs)
    this.#topics = topics
    this.#sources = sources
  }

  /**
   * Returns all partitions, by topic and number. `previous`: ranges of the newest batch; where they
   * end past the last stable offset, the end of the log tells whether records were lost.
   */
  async ends(previous: readonly OffsetRange[] = []): Promise<PartitionEnds[]> {
    const described = await this.#admin.describeTopics(this.#topics)
    const read = new Map(previous.map((range) => [placeOf(range), range.until]))
    const known = new Set(previous.map(({ topic }) => topic))
    const asked = described.flatMap(({ name, topicId, partitions }) =>
      partitions.map(async ({ partition }) => {
        const id = topicId === zeroUuid ? undefined : topicId
        const until = read.get(placeOf({ topic: name, partition }))
        return await this.#end(name, id, partition, until, known.has(name))
      }),
    )
    return await Promise.all(asked)
  }

  /** Drops cached offsets, for a batch whose ranges turned out to be lost. */
  forget(): void {
    this.#partitions.clear()
  }

  /** `read`: end of what the job has read of the partition. */
  async #end(
    topic: string,
    topicId: string | undefined,
    partition: number,
    read: number | undefined,
    isKnownTopic: boolean,
  ): Promise<PartitionEnds> {
    const { reader, earliest } = await this.#partition(topic, topicId, partition)
    const latest = await reader.latest()
    const end: PartitionEnds = { topic, topicId, partition, earliest, latest }
    const { startAt = 'earliest', onLost = 'fail' } = this.#sources.get(topic) ?? {}
    if (read === undefined) {
      if (isKnownTopic || startAt === 'earliest') return end
      return { ...end, start: await offsetAt(startAt, end, reader) }
    }
    if (read >= earliest && read <= latest) return end
    if (read < earliest) {
      if (onLost === 'fail') return end
      return { ...end, resume: Math.max(read, await offsetAt(onLost, end, reader)) }
    }
    if (this.#isolation === 'uncommitted')
      return onLost === 'fail' ? end : { ...end, resume: latest }
    const highWatermark = await this.#highWatermark(topic, partition)
    if (onLost === 'fail' || read <= highWatermark) return { ...end, highWatermark }
    // The job continues at the end of the log for every onLost position: the records below were
    // already read, or have been replaced by others.
    return { ...end, highWatermark, resume: highWatermark }
  }

  async #highWatermark(topic: string, partition: number): Promise<number> {
    const options = { topic, partition, retryTimeoutMs: timeoutMs }
    return await new PartitionReader(this.#cluster, options).latest()
  }

  async #partition(
    topic: string,
    topicId: string | undefined,
    partition: number,
  ): Promise<KnownPartition> {
    const key = `${topic}/${topicId}/${partition}`
    const known = await this.#partitions.get(key)
    const nowMs = this.#cluster.runtime.clock.monotonicMs()
    if (known && nowMs - known.askedMs < earliestMaxAgeMs) return known
    const isolation = this.#isolation
    const options = { topic, partition, isolation, retryTimeoutMs: timeoutMs }
    const reader = known?.reader ?? new PartitionReader(this.#cluster, options)
    const asking = reader.earliest().then((earliest) => ({ reader, earliest, askedMs: nowMs }))
    this.#partitions.set(key, asking)
    asking.catch(() => this.#partitions.delete(key))
    return await asking
  }
}

async function offsetAt(
  position: Position,
  { earliest, latest }: PartitionEnds,
  reader: PartitionReader,
): Promise<number> {
  if (position === 'earliest') return earliest
  if (position === 'latest') return latest
  return Math.max(earliest, await reader.offsetForTime(position.timeMs))
}

function placeOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`
}
