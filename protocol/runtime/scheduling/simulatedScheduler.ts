// A scheduler whose owner runs the tasks, in the order of the calls or in a drawn order. Plain
// state: pending tasks can be counted, and equal draws give equal runs. Does not use the event
// loop, except that `runUntilIdle` lets promises settle between tasks.

import { assert } from '../assert.ts'
import type { Random } from '../random.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'

export interface SimulatedSchedulerOptions {
  /** Draws the next of the runnable tasks; without it they run in the order of the calls. */
  readonly order?: Random
}

/** Limit on the tasks of `runUntilIdle`; a program that exceeds it is in an endless loop. */
const maxTasks = 1_000_000

export class SimulatedScheduler implements Scheduler {
  readonly #order: Random | undefined
  /** Tasks of the current turn. */
  #soon: (() => void)[] = []
  /** Tasks of the next turn, runnable when the current one has none left. */
  #later: (() => void)[] = []

  constructor({ order }: SimulatedSchedulerOptions = {}) {
    this.#order = order
  }

  /** Number of waiting tasks. */
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

  /** Runs one task, of the current turn first. Returns false when none is left. */
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

  /**
   * Runs all tasks, including those that they schedule; promises settle before each and at the end.
   */
  async runUntilIdle(): Promise<void> {
    let tasks = 0
    do {
      await systemScheduler.idle()
      assert(++tasks < maxTasks, `a simulated program is idle after fewer than ${maxTasks} tasks`)
    } while (this.runOne())
  }
}
