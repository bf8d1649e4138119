// The share of one connection in the memory for requests that were received and are not answered.
// Decides when the connection is not read: above its own limit, until it is down to half of it, and
// while the shared budget is exceeded, in line with others. Invariants: never negative; the budget
// counts exactly what the connection reported last.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'

export class RequestMemory {
  readonly #budget: MemoryBudget
  readonly #limitBytes: () => number
  readonly #onTurn: () => void
  /** Bytes of the frames that are queued or in flight. */
  #unansweredBytes = 0
  /** Bytes that the budget counts for this connection. */
  #countedBytes = 0
  /** The place in the line for the budget, or the turn to overdraw it. */
  #room: RoomRequest | undefined
  #isInLine = false

  /**
   * `limitBytes` is called each time, because the option may change. `onTurn` is called when the
   * wait for the budget has ended.
   */
  constructor(budget: MemoryBudget, limitBytes: () => number, onTurn: () => void) {
    this.#budget = budget
    this.#limitBytes = limitBytes
    this.#onTurn = onTurn
  }

  take(bytes: number): void {
    this.#unansweredBytes += bytes
  }

  release(bytes: number): void {
    this.#unansweredBytes -= bytes
    assert(this.#unansweredBytes >= 0, 'a connection releases no more memory than it holds')
  }

  /**
   * Reports the memory of the connection to the budget. `incompleteBytes` are those of a frame that
   * is still arriving.
   */
  count(incompleteBytes: number): void {
    const bytes = this.#unansweredBytes + incompleteBytes
    const before = this.#countedBytes
    this.#countedBytes = bytes
    if (bytes > before) this.#budget.take(bytes - before)
    else if (bytes < before) this.#budget.release(before - bytes)
  }

  /**
   * Joins the line if the budget is exceeded. Returns whether it did. `onTurn` may be called before
   * this returns.
   */
  waitIfExceeded(hasIncompleteFrame: boolean): boolean {
    if (this.#room || !this.#budget.isExceeded) return false
    const room: RoomRequest = {
      neededBytes: 1,
      mayOverdraw: hasIncompleteFrame,
      go: (overdraws) => {
        this.#isInLine = false
        if (!overdraws) this.#room = undefined
        this.#onTurn()
      },
    }
    this.#room = room
    this.#isInLine = true
    this.#budget.wait(room)
    return true
  }

  /** Leaves the line, or ends the turn to overdraw. */
  leaveLine(): void {
    if (!this.#room) return
    const room = this.#room
    this.#room = undefined
    this.#isInLine = false
    this.#budget.leave(room)
  }

  /**
   * Whether the connection must not be read now. A paused connection resumes at half of the limit.
   */
  mustPause(isPaused: boolean): boolean {
    const limitBytes = this.#limitBytes()
    const isFull = this.#unansweredBytes > (isPaused ? limitBytes / 2 : limitBytes)
    return isFull || this.#isInLine
  }
}
