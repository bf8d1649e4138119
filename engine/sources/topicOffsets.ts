// Where the topics of a job begin and end right now. Asked once a batch; partitions that were added
// are noticed. It fails when a topic is missing: whether to wait is the caller's choice.

import { Admin } from '../../protocol/client/admin.ts'
import type { Cluster } from '../../protocol/client/cluster.ts'
import { PartitionReader } from '../../protocol/client/partitionReader.ts'
import type { PartitionEnds } from '../scheduler/rangePlan.ts'

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
  readonly #partitions = new Map<string, Promise<KnownPartition>>()

  constructor(cluster: Cluster, topics: readonly string[]) {
    this.#cluster = cluster
    this.#admin = new Admin(cluster, timeoutMs)
    this.#topics = topics
  }

  /** All partitions, by topic and number. */
  async ends(): Promise<PartitionEnds[]> {
    const described = await this.#admin.describeTopics(this.#topics)
    const asked = described.flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => this.#end(name, partition)),
    )
    return await Promise.all(asked)
  }

  async #end(topic: string, partition: number): Promise<PartitionEnds> {
    const key = `${topic}-${partition}`
    let known = this.#partitions.get(key)
    if (!known) {
      known = this.#open(topic, partition)
      this.#partitions.set(key, known)
      known.catch(() => this.#partitions.delete(key))
    }
    const { reader, earliest } = await known
    return { topic, partition, earliest, latest: await reader.latest() }
  }

  async #open(topic: string, partition: number): Promise<KnownPartition> {
    const reader = new PartitionReader(this.#cluster, { topic, partition })
    return { reader, earliest: await reader.earliest() }
  }
}
