// What one connection holds of the memory for requests: received and not answered, by itself and
// against the budget that all connections share. Decides when the connection is not read: above its
// own limit until it is down to half of it, and while the shared budget is exceeded, in line with
// others. Invariants: never negative; the budget counts exactly what the connection reported last.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'

export class RequestMemory {
  readonly #budget: MemoryBudget
  readonly #limitBytes: () => number
  readonly #onTurn: () => void
  /** Bytes of frames that are not answered, queued or in flight. */
  #unansweredBytes = 0
  /** What the budget counts for this connection. */
  #countedBytes = 0
  /** A place in the line for the budget, or the turn to overdraw it. */
  #room: RoomRequest | undefined
  #isInLine = false

  /**
   * `limitBytes` is read each time: the option may change. `onTurn`: the wait for the budget has
   * ended.
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
    assert(this.#unansweredBytes >= 0, 'a connection releases what it holds for requests')
  }

  /**
   * Reports to the budget what the connection holds now; `incompleteBytes` of a frame still
   * arriving.
   */
  count(incompleteBytes: number): void {
    const bytes = this.#unansweredBytes + incompleteBytes
    const before = this.#countedBytes
    this.#countedBytes = bytes
    if (bytes > before) this.#budget.take(bytes - before)
    else if (bytes < before) this.#budget.release(before - bytes)
  }

  /**
   * Gets in line if the budget is exceeded. Returns whether it did; `onTurn` may have been called
   * already.
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

  /** Gives up the place in the line, or the turn to overdraw. */
  leaveLine(): void {
    if (!this.#room) return
    const room = this.#room
    this.#room = undefined
    this.#isInLine = false
    this.#budget.leave(room)
  }

  /** Whether the connection must not be read now. A paused one goes on at half of the limit. */
  mustPause(isPaused: boolean): boolean {
    const limitBytes = this.#limitBytes()
    const isFull = this.#unansweredBytes > (isPaused ? limitBytes / 2 : limitBytes)
    return isFull || this.#isInLine
  }
}
