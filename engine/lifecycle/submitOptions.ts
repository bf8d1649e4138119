// The options of submitJob: defaults and validation, including combinations that exclude each
// other.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { EngineError } from '../engineError.ts'
import type { StartExecutor } from '../executor/task.ts'
import { type BatchBounds, requireBounds } from '../scheduler/batchBounds.ts'

export interface SubmitOptions extends BatchBounds {
  readonly runtime: Runtime
  readonly logger: Logger
  /** Path or URL of a module whose default export is a job. */
  readonly module: URL | string
  readonly bootstrap: readonly Address[]
  /** Job directory for checkpoint and state; never shared by two jobs. */
  readonly directory: string
  /**
   * Number of worker threads that run tasks; 0 runs tasks in the calling thread. 2 unless given.
   */
  readonly executors?: number
  /** Starts executors otherwise than in worker threads, as a simulator does. */
  readonly startExecutor?: StartExecutor
  /** Interval between starts of batches, in ms. 1,000 unless given. */
  readonly batchIntervalMs?: number
  /**
   * `committed` unless given: records of aborted transactions are skipped, and a batch ends before
   * the first open transaction. With `uncommitted`, processing is not exactly once for
   * transactional producers.
   */
  readonly isolation?: Isolation
  /**
   * Limit on one attempt of a task, in ms; when it is exceeded, the executor is terminated and the
   * attempt has failed. 300,000 unless given. Refused with 0 executors: the calling thread cannot
   * be interrupted.
   */
  readonly taskTimeoutMs?: number
  /** Savepoint that initializes a new directory; a directory initialized from it continues. */
  readonly from?: string
  /** Uids of operators whose state is discarded if the new code cannot continue it. */
  readonly discardState?: readonly string[]
  /** Version of this program, for savepoints. */
  readonly version?: string
  /** Name of this host, for the job's status. */
  readonly host?: string
}

export const defaultBatchIntervalMs = 1000
export const defaultExecutors = 2
export const defaultTaskTimeoutMs = 300_000

/** Validates the options. Throws JOB_OPTION_INVALID. */
export function requireOptions(options: SubmitOptions): void {
  requireBounds(options)
  const { executors, taskTimeoutMs } = options
  if (taskTimeoutMs === undefined) return
  if (!Number.isSafeInteger(taskTimeoutMs) || taskTimeoutMs < 1) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `invalid taskTimeoutMs ${taskTimeoutMs}: expected an integer of at least 1, in ms`,
    )
  }
  if (executors !== 0) return
  throw new EngineError(
    'JOB_OPTION_INVALID',
    'taskTimeoutMs requires executors: with 0 executors, tasks run in the calling thread, which cannot be ' +
      'interrupted; set at least 1 executor, or remove taskTimeoutMs',
  )
}
