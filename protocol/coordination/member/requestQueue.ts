// The requests of one member that wait for an entry, oldest first. Each request is answered once:
// by the fold, or by a refusal. Bounded; the caller is refused beyond the bound.

import { CoordinationError } from '../coordinationError.ts'
import type { TransactionOutcome } from '../tree/operation.ts'
import { maxTransactionBytes } from '../tree/operation.ts'
import { maxRequests, type Request } from '../tree/proposal.ts'

export interface PendingRequest {
  readonly request: Request
  /** Whether the caller has its answer, or stopped waiting. */
  isDone: boolean
  /** Approximate size in an entry. */
  readonly bytes: number
  /** When the caller stops waiting, on the monotonic clock. */
  readonly deadlineMs: number
  readonly answer: (outcome: TransactionOutcome) => void
  readonly refuse: (error: Error) => void
}

export function answer(request: PendingRequest, outcome: TransactionOutcome): void {
  if (request.isDone) return
  request.isDone = true
  request.answer(outcome)
}

export function refuse(request: PendingRequest, error: Error): void {
  if (request.isDone) return
  request.isDone = true
  request.refuse(error)
}

export class RequestQueue {
  readonly #maxPending: number
  #waiting: PendingRequest[] = []

  constructor(maxPending: number) {
    this.#maxPending = maxPending
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Throws COORDINATION_BUSY when too many requests wait. */
  add(request: PendingRequest): void {
    if (this.#waiting.length >= this.#maxPending) throw busy(this.#maxPending)
    this.#waiting.push(request)
  }

  /** Removes and returns the requests of the next entry: none if the queue is empty. */
  take(): PendingRequest[] {
    let bytes = 0
    let count = 0
    for (const request of this.#waiting) {
      bytes += request.bytes
      if (count > 0 && (count === maxRequests || bytes > maxTransactionBytes)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Puts the requests of an entry that lost against one of another member back to the front. */
  putBack(requests: readonly PendingRequest[]): void {
    this.#waiting = [...requests.filter(({ isDone }) => !isDone), ...this.#waiting]
  }

  /** Removes and returns the requests whose callers stopped waiting. */
  takeOverdue(nowMs: number): PendingRequest[] {
    const overdue = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    if (overdue.length > 0) {
      this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
    }
    return overdue
  }

  /** Removes and returns everything. */
  drain(): PendingRequest[] {
    return this.#waiting.splice(0)
  }
}

function busy(maxPending: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_BUSY',
    `${maxPending} proposals wait for the coordination log: this one was not made; try again later`,
  )
}
