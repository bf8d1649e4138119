// How far the batch that runs is, for a status and in words.

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
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000))
  const batch = `batch ${batchId} for ${seconds} s`
  let slowest: ActiveStage | undefined
  for (const stage of stages) {
    if (stage.oldest === undefined) continue
    if (slowest === undefined || stage.oldest.sinceMs < slowest.oldest!.sinceMs) slowest = stage
  }
  if (slowest === undefined) return `${batch}, no task runs`
  const { oldest, ordinal, operator } = slowest
  return `${batch}, partition ${oldest!.partition} of stage ${ordinal} (${operator})`
}
