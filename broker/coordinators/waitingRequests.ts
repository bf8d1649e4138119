// Requests that wait for a state machine to answer. A request is known to the machine by a number
// while it is pending, and is answered exactly once: by the machine, or by `refuseAll` when its
// coordinator resigns.

import { assert } from '../../protocol/runtime/assert.ts'

/** Makes the answer with which a request is refused. */
export type Refusal<Outcome> = (errorCode: number) => Outcome

interface Waiting {
  readonly resolve: (outcome: unknown) => void
  readonly refusal: Refusal<unknown>
}

export class WaitingRequests {
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1

  get size(): number {
    return this.#waiting.size
  }

  /** `send` hands the request over under a number. Resolves with the answer. */
  ask<Outcome>(refusal: Refusal<Outcome>, send: (requestId: number) => void): Promise<Outcome> {
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
    assert(waiting, `request ${requestId} was answered twice`)
    this.#waiting.delete(requestId)
    waiting.resolve(outcome)
  }

  /** Answers every pending request with the error; the machine must not answer them any more. */
  refuseAll(errorCode: number): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { resolve, refusal } of waiting) resolve(refusal(errorCode))
  }
}
