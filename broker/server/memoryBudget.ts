// Memory that all connections together may hold, in bytes: one budget for requests and one for
// answers. A state machine that only counts and says whose turn it is; it never refuses what is
// there already, so a budget can be exceeded by what one turn brings, and by no more.

export interface RoomRequest {
  readonly neededBytes: number
  /** Called once, when there is room for so many bytes or without room, as one that overdraws. */
  readonly go: (overdraws: boolean) => void
  /**
   * Whether it may go on without room, one at a time: half-received requests could otherwise fill
   * the budget, and wait for each other for good.
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

  /** How often somebody had to wait for room. */
  get waits(): number {
    return this.#waits
  }

  /** Whether somebody waits for room. */
  get isWaitedFor(): boolean {
    return this.#waiting.size > 0
  }

  take(bytes: number): void {
    this.#usedBytes += bytes
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#wake()
  }

  /** Whether so much may be taken now; an empty budget gives whatever is asked for. */
  hasRoomFor(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.limitBytes
  }

  /** Waits in line. `go` may be called before this returns. */
  wait(request: RoomRequest): void {
    this.#waiting.add(request)
    this.#wake()
    if (this.#waiting.has(request)) this.#waits++
  }

  /** Waits no longer, and gives back its turn to overdraw. */
  leave(request: RoomRequest): void {
    this.#waiting.delete(request)
    if (this.#overdrawing !== request) return
    this.#overdrawing = undefined
    this.#wake()
  }

  /** Lets on all those at the head of the line that there is room for. */
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
