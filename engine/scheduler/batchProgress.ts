// The progress of the running batch, as data for a status and as a line of text.

import { duration } from '../../protocol/telemetry/figures.ts'
import type { RunningAttempt } from './taskAttempts.ts'

export interface ActiveStage {
  /** Counted from 1 over the stages of all running jobs, parents before children. */
  readonly ordinal: number
  readonly of: number
  /** The operator at the end of the stage. */
  readonly operator: string
  readonly partitions: number
  readonly done: number
  /** The task that has run longest; undefined while the stage's tasks wait for an executor. */
  readonly oldest?: RunningAttempt | undefined
}

export interface BatchProgress {
  readonly batchId: number
  readonly sinceMs: number
  /** Stages with running tasks. */
  readonly stages: readonly ActiveStage[]
}

/**
 * Returns for example `batch 17 for 60 s, partition 3 of stage 2 (reduceByKey)`, naming the oldest
 * task.
 */
export function describeProgress(
  { batchId, sinceMs, stages }: BatchProgress,
  nowMs: number,
): string {
  // Not negative when the clock was set back.
  const batch = `batch ${batchId} for ${duration(Math.max(0, nowMs - sinceMs))}`
  let slowest: ActiveStage | undefined
  for (const stage of stages) {
    if (stage.oldest === undefined) continue
    if (slowest === undefined || stage.oldest.sinceMs < slowest.oldest!.sinceMs) slowest = stage
  }
  // Functions of foreachRDD, and the steps before and after the tasks, run in the driver.
  if (slowest === undefined) return `${batch}, in the driver (no task is running)`
  const { ordinal, operator } = slowest
  const { partition, attempt } = slowest.oldest!
  const again = attempt > 1 ? `, attempt ${attempt}` : ''
  return `${batch}, partition ${partition} of stage ${ordinal} (${operator})${again}`
}
