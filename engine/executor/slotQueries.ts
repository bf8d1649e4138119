// Sends state queries to the executors that hold the states. A query whose executor dies is
// repeated on the replacement; it fails when no replacement starts in time, and when too many
// queries are in flight. While executors have released their states, queries wait: an executor
// would open the states again.

import { AskTimeoutError, MessageLostError } from '../../protocol/actor/failures.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { EngineError } from '../engineError.ts'
import type { Executor, StateAnswer, StateQuery } from './task.ts'

/** Limit on queries in flight, over all slots. */
const maxInFlight = 256
/** How long a query waits for the replacement of its executor. */
const replacementTimeoutMs = 10_000

/** Requests the executor of a slot from its actor; rejects as ActorRef.ask does. */
export type AskExecutor = (slot: number, timeoutMs: number) => Promise<Executor>

export class SlotQueries {
  readonly #clock: Clock
  readonly #askExecutor: AskExecutor
  #inFlight = 0
  #isStopped = false
  /** Resolves when the states may be opened again, and when the pool stops. */
  #held: PromiseWithResolvers<void> | undefined

  constructor(clock: Clock, askExecutor: AskExecutor) {
    this.#clock = clock
    this.#askExecutor = askExecutor
  }

  /** Rejects with an EngineError. */
  async query(slot: number, query: StateQuery): Promise<StateAnswer> {
    if (this.#inFlight >= maxInFlight) {
      throw failed(query, `${maxInFlight} queries are in flight: try again later`)
    }
    this.#inFlight++
    try {
      return await this.#query(slot, query)
    } finally {
      this.#inFlight--
    }
  }

  /**
   * Delays queries until the returned function is called. Queries that executors have already
   * received continue.
   */
  hold(): () => void {
    const held = Promise.withResolvers<void>()
    this.#held = held
    return () => {
      this.#held = undefined
      held.resolve()
    }
  }

  /**
   * Fails the queries that wait for released states. Those that wait for an executor fail when the
   * actor of its slot stops.
   */
  stop(): void {
    this.#isStopped = true
    this.#held?.resolve()
  }

  async #query(slot: number, query: StateQuery): Promise<StateAnswer> {
    const deadlineMs = this.#clock.monotonicMs() + replacementTimeoutMs
    let lost: Executor | undefined
    for (;;) {
      let executor: Executor | undefined
      try {
        executor = await this.#executor(slot, query, deadlineMs)
        assert(executor !== lost, 'a slot does not hold an executor that has ended')
        // States may have been released while the query waited for its executor.
        if (this.#held !== undefined || this.#isStopped) continue
        if (executor.query === undefined) throw failed(query, 'its executor answers no queries')
        return await executor.query(query)
      } catch (error) {
        if (!isLost(error)) throw error
        lost = executor
      }
    }
  }

  async #executor(slot: number, query: StateQuery, deadlineMs: number): Promise<Executor> {
    while (this.#held !== undefined && !this.#isStopped) await this.#held.promise
    if (this.#isStopped) throw failed(query, 'the job is stopping')
    const leftMs = deadlineMs - this.#clock.monotonicMs()
    try {
      return await this.#askExecutor(slot, Math.max(0, leftMs))
    } catch (error) {
      if (error instanceof AskTimeoutError || error instanceof MessageLostError) {
        const reason = this.#isStopped
          ? 'the job is stopping'
          : 'its executor has ended and was not replaced in time'
        throw failed(query, reason)
      }
      throw error
    }
  }
}

function isLost(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'EXECUTOR_FAILED'
}

function failed({ operator, partition }: StateQuery, reason: string): EngineError {
  const message = `cannot read partition ${partition} of the state '${operator}': ${reason}`
  return new EngineError('STATE_QUERY_FAILED', message)
}
