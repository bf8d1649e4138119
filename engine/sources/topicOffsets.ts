// Where the topics of a job begin and end right now, and where the job is to begin or to go on in them.
// Asked once a batch; partitions that were added are noticed, and so is a topic that was created anew. It
// fails when a topic does not exist: whether to wait is the caller's choice.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster.ts'
import type { Isolation } from '../../protocol/client/isolation.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import { zeroUuid } from '../../protocol/kafka/fields.ts'
import type { PartitionEnds } from '../scheduler/rangePlan.ts'
import type { OffsetRange } from './scan.ts'
import type { Position, TopicSource } from './topicOptions.ts'

interface KnownPartition {
  readonly reader: PartitionReader
  readonly earliest: number
  /** When `earliest` was asked, by the monotonic clock. */
  readonly askedMs: number
}

/** A topic that is missing, or a broker that is away, is the caller's after this time. */
const timeoutMs = 2000
/**
 * Logs lose their first records by and by. A job that keeps up need not know; one that does not finds it
 * when it plans, or else when it reads.
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
   * With `committed`, a partition ends at its last stable offset. Topics without a source begin at their
   * first record, and what is lost of them fails the job.
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
   * All partitions, by topic and number. `previous` is what the newest batch read: where that is beyond
   * the last stable offset, the end of the log says whether records were lost.
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

  /** What is asked next is as it is then: for a batch whose ranges turned out to be lost. */
  forget(): void {
    this.#partitions.clear()
  }

  /** `read`: up to where the job has read the partition. */
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
    // Whatever the option says: the records before the end have been read, or others at their offsets.
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
