// Where the topics of a job begin and end right now. Asked once a batch; partitions that were added are
// noticed, and so is a topic that was created anew. It fails when a topic does not exist: whether to
// wait is the caller's choice.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster.ts'
import { type Isolation, PartitionReader } from '../../protocol/client/partitionReader.ts'
import { zeroUuid } from '../../protocol/kafka/fields.ts'
import type { PartitionEnds } from '../scheduler/rangePlan.ts'
import type { OffsetRange } from './scan.ts'

interface KnownPartition {
  readonly reader: PartitionReader
  /** As it was first seen: only a new job needs it. */
  readonly earliest: number
}

/** A missing topic is the caller's after this time. */
const timeoutMs = 2000

export class TopicOffsets {
  readonly #cluster: Cluster
  readonly #admin: Admin
  readonly #topics: readonly string[]
  readonly #isolation: Isolation
  readonly #partitions = new Map<string, Promise<KnownPartition>>()

  /** With `committed`, a partition ends at its last stable offset. */
  constructor(cluster: Cluster, topics: readonly string[], isolation: Isolation) {
    this.#cluster = cluster
    this.#isolation = isolation
    this.#admin = new Admin(cluster, timeoutMs)
    this.#topics = topics
  }

  /**
   * All partitions, by topic and number. `previous` is what the newest batch read: where that is beyond
   * the last stable offset, the end of the log says whether records were lost.
   */
  async ends(previous: readonly OffsetRange[] = []): Promise<PartitionEnds[]> {
    const described = await this.#admin.describeTopics(this.#topics)
    const asked = described.flatMap(({ name, topicId, partitions }) =>
      partitions.map(({ partition }) =>
        this.#end(name, topicId === zeroUuid ? undefined : topicId, partition),
      ),
    )
    const ends = await Promise.all(asked)
    const read = new Map(
      previous.map((range) => [`${range.topic}-${range.partition}`, range.until]),
    )
    return await Promise.all(
      ends.map(async (end) => {
        const until = read.get(`${end.topic}-${end.partition}`) ?? 0
        if (until <= end.latest || this.#isolation === 'uncommitted') return end
        return { ...end, highWatermark: await this.#highWatermark(end.topic, end.partition) }
      }),
    )
  }

  async #highWatermark(topic: string, partition: number): Promise<number> {
    return await new PartitionReader(this.#cluster, { topic, partition }).latest()
  }

  async #end(
    topic: string,
    topicId: string | undefined,
    partition: number,
  ): Promise<PartitionEnds> {
    const key = `${topic}/${topicId}/${partition}`
    let known = this.#partitions.get(key)
    if (!known) {
      known = this.#open(topic, partition)
      this.#partitions.set(key, known)
      known.catch(() => this.#partitions.delete(key))
    }
    const { reader, earliest } = await known
    return { topic, topicId, partition, earliest, latest: await reader.latest() }
  }

  async #open(topic: string, partition: number): Promise<KnownPartition> {
    const options = { topic, partition, isolation: this.#isolation }
    const reader = new PartitionReader(this.#cluster, options)
    return { reader, earliest: await reader.earliest() }
  }
}
