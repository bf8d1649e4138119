// The status of a job: its newest batches, its views, its lag. Bookkeeping only; StatusPublisher
// sends it.

import {
  type BatchStatus,
  type JobStatus,
  maxNamed,
  maxRejectedShown,
  maxRunningTasks,
  maxStatusBatches,
  maxViewRows,
  type RejectedStatus,
  type ViewStatus,
} from '../../protocol/telemetry/status/status.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { EngineError } from '../engineError.ts'
import type { RunningAttempt } from '../scheduler/taskAttempts.ts'
import type { RejectedRecords } from '../sources/rejectedRecords.ts'
import type { StreamGraph } from '../stream/streamGraph.ts'

/** Keys and values of a view. */
export type ViewRows = readonly (readonly [key: string, value: number])[]

export interface BatchResult {
  readonly batch: OffsetLogEntry
  readonly records: number
  /** Records of all batches since the job first started. */
  readonly recordsTotal: number
  readonly startedMs: number
  readonly finishedMs: number
  readonly oldestTimestampMs: number | undefined
  /** Rows by view; a view that was not due in this batch is missing. */
  readonly rows: ReadonlyMap<string, ViewRows>
  /** Records in the log after this batch, when it was planned. */
  readonly lagRecords: number
}

/** The running batch, with the tasks of the executors. */
export interface RunningBatch {
  readonly batchId: number
  readonly sinceMs: number
  /** Oldest first. */
  readonly tasks: readonly RunningAttempt[]
  /** See describeProgress. */
  readonly text: string
  /** Tasks of the stages that are running. */
  readonly tasksDone: number
  readonly tasksTotal: number
  /** The error of an output that is being retried. */
  readonly failing?: string | undefined
}

/** The process that runs the job, as shown in a status. */
export interface JobProcess {
  readonly startedMs: number
  readonly host?: string | undefined
  /** Version of the job's code, a hash; a status shows its beginning. */
  readonly code?: string | undefined
  /** Number of partitions of each operator's state. */
  readonly partitions: number
}

const shownCodeChars = 12

/** The graph of the job, as shown in a status. */
export type ReportedGraph = Pick<
  StreamGraph,
  'name' | 'topics' | 'batchIntervalMs' | 'outputs' | 'operators'
>

/** Maximum characters of a key in a status. Keys are data, and may have any length. */
const longestKey = 1000

export class JobStatusRecord {
  readonly #graph: ReportedGraph
  readonly #instance: string
  readonly #batches: BatchStatus[] = []
  readonly #views = new Map<string, ViewStatus>()
  #state: JobStatus['state'] = 'running'
  #error: string | undefined
  #lagRecords = 0
  #recordsTotal: number
  #positions: NonNullable<JobStatus['positions']> = []
  readonly #process: JobProcess
  #address: string | undefined
  #watermarks: JobStatus['watermarks']
  #rejected: RejectedStatus = { total: 0, topics: [], first: [] }
  #lostRecords = 0
  #waiting: string | undefined
  #lateRows = 0

  /** `instance` distinguishes copies of the job in other directories. */
  constructor(graph: ReportedGraph, instance: string, recordsTotal: number, process: JobProcess) {
    this.#graph = graph
    this.#instance = instance
    this.#recordsTotal = recordsTotal
    this.#process = process
    for (const output of graph.outputs) {
      if (output.kind !== 'view') continue
      const { name, options } = output
      const view = { name, title: name, chart: 'bar' as const, ...options }
      this.#views.set(name, { ...view, batchId: -1, offsets: [], rows: [] })
    }
  }

  /**
   * `lagRecords`: records in the log after the newest committed batch. Updated while a batch hangs,
   * too.
   */
  lags(lagRecords: number): void {
    this.#lagRecords = lagRecords
  }

  /** Sets the address of the job; undefined for none. */
  announce(address: string | undefined): void {
    this.#address = address
  }

  /** Adds records rejected by a batch, each once. Their errors must contain no data of the user. */
  rejected(rejected: Pick<RejectedRecords, 'total' | 'counts' | 'first'>): void {
    const { total, first } = this.#rejected
    const topics = new Map(this.#rejected.topics.map(({ topic, records }) => [topic, records]))
    for (const [topic, records] of rejected.counts) {
      topics.set(topic, (topics.get(topic) ?? 0) + records)
    }
    const shown = rejected.first
      .slice(0, maxRejectedShown - first.length)
      .map(({ topic, partition, offset, error }) => {
        return { topic, partition, offset, error: error.slice(0, longestKey) }
      })
    this.#rejected = {
      total: total + rejected.total,
      topics: [...topics].slice(0, maxNamed).map(([topic, records]) => ({ topic, records })),
      first: [...first, ...shown],
    }
  }

  /** Sets the reason why no batch can be planned; undefined when one can. */
  waitsFor(reason: string | undefined): void {
    this.#waiting = reason?.slice(0, longestKey)
  }

  /** Adds records removed from the topics before the job had read them. */
  lost(records: number): void {
    this.#lostRecords += records
  }

  /** Adds rows behind the watermark. */
  late(rows: number): void {
    this.#lateRows += rows
  }

  batchCommitted(result: BatchResult): void {
    const { batch, startedMs, finishedMs, oldestTimestampMs } = result
    this.#recordsTotal = result.recordsTotal
    this.#lagRecords = result.lagRecords
    this.#positions = batch.ranges.map(({ topic, partition, until }) => {
      return { topic, partition, until }
    })
    this.#watermarks = shownWatermarks(batch.watermarks)
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
      ...(running === undefined ? {} : shownRunning(running)),
      ...(this.#waiting === undefined || this.#state !== 'running'
        ? {}
        : { waiting: this.#waiting }),
      ...this.#shownProcess(),
      ...(this.#watermarks === undefined ? {} : { watermarks: this.#watermarks }),
      ...(this.#rejected.total === 0 ? {} : { rejected: this.#rejected }),
      ...(this.#lostRecords === 0 ? {} : { lostRecords: this.#lostRecords }),
      ...(this.#lateRows === 0 ? {} : { lateRows: this.#lateRows }),
    }
  }

  #shownProcess(): Partial<JobStatus> {
    const { startedMs, host, code, partitions } = this.#process
    const operators = this.#graph.operators.slice(0, maxNamed).map(({ uid, kind, codec }) => {
      return { uid, kind, codec, partitions }
    })
    return {
      startedMs,
      ...(host === undefined ? {} : { host }),
      // A job that has ended has no address.
      ...(this.#address === undefined || this.#state !== 'running'
        ? {}
        : { address: this.#address }),
      ...(code === undefined ? {} : { code: code.slice(0, shownCodeChars) }),
      ...(operators.length === 0 ? {} : { operators }),
    }
  }
}

/** Shows the tasks that have run longest. */
function shownRunning(running: RunningBatch): Pick<JobStatus, 'running' | 'progress' | 'failing'> {
  const { batchId, sinceMs, tasks, text, tasksDone, tasksTotal, failing } = running
  return {
    running: {
      ...{ batchId, sinceMs },
      tasks: tasks.slice(0, maxRunningTasks).map((task) => ({ ...task })),
    },
    progress: { text: text.slice(0, longestKey), batchId, sinceMs, tasksDone, tasksTotal },
    ...(failing === undefined ? {} : { failing: failing.slice(0, longestKey) }),
  }
}

function shownWatermarks(
  watermarks: Readonly<Record<string, number>> | undefined,
): JobStatus['watermarks'] {
  const entries = Object.entries(watermarks ?? {})
  return entries.length === 0 ? undefined : Object.fromEntries(entries.slice(0, maxNamed))
}
