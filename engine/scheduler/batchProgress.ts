// How far the batch that runs is, for a status and in words.

import { duration } from '../../protocol/telemetry/figures.ts'
import type { RunningAttempt } from './taskAttempts.ts'

export interface ActiveStage {
  /** Counted from 1, stages before those that read their output; of all that the running jobs need. */
  readonly ordinal: number
  readonly of: number
  /** The operator that ends the stage. */
  readonly operator: string
  readonly partitions: number
  readonly done: number
  /** The task that has run longest; undefined while its tasks wait for an executor. */
  readonly oldest?: RunningAttempt | undefined
}

export interface BatchProgress {
  readonly batchId: number
  readonly sinceMs: number
  /** Stages whose tasks run now. */
  readonly stages: readonly ActiveStage[]
}

/** `batch 17 for 60 s, partition 3 of stage 2 (reduceByKey)`: the task that has run longest. */
export function describeProgress(
  { batchId, sinceMs, stages }: BatchProgress,
  nowMs: number,
): string {
  // A clock that was set back makes no negative time.
  const batch = `batch ${batchId} for ${duration(Math.max(0, nowMs - sinceMs))}`
  let slowest: ActiveStage | undefined
  for (const stage of stages) {
    if (stage.oldest === undefined) continue
    if (slowest === undefined || stage.oldest.sinceMs < slowest.oldest!.sinceMs) slowest = stage
  }
  // Functions of foreachRDD run in the driver, and so do the steps before and after the tasks.
  if (slowest === undefined) return `${batch}, no task: in the driver`
  const { ordinal, operator } = slowest
  const { partition, attempt } = slowest.oldest!
  const again = attempt > 1 ? `, attempt ${attempt}` : ''
  return `${batch}, partition ${partition} of stage ${ordinal} (${operator})${again}`
}
