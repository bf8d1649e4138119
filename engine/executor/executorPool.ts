// The pool of executors: keeps one in every slot and passes work to it. Each slot is an actor,
// whose supervision replaces executors that die (executorSlot.ts). A slot in which no executor can
// be started ends the job: waiting forever would hide the cause.
//
// Work is posted to executors in the turn of the driver, without a promise per task batch.

import { ActorSystem } from '../../protocol/actor/actor.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { ExecutorSlot, type SlotOptions } from './executorSlot.ts'
import { SlotQueries } from './slotQueries.ts'
import type { StateAnswer, StateQuery, Task } from './task.ts'

export interface ExecutorPoolOptions extends SlotOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'scheduler'>
  readonly slots: number
  /** Called when no executor can be started in a slot: the pool has failed. */
  onFailed(error: Error): void
}

export class ExecutorPool {
  readonly #options: ExecutorPoolOptions
  readonly #system: ActorSystem
  readonly #queries: SlotQueries
  #slots: readonly ExecutorSlot[] = []
  #isStopped = false

  constructor(options: ExecutorPoolOptions) {
    const { clock, random, scheduler } = options.runtime
    this.#options = options
    // Without a logger: the slots log starts and deaths in terms of the job.
    this.#system = new ActorSystem({
      ...{ clock, scheduler, random: random.fork('executors') },
      onEscalate: ({ cause }) => options.onFailed(cause as Error),
    })
    this.#queries = new SlotQueries(clock, (at, timeoutMs) => {
      const slot = this.#slots[at]
      assert(slot, `slot ${at} was queried and has no actor`)
      return slot.current(timeoutMs)
    })
  }

  /** Resolves when every slot has had an executor or has stopped. */
  async start(): Promise<void> {
    if (this.#isStopped) return
    this.#slots = Array.from(
      { length: this.#options.slots },
      (_, slot) => new ExecutorSlot(this.#system, slot, this.#options),
    )
    await Promise.all(this.#slots.map((slot) => slot.filled()))
  }

  addBatch(batch: BatchInfo): void {
    for (const { executor } of this.#slots) executor?.addBatch(batch)
  }

  /** Ignores tasks for a slot whose executor has died: `onLost` has reported the death. */
  run(slot: number, tasks: readonly Task[]): void {
    this.#slots[slot]?.executor?.run(tasks)
  }

  /** Queries the slot's executor for values of a state. Rejects with an EngineError. */
  query(slot: number, query: StateQuery): Promise<StateAnswer> {
    return this.#queries.query(slot, query)
  }

  /** Runs `use` while no executor has a state open. No task may be running; queries wait. */
  async withReleasedStates<T>(use: () => Promise<T>): Promise<T> {
    const resume = this.#queries.hold()
    try {
      await Promise.all(this.#slots.map(({ executor }) => executor?.releaseStates?.()))
      return await use()
    } finally {
      resume()
    }
  }

  /** Terminates the slot's executor in the middle of its tasks and replaces it. */
  interrupt(slot: number, reason: string): void {
    this.#slots[slot]?.interrupt(reason)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#queries.stop()
    await this.#system.shutdown()
  }
}
