// Sends queries of states to the executors that hold them. A query whose executor dies is asked again of the
// one that replaces it; it fails when none has come after a while, and when too many are in flight. While the
// executors have released their states, queries wait: an executor would open them again.

import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import { EngineError } from '../engineError.ts'
import type { Executor, StateAnswer, StateQuery } from './task.ts'

/** Queries in flight, over all slots. */
const mostInFlight = 256
/** How long a query waits for an executor to be replaced. */
const replacementTimeoutMs = 10_000

export class SlotQueries {
  readonly #clock: Clock
  readonly #executorOf: (slot: number) => Executor | undefined
  /** Aborted when an executor has come up, and when the pool stops. */
  #changed = new AbortController()
  #inFlight = 0
  #isStopped = false
  /** Resolves when the states may be opened again, and when the pool stops. */
  #held: PromiseWithResolvers<void> | undefined

  constructor(clock: Clock, executorOf: (slot: number) => Executor | undefined) {
    this.#clock = clock
    this.#executorOf = executorOf
  }

  /** Fails with an EngineError. */
  async query(slot: number, query: StateQuery): Promise<StateAnswer> {
    if (this.#inFlight >= mostInFlight) {
      throw failed(query, `${mostInFlight} queries are in flight: try again later`)
    }
    this.#inFlight++
    try {
      return await this.#ask(slot, query)
    } finally {
      this.#inFlight--
    }
  }

  /** To be called when a slot has an executor. */
  registered(): void {
    this.#changed.abort()
    this.#changed = new AbortController()
  }

  /** Queries wait until the function that is returned is called. Those that executors have got go on. */
  hold(): () => void {
    const held = Promise.withResolvers<void>()
    this.#held = held
    return () => {
      this.#held = undefined
      held.resolve()
    }
  }

  /** Fails the queries that wait. */
  stop(): void {
    this.#isStopped = true
    this.#held?.resolve()
    this.#changed.abort()
  }

  async #ask(slot: number, query: StateQuery): Promise<StateAnswer> {
    const deadlineMs = this.#clock.monotonicMs() + replacementTimeoutMs
    let asked: Executor | undefined
    for (;;) {
      while (this.#held !== undefined && !this.#isStopped) await this.#held.promise
      if (this.#isStopped) throw failed(query, 'the job is being stopped')
      const executor = this.#executorOf(slot)
      // An executor that was lost under this query can still be in its slot for a moment.
      if (executor !== undefined && executor !== asked) {
        asked = executor
        try {
          if (executor.query === undefined) throw failed(query, 'its executor answers no queries')
          return await executor.query(query)
        } catch (error) {
          if (!isLost(error)) throw error
        }
        continue
      }
      const leftMs = deadlineMs - this.#clock.monotonicMs()
      if (leftMs <= 0) throw failed(query, 'its executor has ended and was not replaced in time')
      await sleep(this.#clock, leftMs, this.#changed.signal)
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
