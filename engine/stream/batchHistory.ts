// The batches a job remembers: when each was and what it read. It is all that a graph of streams
// needs to know of the past, and the same in the driver and in every executor.

import { assert } from '../../protocol/runtime/assert.ts'
import type { OffsetRange } from '../sources/scan.ts'

/** What is fixed about a batch before it runs. */
export interface BatchInfo {
  readonly batchId: number
  /** The nominal time, a multiple of the batch interval, in milliseconds since the epoch. */
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  /**
   * The watermark with which the batch runs, by the uid of its withWatermark (of a union: those of its streams,
   * with '+' between them), in milliseconds since the epoch. Fixed when the batch is planned, from what committed batches have read: a rerun has the same.
   * A uid is missing until its topics have given a time.
   */
  readonly watermarks?: Readonly<Record<string, number>> | undefined
}

export class BatchHistory {
  /** Oldest first, without gaps in their ids. */
  #batches: BatchInfo[] = []

  /** A batch that is known already is run again: those after it are forgotten. */
  add(batch: BatchInfo): void {
    this.#batches = this.#batches.filter(({ batchId }) => batchId < batch.batchId)
    const latest = this.#batches.at(-1)
    assert(
      latest === undefined ||
        (latest.batchId + 1 === batch.batchId && latest.timeMs < batch.timeMs),
      `batch ${batch.batchId} follows batch ${latest?.batchId}`,
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

  /** Batches up to `batchId`, oldest first. */
  upTo(batchId: number): BatchInfo[] {
    return this.#batches.filter((batch) => batch.batchId <= batchId)
  }

  /**
   * Forgets what no window can reach from the newest batch on: a window slides from where it stood
   * at the batch before, so that is where `rememberMs` counts from. Returns the oldest id kept.
   */
  prune(rememberMs: number): number {
    const stood = this.#batches.at(-2)?.timeMs ?? -Infinity
    while (this.#batches.length > 2 && this.#batches[0]!.timeMs <= stood - rememberMs) {
      this.#batches.shift()
    }
    return this.#batches[0]?.batchId ?? 0
  }
}
