// A map from partitions to values, in two levels. A lookup builds no key and allocates nothing, so
// that the paths of produces and fetches can afford it for each partition of a request.

export class PartitionMap<T> {
  /** By topic, its name or its id as the owner decides, then by partition number. */
  readonly #topics = new Map<string, Map<number, T>>()
  #size = 0

  /** Number of partitions. */
  get size(): number {
    return this.#size
  }

  get(topic: string, partition: number): T | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  has(topic: string, partition: number): boolean {
    return this.#topics.get(topic)?.has(partition) ?? false
  }

  /** The partitions of one topic; empty for a topic without any. */
  ofTopic(topic: string): ReadonlyMap<number, T> {
    return this.#topics.get(topic) ?? none
  }

  set(topic: string, partition: number, value: T): this {
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    const before = partitions.size
    partitions.set(partition, value)
    this.#size += partitions.size - before
    return this
  }

  /** Returns whether the partition was in the map. */
  delete(topic: string, partition: number): boolean {
    const partitions = this.#topics.get(topic)
    if (!partitions?.delete(partition)) return false
    this.#size--
    if (partitions.size === 0) this.#topics.delete(topic)
    return true
  }

  clear(): void {
    this.#topics.clear()
    this.#size = 0
  }

  /** All values, topic by topic. */
  *values(): Generator<T, void> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }

  /** The topics that have partitions in the map. */
  topics(): IterableIterator<[topic: string, partitions: ReadonlyMap<number, T>]> {
    return this.#topics.entries()
  }
}

const none = new Map<number, never>()
