// The options of a job that bound its batches and what they may take, and their defaults.

import { EngineError } from '../engineError.ts'
import { parseRateConf } from './rateOptions.ts'

export interface BatchBounds {
  /** The most that a batch reads of one partition, 1 million unless given. */
  readonly maxRecordsPerPartition?: number
  /** The most that a batch reads, about, in bytes as they lie in the log; 256 MiB unless given. */
  readonly maxBatchBytes?: number
  /**
   * After so long a batch is broken off and tried with fewer records, unless an output has begun; no limit
   * unless given. Not with 0 executors.
   */
  readonly maxBatchTimeMs?: number
  /** Estimated memory of map outputs, beyond which they go to disk; 256 MiB unless given. */
  readonly maxShuffleBytes?: number
  /** Of map outputs on disk, 8 GiB unless given: a batch that needs more is split. */
  readonly maxSpillBytes?: number
  /** Heap of each executor, 2048 unless given: one that needs more dies alone, and its batch is split. */
  readonly executorMemoryMb?: number
  /** Options under the names of Spark (see rateOptions). */
  readonly conf?: Readonly<Record<string, string>>
}

export const defaultBounds = {
  maxRecordsPerPartition: 1_000_000,
  maxBatchBytes: 256 * 1024 * 1024,
  maxShuffleBytes: 256 * 1024 * 1024,
  maxSpillBytes: 8 * 1024 ** 3,
  executorMemoryMb: 2048,
} as const

/** Below this Node cannot start a thread. */
const leastMemoryMb = 16

const least: Readonly<Partial<Record<keyof BatchBounds, number>>> = {
  maxRecordsPerPartition: 1,
  maxBatchBytes: 1,
  maxBatchTimeMs: 1,
  maxShuffleBytes: 0,
  maxSpillBytes: 0,
  executorMemoryMb: leastMemoryMb,
}

/** Throws JOB_OPTION_INVALID for an option that cannot be used. */
export function requireBounds(options: BatchBounds & { readonly executors?: number }): void {
  for (const [name, min] of Object.entries(least)) {
    const value = options[name as keyof typeof options]
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= min)) continue
    throw invalid(`${name} is ${String(value)}; give a whole number of at least ${min}`)
  }
  if (options.maxBatchTimeMs !== undefined && options.executors === 0) {
    throw invalid(
      'maxBatchTimeMs needs executors: with 0, tasks run in the thread of the caller, which nothing can ' +
        'interrupt; give at least 1 executor, or no limit',
    )
  }
  parseRateConf(options.conf)
}

function invalid(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
