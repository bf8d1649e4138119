// Requests that wait for a state machine to answer. A request is known to the machine by a number
// while it is pending, and is answered exactly once: by the machine, or by `refuseAll` when its
// coordinator resigns. Bounded: when too many are pending, further ones are refused with
// COORDINATOR_NOT_AVAILABLE, which clients retry.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'

/** Returns the answer that refuses a request with this error code. */
export type Refusal<Outcome> = (errorCode: number) => Outcome

interface Waiting {
  readonly resolve: (outcome: unknown) => void
  readonly refusal: Refusal<unknown>
}

const usualMaxSize = 100_000

export class WaitingRequests {
  readonly #maxSize: number
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1

  constructor(maxSize = usualMaxSize) {
    this.#maxSize = maxSize
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Sends a request to the machine: `send` gets its number. Resolves with the answer. */
  ask<Outcome>(refusal: Refusal<Outcome>, send: (requestId: number) => void): Promise<Outcome> {
    if (this.size >= this.#maxSize) {
      return Promise.resolve(refusal(ErrorCode.coordinatorNotAvailable))
    }
    return new Promise((resolve) => {
      const requestId = this.#nextId++
      this.#waiting.set(requestId, {
        resolve: (outcome) => resolve(outcome as Outcome),
        refusal,
      })
      send(requestId)
    })
  }

  answer(requestId: number, outcome: unknown): void {
    const waiting = this.#waiting.get(requestId)
    assert(waiting, `request ${requestId} is pending, and is answered once`)
    this.#waiting.delete(requestId)
    waiting.resolve(outcome)
  }

  /** Refuses every pending request. The machine must not answer them afterwards. */
  refuseAll(errorCode: number): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { resolve, refusal } of waiting) resolve(refusal(errorCode))
  }
}
