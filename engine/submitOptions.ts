// What a job is submitted with: the options, their defaults, and which of them go together.

import type { Isolation } from '../protocol/client/isolation.ts'
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import { EngineError } from './engineError.ts'
import { type BatchBounds, requireBounds } from './scheduler/batchBounds.ts'

export interface SubmitOptions extends BatchBounds {
  readonly runtime: Runtime
  readonly logger: Logger
  /** A file's path or URL; it exports a job by default. */
  readonly module: URL | string
  readonly bootstrap: readonly Address[]
  /** Checkpoint and state of this job alone. */
  readonly directory: string
  /** Worker threads that run tasks, 2 unless given; 0 runs them in the calling thread. */
  readonly executors?: number
  readonly batchIntervalMs?: number
  /**
   * Committed, unless given: an aborted transaction does not count, and a batch ends before the first
   * open one. Only that is exactly once.
   */
  readonly isolation?: Isolation
  /**
   * How long one attempt of a task may take, 5 minutes unless given; then its executor is ended and the
   * attempt has failed. Not with 0 executors: nothing can interrupt the thread that the caller is in.
   */
  readonly taskTimeoutMs?: number
  /** A savepoint with which the directory begins; a directory that began with it goes on where it stopped. */
  readonly from?: string
  /** Uids of operators whose state is given up where it cannot be continued. */
  readonly discardState?: readonly string[]
  /** Version of this program, for savepoints. */
  readonly version?: string
  /** Name of this host, for the job's status. */
  readonly host?: string
}

export const defaultBatchIntervalMs = 1000
export const defaultExecutors = 2
export const defaultTaskTimeoutMs = 300_000

/** Throws JOB_OPTION_INVALID. */
export function requireOptions(options: SubmitOptions): void {
  requireBounds(options)
  const { executors, taskTimeoutMs } = options
  if (taskTimeoutMs === undefined) return
  if (!Number.isSafeInteger(taskTimeoutMs) || taskTimeoutMs < 1) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `taskTimeoutMs is ${taskTimeoutMs}; give an integer of at least 1 (ms)`,
    )
  }
  if (executors !== 0) return
  throw new EngineError(
    'JOB_OPTION_INVALID',
    'taskTimeoutMs needs executors: with 0, tasks run in the thread of the caller, which nothing can ' +
      'interrupt; give at least 1 executor, or no limit',
  )
}
