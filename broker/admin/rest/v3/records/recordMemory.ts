// The memory of records that requests bring, from their first byte until they are stored or refused. Each request is
// bounded, and all together are: hundreds of them may be open at once, and each could hold a record of some MB.

import type { MemoryBudget } from '../../../../server/memory/memoryBudget.ts'
import { RestError } from '../../restError.ts'

/** A request may always hold so much: small records come through while large ones fill the budget. */
const freeBytes = 64 * 1024

/** What one request holds of the budget of all. */
export class RecordMemory {
  readonly #budget: MemoryBudget
  #heldBytes = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** Others leave no room: a request with records on their way waits for those before it brings more. */
  get isShort(): boolean {
    return this.#budget.availableBytes === 0
  }

  /** False when there is no room, and then nothing is taken. */
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

  /** Why `take` was false, as the API says it. */
  refusal(): RestError {
    return new RestError(
      429,
      'TOO_MANY_BYTES_AT_ONCE',
      `records of all requests would take more than ${this.#budget.limitBytes} bytes, which is the most at once`,
      'send the record again when others are stored',
      undefined,
      1,
    )
  }
}
