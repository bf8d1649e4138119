// A topic catalog in memory, without a cluster.

import type { CatalogTopic, TopicCatalog } from '../../../broker/groups/consumer/topicCatalog.ts'

export class MemoryCatalog implements TopicCatalog {
  topicsVersion = 0
  readonly #topics = new Map<string, CatalogTopic>()
  #nextId = 1

  constructor(partitions: Readonly<Record<string, number>> = {}) {
    for (const [name, count] of Object.entries(partitions)) this.set(name, count)
  }

  /** Creates the topic, or adds partitions to it. */
  set(name: string, partitions: number): CatalogTopic {
    const id = this.#topics.get(name)?.id ?? topicId(this.#nextId++)
    const topic = { name, id, partitions: { length: partitions } }
    this.#topics.set(name, topic)
    this.topicsVersion++
    return topic
  }

  delete(name: string): void {
    this.#topics.delete(name)
    this.topicsVersion++
  }

  topic(name: string): CatalogTopic | undefined {
    return this.#topics.get(name)
  }

  topicById(id: string): CatalogTopic | undefined {
    return [...this.#topics.values()].find((topic) => topic.id === id)
  }

  topics(): Iterable<CatalogTopic> {
    return this.#topics.values()
  }
}

function topicId(number: number): string {
  return `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`
}
