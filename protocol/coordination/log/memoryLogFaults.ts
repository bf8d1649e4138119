// The faults of an in-memory coordination log: what happens to each request of a member and to each
// delivery. A simulator draws them from a plan; without faults, everything is immediate.

/** A request of a member to the log. */
export type MemoryLogRequest = 'load' | 'append' | 'read' | 'writeSnapshot' | 'claim'

/**
 * What happens to one request. A request that arrives after the timeout of its caller takes effect
 * all the same: the outcome that the caller could not know.
 */
export interface RequestFate {
  /** Time until the request arrives, in ms. */
  readonly requestMs: number
  /** Time until the answer arrives, in ms. */
  readonly answerMs: number
  readonly isRequestLost: boolean
  readonly isAnswerLost: boolean
  /** The request arrives a second time, that many ms after the first; its answer is ignored. */
  readonly againAfterMs: number | undefined
}

export interface MemoryLogFaults {
  request(member: string, request: MemoryLogRequest): RequestFate
  /** Delay of the next delivery to a subscription of the member, in ms. The order is kept. */
  deliveryMs(member: string): number
}

export const promptFate: RequestFate = {
  requestMs: 0,
  answerMs: 0,
  isRequestLost: false,
  isAnswerLost: false,
  againAfterMs: undefined,
}

export const noFaults: MemoryLogFaults = { request: () => promptFate, deliveryMs: () => 0 }
