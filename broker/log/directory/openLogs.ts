// The open logs of a broker, by topic and partition number. A lookup allocates nothing and builds
// no key.

import type { ManagedLog } from './logDirectory.ts'

export class OpenLogs {
  /** By topic name, then by partition number. */
  readonly #topics = new Map<string, Map<number, ManagedLog>>()

  get(topic: string, partition: number): ManagedLog | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  /** Every log, topic by topic. */
  *all(): Generator<ManagedLog, void> {
    for (const logs of this.#topics.values()) yield* logs.values()
  }

  /** The logs of one topic. */
  of(topic: string): ManagedLog[] {
    return [...(this.#topics.get(topic)?.values() ?? [])]
  }

  add(log: ManagedLog): void {
    const logs = this.#topics.get(log.topic) ?? new Map<number, ManagedLog>()
    this.#topics.set(log.topic, logs.set(log.partition, log))
  }

  delete({ topic, partition }: ManagedLog): void {
    const logs = this.#topics.get(topic)
    logs?.delete(partition)
    if (logs?.size === 0) this.#topics.delete(topic)
  }
}
