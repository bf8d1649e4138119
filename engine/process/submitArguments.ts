// The arguments of `millrace job submit`, as the command line passes them to the main thread and
// this to the driver's thread.

import type { Isolation } from '../../protocol/client/consumer/isolation.ts'
import type { LoggingOptions } from '../../protocol/telemetry/logging/programLog.ts'
import type { JobDescription } from '../lifecycle/runningJob.ts'

export interface SubmitArguments extends LoggingOptions {
  /** The job module's file. */
  readonly job: string
  /** Comma-separated `host:port`. */
  readonly bootstrap: string
  /** Directory of the job's checkpoint and state. */
  readonly directory: string
  /** Whether the directory was chosen because an earlier version put the job there. */
  readonly formerDirectory?: boolean | undefined
  readonly executors?: number | undefined
  /** Memory of each executor, in MiB. */
  readonly executorMemory?: number | undefined
  readonly batchIntervalMs?: number | undefined
  readonly taskTimeoutMs?: number | undefined
  readonly maxRecordsPerPartition?: number | undefined
  readonly maxBatchBytes?: number | undefined
  readonly maxBatchTimeMs?: number | undefined
  readonly isolationLevel?: Isolation | undefined
  readonly conf?: Readonly<Record<string, string>> | undefined
  /** The savepoint that initializes a new directory. */
  readonly from?: string | undefined
  /** Uids of operators whose state is discarded where the new code cannot continue it. */
  readonly discardState?: readonly string[] | undefined
  /** Version of this program, for savepoints. */
  readonly version?: string | undefined
  /** Address of the job's HTTP server, `host:port`; a free port of 127.0.0.1 unless given. */
  readonly listen?: string | undefined
  /** Allows a `listen` address that is reachable from other hosts. */
  readonly insecure?: boolean | undefined
  /** File with the options of the coordination in which the job registers. */
  readonly coordination?: string | undefined
  /** Restarts the job when its code changes. */
  readonly watch?: boolean | undefined
}

/** Arguments of the driver's thread. */
export interface DriverArguments extends SubmitArguments {
  /** When set, the thread only checks whether the module can continue this job. */
  readonly check?: JobDescription | undefined
  /** Whether the types of this version have already been checked. */
  readonly isChecked?: boolean | undefined
}
