// The requests in flight of one connection. A Kafka broker answers in request order, so a response
// with another correlation id than the oldest request's means that the stream is out of step and
// the connection must be closed. Decides only; sends nothing.

import { assert } from '../../runtime/assert.ts'

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

  /** Correlation id of the next request: an int32 that wraps to 0. */
  get nextCorrelationId(): number {
    return this.#nextCorrelationId
  }

  /**
   * Adds a request that is sent with `nextCorrelationId`. `deadlineMs` is on the monotonic clock.
   */
  add(request: T, deadlineMs: number): void {
    assert(!this.isFull, 'the requests in flight stay within their limit')
    const correlationId = this.#nextCorrelationId
    this.#nextCorrelationId = (correlationId + 1) % 2 ** 31
    this.#entries.push({ correlationId, deadlineMs, request })
  }

  /** The oldest request, which is answered next. */
  get oldest(): T | undefined {
    return this.#entries[0]?.request
  }

  /** Removes and returns the oldest request; undefined if it has another correlation id. */
  answered(correlationId: number): T | undefined {
    if (this.#entries[0]?.correlationId !== correlationId) return undefined
    return this.#entries.shift()!.request
  }

  /** Returns the oldest request past its deadline, if any. */
  expired(nowMs: number): T | undefined {
    return this.#entries.find((entry) => entry.deadlineMs <= nowMs)?.request
  }

  /** Infinity when nothing is in flight. */
  get earliestDeadlineMs(): number {
    return this.#entries.reduce((least, entry) => Math.min(least, entry.deadlineMs), Infinity)
  }

  /** Removes and returns all requests, oldest first. */
  takeAll(): T[] {
    return this.#entries.splice(0).map((entry) => entry.request)
  }
}
