// Follows the metadata and does the resulting work on this broker for each topic: creates missing
// logs, removes the logs and offsets of deleted topics. Each attempt compares the logs with the
// current metadata, and is retried until nothing is missing, so a failure or a crash only delays
// it. One topic at a time. Decides nothing.

import { AssertionError } from '../../../protocol/runtime/assert.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { MetadataView, Topic } from '../metadata/metadataView.ts'

/** The logs of partitions, as the controller uses them. */
export interface PartitionLogs {
  /**
   * Creates the missing logs of the topic's partitions. Tries all of them, then throws one of the
   * failures.
   */
  create(topic: Topic): Promise<void>
  /** Removes all logs of the topic, by its id. Continues where a failed call ended. */
  remove(topic: Topic): Promise<void>
  /** Applies the changed configs of the topic to its logs. */
  reconfigure(topic: Topic): void
  /** Why no topic can be created under this name; undefined if one can. */
  obstacle(name: string): string | undefined
}

export interface TopicWorkOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metadata: MetadataView
  readonly logs: PartitionLogs
  /** Further removals of a deleted topic's data. A removal that throws is retried. */
  readonly removals: Iterable<(topic: Topic) => Promise<void>>
  /**
   * Called when all data of a deleted topic is removed: makes that durable, which frees the name.
   */
  readonly forget: (topic: Topic) => Promise<void>
}

const minRetryMs = 100
const maxRetryMs = 5_000

export class TopicWork {
  readonly #options: TopicWorkOptions
  #queue: Promise<void> = Promise.resolve()
  /** The newest queued or running attempt for each topic, by topic id. */
  readonly #attempts = new Map<string, Promise<void>>()
  /** The last failure of each topic with pending work, by topic id. */
  readonly #unfinished = new Map<string, unknown>()
  readonly #unsubscribe: () => void
  #timer: Timer | undefined
  #retryMs = minRetryMs
  #isStopped = false

  constructor(options: TopicWorkOptions) {
    this.#options = options
    this.#unsubscribe = options.metadata.onChange((change) => {
      // A topic that neither exists nor is being deleted has no pending work.
      if (change.type === 'topic' && this.#find(change.id)) void this.attempt(change.id)
      if (change.type === 'configs') this.#reconfigure(change.resource)
    })
  }

  /**
   * Queues an attempt and resolves after it, whatever its outcome; a failed attempt is retried
   * until it succeeds.
   */
  attempt(id: string): Promise<void> {
    const attempt = this.#queue.then(() => this.#attempt(id))
    this.#queue = attempt.catch(() => {})
    this.#attempts.set(id, attempt)
    const ended = () => {
      if (this.#attempts.get(id) === attempt) this.#attempts.delete(id)
    }
    attempt.then(ended, ended)
    return attempt
  }

  /** Resolves when each change of the topic so far has been attempted once. */
  async attempted(id: string): Promise<void> {
    await this.#attempts.get(id)
  }

  /** Resolves when the running attempt has ended; no other one starts. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#unsubscribe()
    this.#timer?.cancel()
    await this.#queue
  }

  #find(id: string): Topic | undefined {
    const { metadata } = this.#options
    return metadata.topicById(id) ?? metadata.deletingById(id)
  }

  #reconfigure({ type, name }: { readonly type: string; readonly name: string }): void {
    const topic = type === 'topic' ? this.#options.metadata.topicById(name) : undefined
    if (topic) this.#options.logs.reconfigure(topic)
  }

  async #attempt(id: string): Promise<void> {
    if (this.#isStopped) return
    try {
      await this.#act(id)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#failed(id, error)
      return
    }
    if (!this.#unfinished.delete(id)) return
    this.#retryMs = minRetryMs
    this.#options.logger.info({ id }, 'the pending creation or removal of a topic is complete')
  }

  async #act(id: string): Promise<void> {
    const { metadata, logs } = this.#options
    const topic = metadata.topicById(id)
    if (topic) return await logs.create(topic)
    const deleted = metadata.deletingById(id)
    if (deleted) await this.#remove(deleted)
  }

  /**
   * Removes the logs first, because they may be what fills the disk. Tries all steps, even if some
   * fail.
   */
  async #remove(topic: Topic): Promise<void> {
    const { logs, removals, forget, logger } = this.#options
    const steps = [(each: Topic) => logs.remove(each), ...removals]
    const failures: unknown[] = []
    for (const step of steps) await step(topic).catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
    await forget(topic)
    logger.info({ topic: topic.name, id: topic.id }, 'topic deleted')
  }

  /** Logged once, and again if the failure changes. */
  #failed(id: string, error: unknown): void {
    const { metadata, logger } = this.#options
    const before = this.#unfinished.get(id)
    this.#unfinished.set(id, error)
    if (!(before instanceof Error && error instanceof Error && before.message === error.message)) {
      const topic = this.#find(id)?.name
      const message = metadata.topicById(id)
        ? 'failed to create some logs of a topic; retrying'
        : 'failed to remove a deleted topic; retrying'
      logger.error({ error, topic, id }, message)
    }
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#timer || this.#isStopped) return
    this.#timer = this.#options.clock.setTimer(this.#retryMs, () => {
      this.#timer = undefined
      this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs)
      for (const id of this.#unfinished.keys()) void this.attempt(id)
    })
  }
}
