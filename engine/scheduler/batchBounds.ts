// The options of a job that bound the size, time and memory of its batches, with their defaults.

import { EngineError } from '../engineError.ts'
import { parseRateConf } from './rateOptions.ts'

export interface BatchBounds {
  /** Maximum records that a batch reads from one partition; 1 million by default. */
  readonly maxRecordsPerPartition?: number
  /**
   * Approximate maximum size of a batch, in bytes of record batches in the log; 256 MiB by default.
   */
  readonly maxBatchBytes?: number
  /**
   * Time after which a batch is cancelled and retried with fewer records, in ms, unless an output
   * has begun. No limit by default. Requires at least one executor.
   */
  readonly maxBatchTimeMs?: number
  /** Estimated memory of map outputs above which they are spilled to disk; 256 MiB by default. */
  readonly maxShuffleBytes?: number
  /** Maximum size of map outputs on disk, 8 GiB by default. A batch that needs more is split. */
  readonly maxSpillBytes?: number
  /**
   * Heap of each executor, in MiB; 2048 by default. An executor that exceeds it is terminated and
   * its batch is split.
   */
  readonly executorMemoryMb?: number
  /** Options under Spark's key names (see rateOptions.ts). */
  readonly conf?: Readonly<Record<string, string>>
}

export const defaultBounds = {
  maxRecordsPerPartition: 1_000_000,
  maxBatchBytes: 256 * 1024 * 1024,
  maxShuffleBytes: 256 * 1024 * 1024,
  maxSpillBytes: 8 * 1024 ** 3,
  executorMemoryMb: 2048,
} as const

/** Node cannot start a worker thread with less. */
const leastMemoryMb = 16

const least: Readonly<Partial<Record<keyof BatchBounds, number>>> = {
  maxRecordsPerPartition: 1,
  maxBatchBytes: 1,
  maxBatchTimeMs: 1,
  maxShuffleBytes: 0,
  maxSpillBytes: 0,
  executorMemoryMb: leastMemoryMb,
}

/** Throws JOB_OPTION_INVALID for an option that is out of bounds. */
export function requireBounds(options: BatchBounds & { readonly executors?: number }): void {
  for (const [name, min] of Object.entries(least)) {
    const value = options[name as keyof typeof options]
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= min)) continue
    throw invalid(`${name} is ${String(value)}; it must be an integer of at least ${min}`)
  }
  if (options.maxBatchTimeMs !== undefined && options.executors === 0) {
    throw invalid(
      'maxBatchTimeMs needs executors: with 0, tasks run in the thread of the caller and cannot be |' +
        'interrupted; set at least 1 executor, or remove the limit',
    )
  }
  parseRateConf(options.conf)
}

function invalid(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
