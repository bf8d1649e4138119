// A limit, in bytes, on memory of all connections together. There is one budget each for received
// requests, decoded requests and answers. A state machine that counts, and keeps a line of requests
// for room. It does not refuse memory that is already in use, so usage can exceed the limit, but
// only by the amount of one turn. Invariant, asserted: usage is never negative.

import { assert } from '../../../protocol/runtime/assert.ts'

export interface RoomRequest {
  readonly neededBytes: number
  /** Called once: when there is room for the bytes, or, to overdraw, without room. */
  readonly go: (overdraws: boolean) => void
  /**
   * Whether the request may proceed without room; one request may at a time. Otherwise
   * half-received requests could fill the budget and wait for each other forever.
   */
  readonly mayOverdraw: boolean
}

export class MemoryBudget {
  readonly limitBytes: number
  #usedBytes = 0
  readonly #waiting = new Set<RoomRequest>()
  #overdrawing: RoomRequest | undefined
  #isWaking = false
  #waits = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get availableBytes(): number {
    return Math.max(0, this.limitBytes - this.#usedBytes)
  }

  get isExceeded(): boolean {
    return this.#usedBytes > this.limitBytes
  }

  /** How many times a request had to wait for room. */
  get waits(): number {
    return this.#waits
  }

  /** Whether requests are waiting for room. */
  get isWaitedFor(): boolean {
    return this.#waiting.size > 0
  }

  take(bytes: number): void {
    assert(bytes >= 0, 'an amount of memory is never negative')
    this.#usedBytes += bytes
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    assert(this.#usedBytes >= 0, 'no more memory is released than was taken')
    this.#wake()
  }

  /** Whether `bytes` may be taken now. An unused budget has room for any number. */
  hasRoomFor(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes
  }

  /** Joins the end of the line. `go` may be called before this returns. */
  wait(request: RoomRequest): void {
    this.#waiting.add(request)
    this.#wake()
    if (this.#waiting.has(request)) this.#waits++
  }

  /** Leaves the line, or ends the turn to overdraw. */
  leave(request: RoomRequest): void {
    this.#waiting.delete(request)
    if (this.#overdrawing !== request) return
    this.#overdrawing = undefined
    this.#wake()
  }

  /** Serves requests from the head of the line until one does not fit. */
  #wake(): void {
    if (this.#isWaking) return
    this.#isWaking = true
    for (const request of this.#waiting) {
      if (!this.hasRoomFor(request.neededBytes)) break
      this.#waiting.delete(request)
      request.go(false)
    }
    this.#isWaking = false
    if (!this.#overdrawing) this.#letOneOverdraw()
  }

  #letOneOverdraw(): void {
    for (const request of this.#waiting) {
      if (!request.mayOverdraw) continue
      this.#waiting.delete(request)
      this.#overdrawing = request
      request.go(true)
      return
    }
  }
}
