// The memory of records in request bodies, from their first byte until they are stored or refused.
// Bounded per request and in total: hundreds of requests may be open, each with records of several
// MB.

import type { MemoryBudget } from '../../../../server/memory/memoryBudget.ts'
import { RestError } from '../../restError.ts'

/** Bytes that a request may always hold: small records pass while large ones exhaust the budget. */
const freeBytes = 64 * 1024

/** The bytes that one request holds of the shared budget. */
export class RecordMemory {
  readonly #budget: MemoryBudget
  #heldBytes = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /**
   * Whether the budget is exhausted: a request with records in flight then waits for them before
   * reading more.
   */
  get isShort(): boolean {
    return this.#budget.availableBytes === 0
  }

  /** Returns false, and takes nothing, if the budget is exhausted. */
  take(bytes: number): boolean {
    const isFree = this.#heldBytes + bytes <= freeBytes
    if (!isFree && !this.#budget.hasRoomFor(bytes)) return false
    this.#budget.take(bytes)
    this.#heldBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#budget.release(bytes)
    this.#heldBytes -= bytes
  }

  releaseAll(): void {
    this.release(this.#heldBytes)
  }

  /** The error for a refused `take`. */
  refusal(): RestError {
    return new RestError(
      429,
      'TOO_MANY_BYTES_AT_ONCE',
      `the records of all requests exceed the limit of ${this.#budget.limitBytes} bytes`,
      'retry after other records are stored',
      undefined,
      1,
    )
  }
}
