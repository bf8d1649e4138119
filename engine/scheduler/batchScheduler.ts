// Decides when the next batch runs and which one it is. A state machine without I/O. Contract: the
// caller carries out each decision and reports back with `finished` or `abandoned` before it asks
// for the next; one batch runs at a time. Missed intervals, because a batch overran or the job was
// down, merge into one batch, so that a job catches up in a few large steps.

import { assert } from '../../protocol/runtime/assert.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'

export type BatchDecision =
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** A batch that is planned and not committed; it must run with exactly its ranges. */
  | { readonly kind: 'rerun'; readonly batch: BatchInfo }
  | { readonly kind: 'plan'; readonly batchId: number; readonly timeMs: number }
  | { readonly kind: 'stop' }

export interface BatchSchedulerOptions {
  readonly batchIntervalMs: number
  /** The newest batch in the offset log; undefined for an empty log. */
  readonly planned: BatchInfo | undefined
  /** The newest batch in the commit log; -1 for an empty log. */
  readonly committedBatchId: number
}

export class BatchScheduler {
  readonly #intervalMs: number
  #latest: { readonly batchId: number; readonly timeMs: number } | undefined
  #unfinished: BatchInfo | undefined
  #isRunning = false
  /** Whether the scheduler has already waited one interval since the clock was set back. */
  #hasWaited = false
  #isStopping = false

  constructor({ batchIntervalMs, planned, committedBatchId }: BatchSchedulerOptions) {
    this.#intervalMs = batchIntervalMs
    this.#latest = planned
    if (planned === undefined) return
    // A batch is committed before the next one is planned, so at most one can be pending.
    assert(
      committedBatchId === planned.batchId || committedBatchId === planned.batchId - 1,
      `the offset log ends at batch ${planned.batchId} and the commit log at ${committedBatchId}: they do not match`,
    )
    if (committedBatchId < planned.batchId) this.#unfinished = planned
  }

  /**
   * Returns what to do at wall-clock time `nowMs`. After `rerun` or `plan`, report `finished` or
   * `abandoned`.
   */
  next(nowMs: number): BatchDecision {
    assert(!this.#isRunning, 'one batch at a time')
    if (this.#isStopping) return { kind: 'stop' }
    if (this.#unfinished) {
      this.#isRunning = true
      return { kind: 'rerun', batch: this.#unfinished }
    }
    const delayMs = this.#delayMs(nowMs)
    if (delayMs > 0) return { kind: 'wait', delayMs }
    this.#hasWaited = false
    this.#isRunning = true
    return { kind: 'plan', batchId: (this.#latest?.batchId ?? -1) + 1, timeMs: this.#time(nowMs) }
  }

  finished(batch: { readonly batchId: number; readonly timeMs: number }): void {
    assert(this.#isRunning, 'no batch was running')
    this.#isRunning = false
    this.#unfinished = undefined
    this.#latest = batch
  }

  /** The batch was neither planned nor run, and nothing was written. */
  abandoned(): void {
    assert(this.#isRunning, 'no batch was running')
    this.#isRunning = false
  }

  /** Begins no further batch. */
  stop(): void {
    this.#isStopping = true
  }

  /** When the clock was set back, the next batch is due after one interval, not at the old time. */
  #delayMs(nowMs: number): number {
    if (this.#latest === undefined) return 0
    const delayMs = this.#latest.timeMs + this.#intervalMs - nowMs
    if (delayMs <= this.#intervalMs) return delayMs
    if (this.#hasWaited) return 0
    this.#hasWaited = true
    return this.#intervalMs
  }

  /** Nominal times are multiples of the interval and always advance. */
  #time(nowMs: number): number {
    return Math.max(this.#floor(nowMs), (this.#latest?.timeMs ?? -Infinity) + this.#intervalMs)
  }

  #floor(timeMs: number): number {
    return Math.floor(timeMs / this.#intervalMs) * this.#intervalMs
  }
}
