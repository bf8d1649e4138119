// The recent batches of a job, with their times and ranges. A stream graph has no other memory of
// the past. The history must be the same in the driver and in every executor.

import { assert } from '../../protocol/runtime/assert.ts'
import type { OffsetRange } from '../sources/scan.ts'

/** The part of a batch that is fixed before it runs. */
export interface BatchInfo {
  readonly batchId: number
  /** Nominal time, a multiple of the batch interval, in milliseconds since the epoch. */
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  /**
   * Watermarks of the batch in milliseconds since the epoch, by the uid of the withWatermark (for a
   * union, those of its streams joined by '+'). Fixed when the batch is planned, from what
   * committed batches have read, so that a rerun has the same. A uid is missing until its topics
   * have given an event time.
   */
  readonly watermarks?: Readonly<Record<string, number>> | undefined
}

export class BatchHistory {
  /** Oldest first, with consecutive ids. */
  #batches: BatchInfo[] = []

  /**
   * Adds a batch. For a batch that is already known (a rerun), it and all later ones are replaced.
   */
  add(batch: BatchInfo): void {
    this.#batches = this.#batches.filter(({ batchId }) => batchId < batch.batchId)
    const latest = this.#batches.at(-1)
    assert(
      latest === undefined ||
        (latest.batchId + 1 === batch.batchId && latest.timeMs < batch.timeMs),
      `batch ${batch.batchId} must not follow batch ${latest?.batchId}`,
    )
    this.#batches.push(batch)
  }

  get(batchId: number): BatchInfo | undefined {
    const oldest = this.#batches[0]
    return oldest && this.#batches[batchId - oldest.batchId]
  }

  before(batchId: number): BatchInfo | undefined {
    return this.get(batchId - 1)
  }

  /** Returns the batches up to `batchId`, oldest first. */
  upTo(batchId: number): BatchInfo[] {
    return this.#batches.filter((batch) => batch.batchId <= batchId)
  }

  /**
   * Drops the batches that no window can reach from the newest one on. A window slides from its
   * position at the previous batch, so `rememberMs` counts from there. Returns the oldest id kept.
   */
  prune(rememberMs: number): number {
    const stood = this.#batches.at(-2)?.timeMs ?? -Infinity
    while (this.#batches.length > 2 && this.#batches[0]!.timeMs <= stood - rememberMs) {
      this.#batches.shift()
    }
    return this.#batches[0]?.batchId ?? 0
  }
}
