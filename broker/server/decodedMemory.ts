// What one connection holds of the memory for decoded requests, until they are answered. Decoded, a
// request can be twenty times as large as it came: one that would take more than its share is refused,
// and one that there is no room for now waits in line until others are answered.

import { MemoryAllowance } from '../../protocol/bytes/memoryAllowance.ts'
import type { MemoryBudget, RoomRequest } from './memoryBudget.ts'

/** Requests that take no more than this never wait, so that those of usual size go on whatever happens. */
const alwaysBytes = 256 * 1024

export class DecodedMemory {
  readonly #budget: MemoryBudget
  readonly #onRoom: () => void
  #waiting: RoomRequest | undefined
  /** What the request that waited may take now. */
  #reservedBytes = 0

  /** `onRoom` is called when the request that did not fit can be decoded. */
  constructor(budget: MemoryBudget, onRoom: () => void) {
    this.#budget = budget
    this.#onRoom = onRoom
  }

  /** The most that one request may take: two of them fit. */
  get mostBytes(): number {
    return Math.max(alwaysBytes, Math.floor(this.#budget.limitBytes / 2))
  }

  /** Whether a request waits for room. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** For decoding the next request. */
  allowance(): MemoryAllowance {
    if (this.#reservedBytes > 0) return new MemoryAllowance(this.#reservedBytes)
    const freeBytes = this.#budget.isWaitedFor ? 0 : this.#budget.availableBytes
    return new MemoryAllowance(Math.min(this.mostBytes, Math.max(alwaysBytes, freeBytes)))
  }

  /** A request has been decoded. Returns what must be called when it is answered. */
  take({ takenBytes }: MemoryAllowance): () => void {
    this.#giveBackReserved()
    this.#budget.take(takenBytes)
    return () => this.#budget.release(takenBytes)
  }

  /** Whether a request that did not fit into this allowance may get a larger one. */
  mayGrow({ limitBytes }: MemoryAllowance): boolean {
    return limitBytes < this.mostBytes
  }

  /** Waits for room for the next request, however large it may be. `onRoom` may be called before this returns. */
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

  /** Nothing is decoded any more. What has been counts until it is answered. */
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
