// A job that runs, as its callers see it: the command line, the job's own address, embedding programs.
// Everything in these types is plain, so that it can cross threads.

import type { JobStatus } from '../protocol/telemetry/status.ts'
import type { JobFigures } from './jobFigures.ts'
import type { Key } from './rdd/key.ts'

export interface RunningJob {
  readonly name: string
  /** Resolves when the job was stopped; rejects when it failed. */
  readonly finished: Promise<void>
  /**
   * Graceful, unless said otherwise: the batch that runs is finished first, but no longer than
   * `timeoutMs` (10 s unless given) is waited for it. A batch that is broken off runs again, from the
   * same state, when the job is started again.
   */
  stop(options?: StopOptions): Promise<void>
  status(): JobStatus
  /** What the job's metrics are read from. */
  figures(): JobFigures
  /** Called after each committed batch. Returns what ends that. */
  onBatch(listener: (status: JobStatus) => void): () => void
  /** Where the job answers from now on; its status says so. Undefined: nowhere. */
  announce(address: string | undefined): void
  describe(): JobDescription
  /**
   * Values of an operator's state as of the newest committed batch. Fails with an EngineError for an
   * operator or a key that cannot be. Undefined where the engine cannot do it.
   */
  readonly queryState?: ((request: StateRequest) => Promise<StatePage>) | undefined
  /**
   * Writes a savepoint into the directory `target`, between two batches. Undefined where the engine
   * cannot do it.
   */
  readonly savepoint?: ((target: string) => Promise<SavepointReport>) | undefined
}

export interface StopOptions {
  readonly graceful?: boolean
  readonly timeoutMs?: number
}

export interface JobDescription {
  readonly name: string
  /** Tells copies of the job in directories of their own apart. */
  readonly instance: string
  readonly directory: string
  readonly topics: readonly string[]
  readonly batchIntervalMs: number
  readonly partitions: number
  /** Version of the job's code: SHA-256, in hexadecimal. */
  readonly code: string
  /** Streams that keep state. */
  readonly operators: readonly OperatorDescription[]
  /** Paths of the files that are the job's code; undefined when they were not recorded. */
  readonly files?: readonly string[] | undefined
}

export interface OperatorDescription {
  readonly uid: string
  /** Whether the job gave the uid. */
  readonly isNamed: boolean
  /** `updateStateByKey`, `sessions` */
  readonly kind: string
  /** What the meaning of the state depends on besides the kind, as text. */
  readonly shape: string
  /** Name of the codec of the values. */
  readonly codec: string
  readonly partitions: number
}

/** Without `keys`, entries are listed: partition by partition, in the order of the store. */
export interface StateRequest {
  /** Uid of the operator. */
  readonly operator: string
  readonly keys?: readonly Key[] | undefined
  /** `after` of the page before: continues the list there. */
  readonly after?: string | undefined
  /** Most entries of the page. */
  readonly limit: number
}

export interface StatePage {
  /** The values are as they were after this batch. -1: no batch has been committed. */
  readonly batchId: number
  /** For `keys`: one for each, in their order; `value` is undefined when there is none. */
  readonly entries: readonly StateValue[]
  /** Asks for the next page; undefined on the last one. */
  readonly after?: string | undefined
}

export interface StateValue {
  readonly key: Key
  readonly value: unknown
}

export interface SavepointReport {
  readonly target: string
  /** The savepoint is of the state after this batch. */
  readonly batchId: number
  readonly bytes?: number | undefined
}
