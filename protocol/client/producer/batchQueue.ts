// The unacknowledged batches of one partition: decides which batch may be sent next and what an
// error code means for the batches after it. A batch keeps the sequence number that its producer
// assigned, so order must be preserved: after a retriable failure no batch is sent until all
// batches in flight are answered; then every unacknowledged batch is sent again, oldest first. A
// plain state machine: it sends nothing.
//
// A broker accepts any sequence from a producer of which the partition has nothing yet (KIP-360):
// if it refused the first batch and had the second, it would store the second. So the first batch
// of a producer is alone in flight until it is acknowledged.

import { ErrorCode, isRetriable } from '../../kafka/errors.ts'
import { assert } from '../../runtime/assert.ts'

/** The properties of a batch that the queue uses. */
export interface QueuedBatch {
  /** The producer by whose sequence the broker recognizes a retry; -1 without one. */
  readonly producerId: number
  /** Delivery deadline on the monotonic clock, in ms; Infinity for no deadline. */
  readonly deadlineMs: number
}

/** `again`: the batch is retried, unchanged and in the same order, after a pause. */
export type Verdict = 'acknowledged' | 'again' | 'rejected'

interface Entry<B> {
  readonly batch: B
  /** Number of batches added before this one. */
  readonly ordinal: number
  isInFlight: boolean
}

export class BatchQueue<B extends QueuedBatch> {
  readonly #maxInFlight: number
  /** Unacknowledged batches in the order of `add`; batches in flight precede waiting ones. */
  readonly #entries: Entry<B>[] = []
  #added = 0
  /** The producer of the last batch that the broker has. */
  #knownProducerId = -1
  #inFlight = 0
  #isRecovering = false

  /**
   * `maxInFlight` is at most 5, the number of batches per producer that a broker remembers
   * (KIP-98).
   */
  constructor(maxInFlight: number) {
    assert(maxInFlight >= 1 && maxInFlight <= 5, 'between 1 and 5 batches may be in flight')
    this.#maxInFlight = maxInFlight
  }

  /** Whether no batch is in flight. */
  get isIdle(): boolean {
    return this.#inFlight === 0
  }

  add(batch: B): void {
    this.#entries.push({ batch, ordinal: this.#added++, isInFlight: false })
  }

  /**
   * Whether `next` returns a batch. The limit counts all batches since the oldest unacknowledged
   * one, acknowledged ones included: a broker recognizes a retry only among the last 5 batches that
   * it stored, and answers an older one with OUT_OF_ORDER_SEQUENCE_NUMBER.
   */
  get canSend(): boolean {
    const entry = this.#entries[this.#inFlight]
    if (this.#isRecovering || entry === undefined) return false
    return entry.ordinal - this.#entries[0]!.ordinal < this.#limitFor(entry)
  }

  /** Returns the batch to send now and marks it as in flight; undefined when none may be sent. */
  next(): B | undefined {
    if (!this.canSend) return undefined
    const entry = this.#entries[this.#inFlight++]!
    entry.isInFlight = true
    return entry.batch
  }

  /**
   * Returns what the error code of a response means for the batch. OUT_OF_ORDER_SEQUENCE_NUMBER is
   * retriable while an older batch is unacknowledged, which the broker may not have received. For
   * the oldest batch it means that stored records were lost, and a retry cannot succeed.
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
   * Completes a batch in flight. Returns true when the caller must pause the queue and then call
   * `resume`: a batch is to be retried, and none is in flight.
   */
  settle(batch: B, verdict: Verdict): boolean {
    const at = this.#entries.findIndex((entry) => entry.batch === batch)
    const entry = this.#entries[at]
    assert(entry?.isInFlight, 'only a batch in flight is settled')
    this.#inFlight--
    if (verdict === 'again') {
      entry.isInFlight = false
      this.#isRecovering = true
    } else {
      if (verdict === 'acknowledged') this.#knownProducerId = batch.producerId
      this.#entries.splice(at, 1)
    }
    return this.#isRecovering && this.#inFlight === 0
  }

  /** Ends the pause after a failure: all unacknowledged batches may be sent again. */
  resume(): void {
    assert(this.#inFlight === 0, 'a queue resumes when no batch is in flight')
    this.#isRecovering = false
  }

  /** Removes and returns the waiting batches past their deadline. Batches in flight stay. */
  expire(nowMs: number): B[] {
    return this.#remove((entry) => !entry.isInFlight && entry.batch.deadlineMs <= nowMs)
  }

  /** Removes and returns all batches that are not in flight. */
  takeWaiting(): B[] {
    return this.#remove((entry) => !entry.isInFlight)
  }

  /**
   * 1 without sequence numbers: a batch sent after a failed one would be stored before its retry.
   * So would be one of a producer that the broker does not know.
   */
  #limitFor({ batch: { producerId } }: Entry<B>): number {
    return producerId >= 0 && producerId === this.#knownProducerId ? this.#maxInFlight : 1
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
