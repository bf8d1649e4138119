// The requests in flight of one connection, in the order in which they arrived. Requests are
// handled one at a time, as in Kafka, except that consecutive Produce requests overlap, so that
// many share one sync. Invariant: every request is answered exactly once, in the order of requests.

import { assert } from '../../../protocol/runtime/assert.ts'
import type { Answer } from '../dispatch/dispatch.ts'
import type { ApiFigures, RequestRecord } from '../figures/requestFigures.ts'
import { costOf, isProduce } from './frameQueue.ts'

/** Maximum number of Produce requests in flight on one connection. */
const maxOverlapping = 64

/** A request in flight: its place in the order of answers. */
export class PendingRequest implements RequestRecord {
  figures: ApiFigures | undefined = undefined
  readonly arrivedMs: number
  readonly startedMs: number
  waitedMs = 0
  readonly frameBytes: number
  /** Memory cost of its frame, in bytes. */
  readonly costBytes: number
  /** The block of its frame, if it can be reused after the answer. */
  block: Buffer | undefined = undefined
  isDone = false
  answer: Answer = undefined

  constructor(frame: Buffer, arrivedMs: number, startedMs: number) {
    this.frameBytes = frame.length
    this.costBytes = costOf(frame)
    this.arrivedMs = arrivedMs
    this.startedMs = startedMs
  }
}

export class RequestOrder {
  readonly #pending: PendingRequest[] = []
  /** Whether the request that was started last is a Produce. */
  #endsInProduce = true

  get length(): number {
    return this.#pending.length
  }

  /** Whether the request in this frame may be handled while the others are in flight. */
  admits(frame: Buffer): boolean {
    if (this.#pending.length === 0) return true
    return this.#endsInProduce && isProduce(frame) && this.#pending.length < maxOverlapping
  }

  /**
   * Records the start of a request. Called before it is dispatched, because its handler may finish
   * at once and look at the order.
   */
  starting(frame: Buffer): void {
    this.#endsInProduce = isProduce(frame)
  }

  add(request: PendingRequest): void {
    assert(!request.isDone, 'a request is added before it is answered')
    assert(this.#pending.length < maxOverlapping, 'the number of requests in flight is bounded')
    this.#pending.push(request)
  }

  /** Records the answer. It may be sent when `next` returns the request. */
  done(request: PendingRequest, answer: Answer): void {
    assert(!request.isDone, 'a request is answered once')
    request.isDone = true
    request.answer = answer
  }

  /** Removes and returns the oldest request if its answer is ready. */
  next(): PendingRequest | undefined {
    return this.#pending[0]?.isDone ? this.#pending.shift() : undefined
  }

  /** Memory cost of the requests that are done and wait for older ones, in bytes. */
  get doneBytes(): number {
    return this.#pending.reduce((sum, { isDone, costBytes }) => sum + (isDone ? costBytes : 0), 0)
  }
}
