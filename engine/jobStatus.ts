// What a job tells about itself: its newest batches, its views, how far behind it is. Plain
// bookkeeping; sending it anywhere is StatusPublisher's.

import {
  type BatchStatus,
  type JobStatus,
  maxStatusBatches,
  maxViewRows,
  type ViewStatus,
} from '../protocol/telemetry/status.ts'
import type { OffsetLogEntry } from './checkpoint/offsetLog.ts'
import { recordsIn } from './scheduler/rangePlan.ts'
import type { StreamGraph } from './stream/streamGraph.ts'

export type ViewRows = readonly (readonly [key: string, value: number])[]

export interface BatchResult {
  readonly batch: OffsetLogEntry
  readonly startedMs: number
  readonly finishedMs: number
  readonly oldestTimestampMs: number | undefined
  /** By view; a view that was not due in this batch has none. */
  readonly rows: ReadonlyMap<string, ViewRows>
  /** In the log beyond this batch, when it was planned. */
  readonly lagRecords: number
}

export class JobStatusRecord {
  readonly #graph: StreamGraph
  readonly #batches: BatchStatus[] = []
  readonly #views = new Map<string, ViewStatus>()
  #state: JobStatus['state'] = 'running'
  #error: string | undefined
  #lagRecords = 0
  #recordsTotal: number
  #positions: NonNullable<JobStatus['positions']> = []

  constructor(graph: StreamGraph, recordsTotal: number) {
    this.#graph = graph
    this.#recordsTotal = recordsTotal
    for (const output of graph.outputs) {
      if (output.kind !== 'view') continue
      const { name, options } = output
      this.#views.set(name, { name, ...options, batchId: -1, offsets: [], rows: [] })
    }
  }

  batchCommitted(result: BatchResult): void {
    const { batch, startedMs, finishedMs, oldestTimestampMs } = result
    this.#recordsTotal = batch.recordsTotal ?? this.#recordsTotal
    this.#lagRecords = result.lagRecords
    this.#positions = batch.ranges.map(({ topic, partition, until }) => {
      return { topic, partition, until }
    })
    this.#batches.push({
      id: batch.batchId,
      timeMs: batch.timeMs,
      records: recordsIn(batch.ranges),
      schedulingDelayMs: Math.max(0, startedMs - batch.timeMs),
      processingTimeMs: finishedMs - startedMs,
      totalDelayMs: Math.max(0, finishedMs - batch.timeMs),
      ...(oldestTimestampMs !== undefined && { latencyMs: finishedMs - oldestTimestampMs }),
    })
    if (this.#batches.length > maxStatusBatches) this.#batches.shift()
    const offsets = batch.ranges.map(({ topic, partition, from, until }) => {
      return { topic, partition, from, until }
    })
    for (const [name, rows] of result.rows) {
      const shown = rows.slice(0, maxViewRows).map(([key, value]): [string, number] => [key, value])
      this.#views.set(name, {
        ...this.#views.get(name)!,
        batchId: batch.batchId,
        offsets,
        rows: shown,
      })
    }
  }

  ended(state: 'stopped' | 'failed', error?: Error): void {
    this.#state = state
    this.#error = error?.message.slice(0, 16_000)
  }

  at(timeMs: number): JobStatus {
    return {
      kind: 'job',
      id: `job/${this.#graph.name}`,
      name: this.#graph.name,
      timeMs,
      state: this.#state,
      topics: [...this.#graph.topics],
      batchIntervalMs: this.#graph.batchIntervalMs,
      lagRecords: this.#lagRecords,
      recordsTotal: this.#recordsTotal,
      positions: this.#positions,
      batches: [...this.#batches],
      views: [...this.#views.values()],
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }
}
