// A running job, as seen by its callers: the command line, the job's address, and embedding
// programs. All of these types are plain, so that they can be sent between threads.

import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import type { Key } from '../keys/key.ts'
import type { JobFigures } from '../metrics/jobFigures.ts'

export interface RunningJob {
  readonly name: string
  /** Resolves when the job has stopped; rejects when it has failed. */
  readonly finished: Promise<void>
  /**
   * Stops the job. Gracefully by default: the running batch is finished first, for up to
   * `timeoutMs` (10 s by default). A cancelled batch is rerun from the same state when the job is
   * started again.
   */
  stop(options?: StopOptions): Promise<void>
  status(): JobStatus
  /** The data behind the job's metrics. */
  figures(): JobFigures
  /** Called after each committed batch. Returns a function that removes the listener. */
  onBatch(listener: (status: JobStatus) => void): () => void
  /** Sets the address of the job, for its status; undefined for none. */
  announce(address: string | undefined): void
  describe(): JobDescription
  /**
   * Returns values of an operator's state as of the newest committed batch. Rejects with an
   * EngineError for an unknown operator or an invalid key. Undefined when not supported.
   */
  readonly queryState?: ((request: StateRequest) => Promise<StatePage>) | undefined
  /**
   * Writes a savepoint into the directory `target`, between two batches. Undefined when not
   * supported.
   */
  readonly savepoint?: ((target: string) => Promise<SavepointReport>) | undefined
}

export interface StopOptions {
  readonly graceful?: boolean
  readonly timeoutMs?: number
}

export interface JobDescription {
  readonly name: string
  /** Distinguishes copies of the job in other directories. */
  readonly instance: string
  readonly directory: string
  readonly topics: readonly string[]
  readonly batchIntervalMs: number
  readonly partitions: number
  /** Version of the job's code: SHA-256, in hexadecimal. */
  readonly code: string
  /** Streams with state. */
  readonly operators: readonly OperatorDescription[]
  /** Paths of the files of the job's code; undefined when they were not recorded. */
  readonly files?: readonly string[] | undefined
}

export interface OperatorDescription {
  readonly uid: string
  /** Whether the job gave the uid. */
  readonly isNamed: boolean
  /** For example `updateStateByKey`, `sessions`. */
  readonly kind: string
  /** Parameters that the meaning of the state depends on, as text. */
  readonly shape: string
  /** Name of the codec of the values. */
  readonly codec: string
  readonly partitions: number
}

/** Without `keys`, entries are listed, partition by partition in the order of the store. */
export interface StateRequest {
  /** Uid of the operator. */
  readonly operator: string
  readonly keys?: readonly Key[] | undefined
  /** `after` of the previous page: continues the list there. */
  readonly after?: string | undefined
  /** Maximum entries of the page. */
  readonly limit: number
}

export interface StatePage {
  /** The values are as of this batch. -1: no batch has been committed. */
  readonly batchId: number
  /** For `keys`: one entry per key, in order; `value` is undefined when there is none. */
  readonly entries: readonly StateValue[]
  /** Position of the next page; undefined on the last one. */
  readonly after?: string | undefined
}

export interface StateValue {
  readonly key: Key
  readonly value: unknown
}

export interface SavepointReport {
  readonly target: string
  /** The savepoint is as of this batch. */
  readonly batchId: number
  readonly bytes?: number | undefined
}
