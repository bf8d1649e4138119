// What may be sent next to one partition, and what a broker's answer means for the batches around
// it. A batch keeps the sequence that its producer gave it, so order is everything: after any
// failure that may pass, nothing new is sent until all that is under way has come back, and then
// everything unacknowledged goes out again, oldest first. A plain state machine: it sends nothing.

import { ErrorCode, isRetriable } from '../kafka/errors.ts'
import { assert } from '../runtime/assert.ts'

/** What the queue needs to know of a batch. The rest is its owner's. */
export interface QueuedBatch {
  /** Has a producer id and sequence, so that the broker can tell a second sending from a new batch. */
  readonly isSequenced: boolean
  /** On the monotonic clock; Infinity when it is to be tried for ever. */
  readonly deadlineMs: number
}

/** `again`: with the same bytes, in the same order, after a pause. */
export type Verdict = 'acknowledged' | 'again' | 'rejected'

interface Entry<B> {
  readonly batch: B
  /** Its place among all that were ever added. */
  readonly ordinal: number
  isInFlight: boolean
}

export class BatchQueue<B extends QueuedBatch> {
  readonly #maxInFlight: number
  /** Unacknowledged, in the order of `add`; those in flight come before those that wait. */
  readonly #entries: Entry<B>[] = []
  #added = 0
  #inFlight = 0
  #isRecovering = false

  /** `maxInFlight`: no more than 5, for how many batches a broker remembers (KIP-98). */
  constructor(maxInFlight: number) {
    assert(maxInFlight >= 1 && maxInFlight <= 5, 'between 1 and 5 batches may be in flight')
    this.#maxInFlight = maxInFlight
  }

  /** Nothing is in flight. */
  get isIdle(): boolean {
    return this.#inFlight === 0
  }

  add(batch: B): void {
    this.#entries.push({ batch, ordinal: this.#added++, isInFlight: false })
  }

  /**
   * Whether `next` has something to send. The limit counts from the oldest unacknowledged batch on,
   * those acknowledged since included: a broker knows a batch again only among the last 5 that it
   * stored, and takes an older one, whose answer was lost, for one out of order.
   */
  get canSend(): boolean {
    const entry = this.#entries[this.#inFlight]
    if (this.#isRecovering || entry === undefined) return false
    return entry.ordinal - this.#entries[0]!.ordinal < this.#limitFor(entry)
  }

  /** The batch to send now, which then counts as in flight; undefined when nothing may be sent. */
  next(): B | undefined {
    if (!this.canSend) return undefined
    const entry = this.#entries[this.#inFlight++]!
    entry.isInFlight = true
    return entry.batch
  }

  /**
   * What a broker's answer to this batch means. OUT_OF_ORDER_SEQUENCE_NUMBER is only news of an
   * older batch that did not arrive, unless there is none: then records were lost, and sending the
   * batch again cannot help.
   */
  judge(batch: B, errorCode: number): Verdict {
    switch (errorCode) {
      case ErrorCode.none:
      case ErrorCode.duplicateSequenceNumber:
        return 'acknowledged'
      case ErrorCode.outOfOrderSequenceNumber:
        return this.#entries[0]?.batch === batch ? 'rejected' : 'again'
      default:
        return isRetriable(errorCode) ? 'again' : 'rejected'
    }
  }

  /**
   * A batch came back. True when the queue is to be paused now: something failed, and nothing is in
   * flight any more. `resume` after the pause.
   */
  settle(batch: B, verdict: Verdict): boolean {
    const at = this.#entries.findIndex((entry) => entry.batch === batch)
    const entry = this.#entries[at]
    assert(entry?.isInFlight, 'only what is in flight comes back')
    this.#inFlight--
    if (verdict === 'again') {
      entry.isInFlight = false
      this.#isRecovering = true
    } else {
      this.#entries.splice(at, 1)
    }
    return this.#isRecovering && this.#inFlight === 0
  }

  /** The pause after a failure is over: everything unacknowledged may be sent again. */
  resume(): void {
    assert(this.#inFlight === 0, 'a queue resumes when nothing is in flight')
    this.#isRecovering = false
  }

  /** Takes out the waiting batches whose time is over. What is in flight is waited for. */
  expire(nowMs: number): B[] {
    return this.#remove((entry) => !entry.isInFlight && entry.batch.deadlineMs <= nowMs)
  }

  /** Takes out what is not in flight: for an owner that closes, or a failure that concerns all. */
  takeWaiting(): B[] {
    return this.#remove((entry) => !entry.isInFlight)
  }

  /** Without sequences, one at a time: a batch that fails must not be overtaken by the next one. */
  #limitFor(entry: Entry<B>): number {
    const before = this.#entries[this.#inFlight - 1]
    const isSequenced = entry.batch.isSequenced && (before?.batch.isSequenced ?? true)
    return isSequenced ? this.#maxInFlight : 1
  }

  #remove(condition: (entry: Entry<B>) => boolean): B[] {
    const removed: B[] = []
    let kept = 0
    for (const entry of this.#entries) {
      if (condition(entry)) removed.push(entry.batch)
      else this.#entries[kept++] = entry
    }
    this.#entries.length = kept
    return removed
  }
}
