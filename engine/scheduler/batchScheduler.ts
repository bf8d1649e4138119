// When which batch runs. A state machine without I/O: it is asked what to do next and told what was
// done. One batch at a time; intervals that were missed, because a batch took long or the job was
// away, become one batch, so that a job that fell behind catches up in few large steps.

import { assert } from '../../protocol/runtime/assert.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'

export type BatchDecision =
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** A batch that was planned, perhaps run, and not committed: with exactly its ranges. */
  | { readonly kind: 'rerun'; readonly batch: BatchInfo }
  | { readonly kind: 'plan'; readonly batchId: number; readonly timeMs: number }
  | { readonly kind: 'stop' }

export interface BatchSchedulerOptions {
  readonly batchIntervalMs: number
  /** The newest batch in the offset log; undefined when there is none. */
  readonly planned: BatchInfo | undefined
  /** The newest batch in the commit log; -1 when there is none. */
  readonly committedBatchId: number
}

export class BatchScheduler {
  readonly #intervalMs: number
  #latest: { readonly batchId: number; readonly timeMs: number } | undefined
  #unfinished: BatchInfo | undefined
  #isRunning = false
  /** For the clock to reach a time that it had reached before. */
  #hasWaited = false
  #isStopping = false

  constructor({ batchIntervalMs, planned, committedBatchId }: BatchSchedulerOptions) {
    this.#intervalMs = batchIntervalMs
    this.#latest = planned
    if (planned === undefined) return
    // An older batch is committed before the next one is planned, so no other can be open.
    assert(
      committedBatchId === planned.batchId || committedBatchId === planned.batchId - 1,
      `batch ${planned.batchId} is planned and ${committedBatchId} committed: the logs do not match`,
    )
    if (committedBatchId < planned.batchId) this.#unfinished = planned
  }

  /** What to do at wall-clock time `nowMs`. After `rerun` and `plan`, `finished` comes first. */
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

  /** The batch that was to be planned, or run again, was not, and nothing was written. */
  abandoned(): void {
    assert(this.#isRunning, 'no batch was running')
    this.#isRunning = false
  }

  /** No further batch is begun. */
  stop(): void {
    this.#isStopping = true
  }

  /** A clock that was set back is not waited for: one interval, and the next batch is due. */
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
