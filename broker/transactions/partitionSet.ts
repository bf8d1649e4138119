// The partitions of a transaction. An immutable value: adding a partition returns another set, so
// that durable metadata and metadata in flight never share a set that changes.

import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export class PartitionSet {
  static readonly empty = new PartitionSet(new Map())
  readonly #topics: ReadonlyMap<string, ReadonlySet<number>>

  private constructor(topics: ReadonlyMap<string, ReadonlySet<number>>) {
    this.#topics = topics
  }

  static of(partitions: Iterable<TopicPartition>): PartitionSet {
    const topics = new Map<string, Set<number>>()
    for (const { topic, partition } of partitions) {
      const known = topics.get(topic)
      if (known) known.add(partition)
      else topics.set(topic, new Set([partition]))
    }
    return new PartitionSet(topics)
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  has({ topic, partition }: TopicPartition): boolean {
    return this.#topics.get(topic)?.has(partition) ?? false
  }

  with(partitions: Iterable<TopicPartition>): PartitionSet {
    return PartitionSet.of([...this, ...partitions])
  }

  *[Symbol.iterator](): Generator<TopicPartition> {
    for (const [topic, partitions] of this.#topics) {
      for (const partition of partitions) yield { topic, partition }
    }
  }

  byTopic(): TopicPartitions[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }))
  }
}
