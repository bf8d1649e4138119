// The interface between driver and executors. Tasks and reports are plain values, because they
// cross threads: a task names an RDD by its id, which is the same on both sides, and carries the
// buckets that it reads.

import type { ErrorReport } from '../engineError.ts'
import type { Action } from '../rdd/action.ts'
import type { Bucket } from '../rdd/lineage.ts'
import type { RangeRead, RejectedOffsets, RejectedRecord } from '../sources/scan.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'

/** Buckets of all map partitions, by `shuffleInputKey`. */
export type ShuffleInputs = ReadonlyMap<string, readonly Bucket[]>

export type TaskWork =
  /** Writes one map partition of a shuffle; the value is its buckets. */
  | { readonly kind: 'map'; readonly shuffleId: string }
  /** Runs an action on one partition of an RDD. */
  | { readonly kind: 'result'; readonly rddId: string; readonly action: Action }

export interface Task {
  readonly taskId: number
  /** The running batch, also when the task recomputes an output of an earlier batch. */
  readonly batchId: number
  readonly work: TaskWork
  readonly partition: number
  readonly inputs: ShuffleInputs
}

export interface TaskReport {
  readonly taskId: number
  readonly outcome:
    | { readonly kind: 'finished'; readonly value: unknown }
    | { readonly kind: 'failed'; readonly error: ErrorReport }
  /** The oldest timestamp of the records that the task read from topics, in ms. */
  readonly oldestTimestampMs: number | undefined
  /** Ranges that the task read to their end, also when it failed afterwards. */
  readonly ranges: readonly RangeRead[]
  /** Records that the task rejected, up to a limit. Each task that reads a record reports it. */
  readonly rejected: readonly RejectedRecord[]
  /** Offsets of all rejected records, those in `rejected` included. */
  readonly rejectedOffsets?: readonly RejectedOffsets[]
  readonly eventTimes: readonly EventTime[]
}

/** The largest event time that a task read from a topic partition, for a watermark. */
export interface EventTime {
  /** Uid of the withWatermark. */
  readonly watermark: string
  /** `topic-partition` */
  readonly source: string
  readonly timeMs: number
}

/** A query for values of a state that an executor holds, as of a committed batch. */
export interface StateQuery {
  /** Uid of the operator. */
  readonly operator: string
  readonly partition: number
  /** The values are as they were after this batch. */
  readonly batchId: number
  /** Encoded keys; without them entries are listed in the order of the store. */
  readonly keys?: readonly string[] | undefined
  /** Lists the entries after this key. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface StateAnswer {
  readonly entries: StateEntries
  /** There are more entries after the last one. */
  readonly hasMore: boolean
}

/** Encoded keys with decoded values. */
export type StateEntries = readonly (readonly [key: string, value: unknown])[]

export function shuffleInputKey(shuffleId: string, reducePartition: number): string {
  return `${shuffleId}/${reducePartition}`
}

/** An executor, as the driver sees it. */
export interface Executor {
  /** Announces a batch, before its tasks. */
  addBatch(batch: BatchInfo): void
  /** Starts the tasks together, so that they share passes over the same records. */
  run(tasks: readonly Task[]): void
  /**
   * Rejects with an EngineError for a state that this executor does not hold; EXECUTOR_FAILED means
   * that the executor has ended, and that its listener was notified.
   */
  query?(query: StateQuery): Promise<StateAnswer>
  /** Closes the states, so that their files can be read. The next task opens them again. */
  releaseStates?(): Promise<void>
  /** Ends the executor once it has closed its states, or at a timeout. Nothing is reported then. */
  stop(): Promise<void>
  /**
   * Terminates the executor in the middle of its tasks; its listener is not notified. Undefined for
   * an executor in the driver's thread, which cannot be terminated.
   */
  readonly interrupt?: (() => Promise<void>) | undefined
}

export interface ExecutorListener {
  onReport(report: TaskReport): void
  /** The executor died with its tasks. Called at most once, and not after `stop`. */
  onLost(error: Error): void
}

/** Resolves when the executor can take tasks; rejects when it failed to start. */
export type StartExecutor = (slot: number, listener: ExecutorListener) => Promise<Executor>
