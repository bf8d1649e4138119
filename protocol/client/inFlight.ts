// The requests of one connection that wait for their answers. Kafka's rule is that a broker answers
// in the order of the requests, so an answer to anything but the oldest means that the two sides no
// longer agree on where they are, and the connection is of no more use. Decides only; sends nothing.

import { assert } from '../runtime/assert.ts'

interface Entry<T> {
  readonly correlationId: number
  readonly deadlineMs: number
  readonly request: T
}

export class InFlight<T> {
  readonly #limit: number
  readonly #entries: Entry<T>[] = []
  #nextCorrelationId = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get count(): number {
    return this.#entries.length
  }

  get isFull(): boolean {
    return this.#entries.length >= this.#limit
  }

  /** What the next request is to be sent with: an int32 that wraps to 0. */
  get nextCorrelationId(): number {
    return this.#nextCorrelationId
  }

  /** Notes that the request was sent with `nextCorrelationId`. */
  add(request: T, deadlineMs: number): void {
    assert(!this.isFull, 'a full connection is not given more')
    const correlationId = this.#nextCorrelationId
    this.#nextCorrelationId = (correlationId + 1) % 2 ** 31
    this.#entries.push({ correlationId, deadlineMs, request })
  }

  /** The request that is answered next. */
  get oldest(): T | undefined {
    return this.#entries[0]?.request
  }

  /** Takes out the request that an answer is for; undefined when that is not the oldest. */
  answered(correlationId: number): T | undefined {
    if (this.#entries[0]?.correlationId !== correlationId) return undefined
    return this.#entries.shift()!.request
  }

  /** The first request whose time is over, however many younger ones still have some. */
  expired(nowMs: number): T | undefined {
    return this.#entries.find((entry) => entry.deadlineMs <= nowMs)?.request
  }

  /** Infinity when nothing is in flight. */
  get earliestDeadlineMs(): number {
    return this.#entries.reduce((least, entry) => Math.min(least, entry.deadlineMs), Infinity)
  }

  /** Everything that will never be answered, in order. */
  takeAll(): T[] {
    return this.#entries.splice(0).map((entry) => entry.request)
  }
}
