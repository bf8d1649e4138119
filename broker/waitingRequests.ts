// Those who wait for a state machine to answer: each request has a number while it is under way, and
// is answered once.

import { assert } from '../protocol/runtime/assert.ts'

export class WaitingRequests {
  readonly #waiting = new Map<number, (outcome: unknown) => void>()
  #nextId = 1

  /** `send` hands the request over; resolves with what it is answered. */
  ask<Outcome>(send: (requestId: number) => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const requestId = this.#nextId++
      this.#waiting.set(requestId, (outcome) => resolve(outcome as Outcome))
      send(requestId)
    })
  }

  answer(requestId: number, outcome: unknown): void {
    const resolve = this.#waiting.get(requestId)
    assert(resolve, `request ${requestId} was answered twice`)
    this.#waiting.delete(requestId)
    resolve(outcome)
  }
}
