// Keeps an executor in every slot: starts them, passes work on, and replaces one that died after a
// pause that grows while it keeps dying. A slot that never comes up, or cannot by its nature (the
// module has changed), ends the job: waiting for ever would hide what is wrong.

import { Backoff } from '../../protocol/client/backoff.ts'
import { sleep } from '../../protocol/runtime/clock.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { EngineError } from '../engineError.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { SlotQueries } from './slotQueries.ts'
import type { Executor, StartExecutor, StateAnswer, StateQuery, Task, TaskReport } from './task.ts'

export interface ExecutorPoolOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random'>
  readonly logger: Logger
  readonly slots: number
  readonly start: StartExecutor
  /** What an executor that comes up has to know. */
  history(): readonly BatchInfo[]
  onRegistered(slot: number): void
  onReport(slot: number, report: TaskReport): void
  /** `error` is what the executor died of; undefined when `interrupt` has ended it. */
  onLost(slot: number, error?: Error): void
  /** The pool cannot go on. */
  onFailed(error: Error): void
}

/** Starts of one slot that may fail one after another. */
const maxFailedStarts = 5
const backoff = { initialMs: 100, maxMs: 5000 }

export class ExecutorPool {
  readonly #options: ExecutorPoolOptions
  readonly #executors = new Map<number, Executor>()
  readonly #stopping = new AbortController()
  readonly #starts = new Set<Promise<void>>()
  readonly #queries: SlotQueries

  constructor(options: ExecutorPoolOptions) {
    this.#options = options
    this.#queries = new SlotQueries(options.runtime.clock, (slot) => this.#executors.get(slot))
  }

  /** Resolves when every slot has an executor or the pool has failed. */
  async start(): Promise<void> {
    const slots = Array.from({ length: this.#options.slots }, (_, slot) => slot)
    await Promise.all(slots.map((slot) => this.#fill(slot, this.#newBackoff())))
  }

  addBatch(batch: BatchInfo): void {
    for (const executor of this.#executors.values()) executor.addBatch(batch)
  }

  /** Does nothing for a slot that has just lost its executor: `onLost` tells of that. */
  run(slot: number, tasks: readonly Task[]): void {
    this.#executors.get(slot)?.run(tasks)
  }

  /** Asks the slot's executor for values of a state; fails with an EngineError. */
  query(slot: number, query: StateQuery): Promise<StateAnswer> {
    return this.#queries.query(slot, query)
  }

  /** Runs `use` while no executor has a state open. No task may run; queries wait. */
  async withReleasedStates<T>(use: () => Promise<T>): Promise<T> {
    const resume = this.#queries.hold()
    try {
      const executors = [...this.#executors.values()]
      await Promise.all(executors.map((executor) => executor.releaseStates?.()))
      return await use()
    } finally {
      resume()
    }
  }

  /** Ends the slot's executor in the middle of its work and replaces it. */
  interrupt(slot: number, reason: string): void {
    const executor = this.#executors.get(slot)
    if (executor?.interrupt === undefined) return
    this.#executors.delete(slot)
    this.#options.logger.warn({ slot, reason }, 'an executor is ended and replaced')
    this.#options.onLost(slot)
    this.#track(executor.interrupt().then(() => this.#fill(slot, this.#newBackoff())))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#queries.stop()
    while (this.#starts.size > 0) await Promise.all(this.#starts)
    await Promise.all([...this.#executors.values()].map((executor) => executor.stop()))
    this.#executors.clear()
  }

  #fill(slot: number, waits: Backoff): Promise<void> {
    return this.#track(this.#tryToFill(slot, waits))
  }

  /** `stop` waits for it. */
  #track(starting: Promise<void>): Promise<void> {
    const tracked = starting.finally(() => this.#starts.delete(tracked))
    this.#starts.add(tracked)
    return tracked
  }

  async #tryToFill(slot: number, waits: Backoff): Promise<void> {
    const { runtime, logger } = this.#options
    const { signal } = this.#stopping
    for (let failed = 1; !signal.aborted; failed++) {
      try {
        return await this.#startOne(slot, waits)
      } catch (error) {
        const isFinal = error instanceof EngineError && error.code !== 'EXECUTOR_FAILED'
        if (isFinal || failed >= maxFailedStarts) return this.#options.onFailed(error as Error)
        logger.warn({ slot, error }, 'an executor did not start and is tried again')
        await sleep(runtime.clock, waits.failed(), signal)
      }
    }
  }

  async #startOne(slot: number, waits: Backoff): Promise<void> {
    const executor = await this.#options.start(slot, {
      onReport: (report) => {
        waits.succeeded()
        this.#options.onReport(slot, report)
      },
      onLost: (error) => void this.#replace(slot, error, waits),
    })
    if (this.#stopping.signal.aborted) return await executor.stop()
    this.#executors.set(slot, executor)
    for (const batch of this.#options.history()) executor.addBatch(batch)
    this.#options.onRegistered(slot)
    this.#queries.registered()
  }

  async #replace(slot: number, error: Error, waits: Backoff): Promise<void> {
    const { runtime, logger } = this.#options
    this.#executors.delete(slot)
    if (this.#stopping.signal.aborted) return
    logger.warn({ slot, error }, 'an executor died and is replaced')
    this.#options.onLost(slot, error)
    await sleep(runtime.clock, waits.failed(), this.#stopping.signal)
    await this.#fill(slot, waits)
  }

  #newBackoff(): Backoff {
    return new Backoff(backoff, this.#options.runtime.random)
  }
}
