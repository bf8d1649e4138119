// What a job tells about itself: its newest batches, its views, how far behind it is. Plain
// bookkeeping; sending it anywhere is StatusPublisher's.

import {
  type BatchStatus,
  type JobStatus,
  maxRunningTasks,
  maxStatusBatches,
  maxViewRows,
  type ViewStatus,
} from '../protocol/telemetry/status.ts'
import type { OffsetLogEntry } from './checkpoint/offsetLog.ts'
import { EngineError } from './engineError.ts'
import type { RunningAttempt } from './scheduler/taskAttempts.ts'
import type { StreamGraph } from './stream/streamGraph.ts'

export type ViewRows = readonly (readonly [key: string, value: number])[]

export interface BatchResult {
  readonly batch: OffsetLogEntry
  readonly records: number
  /** Of all batches, since the job first started. */
  readonly recordsTotal: number
  readonly startedMs: number
  readonly finishedMs: number
  readonly oldestTimestampMs: number | undefined
  /** By view; a view that was not due in this batch has none. */
  readonly rows: ReadonlyMap<string, ViewRows>
  /** In the log beyond this batch, when it was planned. */
  readonly lagRecords: number
}

/** The batch that runs, and what executors do for it. */
export interface RunningBatch {
  readonly batchId: number
  readonly sinceMs: number
  readonly tasks: readonly RunningAttempt[]
}

/** Keys are data and may be of any length; a status has room for so many characters of one. */
const longestKey = 1000

export class JobStatusRecord {
  readonly #graph: StreamGraph
  readonly #instance: string
  readonly #batches: BatchStatus[] = []
  readonly #views = new Map<string, ViewStatus>()
  #state: JobStatus['state'] = 'running'
  #error: string | undefined
  #lagRecords = 0
  #recordsTotal: number
  #positions: NonNullable<JobStatus['positions']> = []

  /** `instance` tells copies of the job in other directories apart. */
  constructor(graph: StreamGraph, instance: string, recordsTotal: number) {
    this.#graph = graph
    this.#instance = instance
    this.#recordsTotal = recordsTotal
    for (const output of graph.outputs) {
      if (output.kind !== 'view') continue
      const { name, options } = output
      const view = { name, title: name, chart: 'bar' as const, ...options }
      this.#views.set(name, { ...view, batchId: -1, offsets: [], rows: [] })
    }
  }

  /** `lagRecords`: in the log beyond the newest committed batch; a batch that hangs must show in it. */
  batchStarted(lagRecords: number): void {
    this.#lagRecords = lagRecords
  }

  batchCommitted(result: BatchResult): void {
    const { batch, startedMs, finishedMs, oldestTimestampMs } = result
    this.#recordsTotal = result.recordsTotal
    this.#lagRecords = result.lagRecords
    this.#positions = batch.ranges.map(({ topic, partition, until }) => {
      return { topic, partition, until }
    })
    this.#batches.push({
      id: batch.batchId,
      timeMs: batch.timeMs,
      records: result.records,
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
      const shown = rows
        .slice(0, maxViewRows)
        .map(([key, value]): [string, number] => [key.slice(0, longestKey), value])
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
    const message = error instanceof EngineError ? error.publicMessage : error?.message
    this.#error = message?.slice(0, 16_000)
  }

  at(timeMs: number, running?: RunningBatch): JobStatus {
    return {
      kind: 'job',
      id: `job/${this.#graph.name}/${this.#instance}`,
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
      ...(running === undefined ? {} : { running: shownRunning(running) }),
    }
  }
}

/** The tasks that have run longest are shown. */
function shownRunning({
  batchId,
  sinceMs,
  tasks,
}: RunningBatch): NonNullable<JobStatus['running']> {
  return { batchId, sinceMs, tasks: tasks.slice(0, maxRunningTasks).map((task) => ({ ...task })) }
}
