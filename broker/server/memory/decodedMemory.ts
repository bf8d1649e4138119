// The share of one connection in the memory for decoded requests, from decoding until the answer. A
// decoded request can take twenty times its size on the wire. A request that would exceed its share
// is refused; a request for which there is no room now waits in line until others are answered.

import { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'

/** Requests that take no more bytes than this never wait, so that usual requests always proceed. */
const alwaysBytes = 256 * 1024

export class DecodedMemory {
  readonly #budget: MemoryBudget
  readonly #onRoom: () => void
  #waiting: RoomRequest | undefined
  /** Bytes taken from the budget for the request that waited, before it is decoded again. */
  #reservedBytes = 0

  /** `onRoom` is called when the request that did not fit can be decoded again. */
  constructor(budget: MemoryBudget, onRoom: () => void) {
    this.#budget = budget
    this.#onRoom = onRoom
  }

  /** Maximum memory of one request, in bytes: half of the budget. */
  get mostBytes(): number {
    return Math.max(alwaysBytes, Math.floor(this.#budget.limitBytes / 2))
  }

  /** Whether a request of this connection is waiting for room. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** Returns the allowance for decoding the next request. */
  allowance(): MemoryAllowance {
    if (this.#reservedBytes > 0) return new MemoryAllowance(this.#reservedBytes)
    const freeBytes = this.#budget.isWaitedFor ? 0 : this.#budget.availableBytes
    return new MemoryAllowance(Math.min(this.mostBytes, Math.max(alwaysBytes, freeBytes)))
  }

  /** Counts a decoded request. The returned function must be called when it is answered. */
  take({ takenBytes }: MemoryAllowance): () => void {
    this.#giveBackReserved()
    this.#budget.take(takenBytes)
    return () => this.#budget.release(takenBytes)
  }

  /** Whether a request that exceeded this allowance may get a larger one. */
  mayGrow({ limitBytes }: MemoryAllowance): boolean {
    return limitBytes < this.mostBytes
  }

  /** Waits for room for the largest request. `onRoom` may be called before this returns. */
  wait(): void {
    const neededBytes = this.mostBytes
    const go = () => {
      this.#waiting = undefined
      this.#reservedBytes = neededBytes
      this.#budget.take(neededBytes)
      this.#onRoom()
    }
    this.#waiting = { neededBytes, mayOverdraw: false, go }
    this.#budget.wait(this.#waiting)
  }

  /** Stops waiting. Requests that are decoded count until they are answered. */
  close(): void {
    if (this.#waiting) this.#budget.leave(this.#waiting)
    this.#waiting = undefined
    this.#giveBackReserved()
  }

  #giveBackReserved(): void {
    const bytes = this.#reservedBytes
    this.#reservedBytes = 0
    if (bytes > 0) this.#budget.release(bytes)
  }
}
