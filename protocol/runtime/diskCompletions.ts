// Completions of a disk in memory as events: each operation waits, visible as plain data, until the owner
// completes it. An operation takes effect, or reads, when it is completed. Every order of completions is one
// that a real disk allows, because a caller that needs an order waits for the first operation before it
// starts the second; a caller that forgets to is found by exploring orders.

import { assert } from './assert.ts'
import type { Random } from './random.ts'
import { systemScheduler } from './scheduler.ts'

/** An operation that has been started and is not complete. */
export interface PendingOperation {
  /** In the order of starts, from 1. */
  readonly id: number
  /** The name of the disk's or the file's method. */
  readonly operation: string
  readonly path: string
}

interface Waiting extends PendingOperation {
  readonly complete: () => void
}

/** More operations one after another than any test has: their caller goes round in a circle. */
const mostOperations = 1_000_000

export class DiskCompletions {
  #started = 0
  /** In the order of starts. */
  #waiting: Waiting[] = []

  /** Copies without the means to complete them: to print, to compare, to choose from. */
  get pending(): readonly PendingOperation[] {
    return this.#waiting.map(({ id, operation, path }) => ({ id, operation, path }))
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  /** Called by the disk; resolves when the owner completes the operation. */
  start(operation: string, path: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ id: ++this.#started, operation, path, complete: resolve })
    })
  }

  /** Completes a pending operation: its caller goes on in the next microtasks. */
  complete(id: number): void {
    const at = this.#waiting.findIndex((each) => each.id === id)
    assert(at !== -1, `operation ${id} is not pending`)
    const [waiting] = this.#waiting.splice(at, 1)
    waiting!.complete()
  }

  /** Completes everything that is pending, as the disk does when it loses power: each of it then fails. */
  completeAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { complete } of waiting) complete()
  }

  /**
   * Completes one operation after another until none is pending, in the order in which they were started or
   * in one that `order` draws; what callers do next is part of it.
   */
  async run(order?: Random): Promise<void> {
    for (let count = 0; ; count++) {
      assert(
        count < mostOperations,
        `${mostOperations} operations were completed and more are pending`,
      )
      await systemScheduler.idle()
      if (this.isIdle) return
      this.complete(this.#waiting[order?.below(this.#waiting.length) ?? 0]!.id)
    }
  }
}
