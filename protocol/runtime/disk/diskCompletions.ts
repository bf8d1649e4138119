// Completions of an in-memory disk as events: each operation is pending, as plain data, until its
// owner completes it, and takes effect then. A real disk may complete concurrent operations in any
// order; a caller that needs an order must await the first operation before it starts the second.
// Exploring orders finds callers that do not.

import { assert } from '../assert.ts'
import type { Random } from '../random.ts'
import { systemScheduler } from '../scheduling/scheduler.ts'

/** An operation that was started and is not complete. */
export interface PendingOperation {
  /** In the order of starts, from 1. */
  readonly id: number
  /** Name of the method of Disk or DiskFile. */
  readonly operation: string
  readonly path: string
}

interface Waiting extends PendingOperation {
  readonly complete: () => void
}

/** Limit on the operations of one `run`; a caller that exceeds it is in an endless loop. */
const maxOperations = 1_000_000

export class DiskCompletions {
  #started = 0
  /** In the order of starts. */
  #waiting: Waiting[] = []

  /** The pending operations as plain data, in the order of their starts. */
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

  /** Completes a pending operation; its caller continues in the next microtasks. */
  complete(id: number): void {
    const at = this.#waiting.findIndex((each) => each.id === id)
    assert(at !== -1, `operation ${id} is not pending`)
    const [waiting] = this.#waiting.splice(at, 1)
    waiting!.complete()
  }

  /**
   * Completes all pending operations. Called by the disk at a power failure, when each of them
   * fails.
   */
  completeAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { complete } of waiting) complete()
  }

  /**
   * Completes operations one by one until none is pending, in the order of their starts or in one
   * drawn from `order`, including operations that callers start meanwhile.
   */
  async run(order?: Random): Promise<void> {
    for (let count = 0; ; count++) {
      assert(count < maxOperations, `a run completes fewer than ${maxOperations} operations`)
      await systemScheduler.idle()
      if (this.isIdle) return
      this.complete(this.#waiting[order?.below(this.#waiting.length) ?? 0]!.id)
    }
  }
}
