// Limits of batches for tests: records per partition, and none by time or bytes.

import type { TaskReport } from '../../../engine/executor/task.ts'
import { RateLimits } from '../../../engine/scheduler/rateLimits.ts'
import { parseRateConf } from '../../../engine/scheduler/rateOptions.ts'
import type { RangeRead } from '../../../engine/sources/scan.ts'

export function limitsOf(maxRecordsPerPartition: number): RateLimits {
  return new RateLimits({
    batchIntervalMs: 1000,
    maxRecordsPerPartition,
    maxBatchBytes: Number.MAX_SAFE_INTEGER,
    conf: parseRateConf({ 'spark.streaming.backpressure.enabled': 'false' }),
  })
}

/** The report of a task that has read the ranges to their ends. */
export function reportOf(...ranges: RangeRead[]): TaskReport {
  return {
    taskId: 1,
    outcome: { kind: 'finished', value: undefined },
    oldestTimestampMs: undefined,
    ranges,
    rejected: [],
    eventTimes: [],
  }
}
