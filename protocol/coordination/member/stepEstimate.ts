// How much the next entry of a member may advance the clock of the log. The log has no clock of its
// own: each entry says how long its proposer waited since the entry before, and the fold adds these
// steps up. The clock of the log must never run ahead of real time, or sessions would expire while
// their holders are certain of them; it may run behind, which only delays an expiry.
//
// Counted is the time between the last entry and the begin of the append, up to `maxIdleMs`, and
// the time that the append before took, up to `maxAppendMs`. A log that could not be appended to
// for seconds (an election of the stream's leader) thus takes at most `maxStepMs` of anyone's
// timeout.

import { maxStepMs } from '../tree/proposal.ts'

export const maxIdleMs = 1000
const maxAppendMs = maxStepMs - maxIdleMs

export class StepEstimate {
  /** When the last entry was folded, on the monotonic clock of this member. */
  #foldedMs: number
  /** Time before the last entry that its step did not count. */
  #uncountedMs = 0

  constructor(nowMs: number) {
    this.#foldedMs = nowMs
  }

  /** The log was loaded: when its last entry was appended is unknown, but not later than now. */
  begin(nowMs: number): void {
    this.#foldedMs = nowMs
    this.#uncountedMs = 0
  }

  /** An entry with this step was folded. */
  folded(nowMs: number, stepMs: number): void {
    this.#uncountedMs = Math.max(0, nowMs - this.#foldedMs - stepMs)
    this.#foldedMs = nowMs
  }

  /** Returns the step of an entry that is appended now, in whole ms. */
  next(nowMs: number): number {
    const idleMs = Math.min(nowMs - this.#foldedMs, maxIdleMs)
    return Math.floor(Math.max(0, idleMs) + Math.min(this.#uncountedMs, maxAppendMs))
  }

  /** Time since the last entry was folded. */
  idleMs(nowMs: number): number {
    return nowMs - this.#foldedMs
  }
}
