// A scheduler whose owner runs the tasks: in the order of the calls, or in an order that a seed draws. It is
// plain state: what waits can be counted, and the same choices give the same history. It never touches the
// event loop, except that `runUntilIdle` lets promises settle between two tasks.

import { assert } from './assert.ts'
import type { Random } from './random.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'

export interface SimulatedSchedulerOptions {
  /** Draws which of the runnable tasks is next; without it they run in the order of the calls. */
  readonly order?: Random
}

/** Two parts that keep each other busy for longer than this never come to rest. */
const mostTasks = 1_000_000

export class SimulatedScheduler implements Scheduler {
  readonly #order: Random | undefined
  /** Runnable before the turn ends. */
  #soon: (() => void)[] = []
  /** Runnable once nothing is left of the current turn. */
  #later: (() => void)[] = []

  constructor({ order }: SimulatedSchedulerOptions = {}) {
    this.#order = order
  }

  /** Tasks that wait, of this turn and of later ones. */
  get pending(): number {
    return this.#soon.length + this.#later.length
  }

  get isIdle(): boolean {
    return this.pending === 0
  }

  soon(task: () => void): void {
    this.#soon.push(task)
  }

  later(task: () => void): void {
    this.#later.push(task)
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => this.later(resolve))
  }

  /** Runs one task; false when none is left. Tasks of this turn run before those of later turns. */
  runOne(): boolean {
    if (this.#soon.length === 0) {
      this.#soon = this.#later
      this.#later = []
    }
    if (this.#soon.length === 0) return false
    const at = this.#order?.below(this.#soon.length) ?? 0
    const [task] = this.#soon.splice(at, 1)
    task!()
    return true
  }

  /** Runs tasks, and what these schedule, until none is left. Promises settle before each task and at the end. */
  async runUntilIdle(): Promise<void> {
    let tasks = 0
    do {
      await systemScheduler.idle()
      assert(++tasks < mostTasks, `${mostTasks} tasks ran and the simulated world is still busy`)
    } while (this.runOne())
  }
}
