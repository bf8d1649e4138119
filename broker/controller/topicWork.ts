// What is still to be done for topics whose metadata has changed: logs to make, logs and offsets to remove. The
// metadata says what must be so; each attempt looks at it anew and does what is missing, again and again until
// nothing is, so that a failure in between only delays. One topic at a time. It decides nothing.

import { AssertionError } from '../../protocol/runtime/assert.ts'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { MetadataState, Topic } from './metadataState.ts'

/** The partitions' logs, as far as the controller needs them. */
export interface PartitionLogs {
  /**
   * Makes the logs of the topic's partitions that are missing and can be made. Throws why some could not,
   * after the others have been.
   */
  create(topic: Topic): Promise<void>
  /** Removes all logs of the topic, by its id. Goes on where a call before it has failed. */
  remove(topic: Topic): Promise<void>
  /** The topic's configs have changed: its logs are kept by the new ones from now on. */
  reconfigure(topic: Topic): void
  /** Why no topic can be made under this name; undefined when one can. */
  obstacle(name: string): string | undefined
}

export interface TopicWorkOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly state: MetadataState
  readonly logs: PartitionLogs
  /** What else has to be removed with a topic. Each throws while it cannot, and is then called again. */
  readonly removals: Iterable<(topic: Topic) => Promise<void>>
  /** Everything of a deleted topic is gone: makes that durable, which frees the name. */
  readonly forget: (topic: Topic) => Promise<void>
}

const firstRetryMs = 100
const mostRetryMs = 5_000

export class TopicWork {
  readonly #options: TopicWorkOptions
  #queue: Promise<void> = Promise.resolve()
  /** Topics with something left to do, by id, and why. */
  readonly #unfinished = new Map<string, unknown>()
  #timer: Timer | undefined
  #retryMs = firstRetryMs
  #isStopped = false

  constructor(options: TopicWorkOptions) {
    this.#options = options
  }

  /** Resolves after one attempt, whatever became of it; what is left is tried again until it is done. */
  attempt(id: string): Promise<void> {
    const attempt = this.#queue.then(() => this.#attempt(id))
    this.#queue = attempt.catch(() => {})
    return attempt
  }

  /** Resolves when the attempt under way has ended; there is no other. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#queue
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
    this.#retryMs = firstRetryMs
    this.#options.logger.info({ id }, 'what was left to do for a topic is done')
  }

  async #act(id: string): Promise<void> {
    const { state, logs } = this.#options
    const topic = state.topicById(id)
    if (topic) return await logs.create(topic)
    const deleted = state.deletingById(id)
    if (deleted) await this.#remove(deleted)
  }

  /** The logs first: they may be what fills the disk. All steps are tried, whichever fails. */
  async #remove(topic: Topic): Promise<void> {
    const { logs, removals, forget, logger } = this.#options
    const steps = [(each: Topic) => logs.remove(each), ...removals]
    const failures: unknown[] = []
    for (const step of steps) await step(topic).catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
    await forget(topic)
    logger.info({ topic: topic.name, id: topic.id }, 'topic deleted')
  }

  /** Logged once, and again when it is another failure. */
  #failed(id: string, error: unknown): void {
    const { state, logger } = this.#options
    const before = this.#unfinished.get(id)
    this.#unfinished.set(id, error)
    if (!(before instanceof Error && error instanceof Error && before.message === error.message)) {
      const topic = (state.topicById(id) ?? state.deletingById(id))?.name
      const message = state.topicById(id)
        ? 'some logs of a topic cannot be created yet; retrying'
        : 'a deleted topic cannot be removed yet; retrying'
      logger.error({ error, topic, id }, message)
    }
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#timer || this.#isStopped) return
    this.#timer = this.#options.clock.setTimer(this.#retryMs, () => {
      this.#timer = undefined
      this.#retryMs = Math.min(this.#retryMs * 2, mostRetryMs)
      for (const id of this.#unfinished.keys()) void this.attempt(id)
    })
  }
}
