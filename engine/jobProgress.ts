// What the batch that runs is doing, in one line: `batch 17 for 60 s, partition 3 of stage 2`.

import { duration } from '../protocol/telemetry/figures.ts'
import type { RunningAttempt } from './scheduler/taskAttempts.ts'

/** The batch that runs, and what executors do for it. */
export interface RunningBatch {
  readonly batchId: number
  readonly sinceMs: number
  /** The oldest first. */
  readonly tasks: readonly RunningAttempt[]
  /** Tasks of the stages that are known so far; undefined when that is not counted. */
  readonly tasksDone?: number | undefined
  readonly tasksTotal?: number | undefined
  /** The line itself, where the scheduler knows more than the tasks say. */
  readonly text?: string | undefined
}

/** Tasks that the line names: the ones that have run longest hold the batch up. */
const namedTasks = 1

export function progressText(running: RunningBatch, nowMs: number): string {
  const { batchId, sinceMs, tasks, tasksDone, tasksTotal } = running
  if (running.text !== undefined) return running.text
  const done = tasksTotal === undefined ? [] : [`${tasksDone ?? 0} of ${tasksTotal} tasks done`]
  const named = tasks.slice(0, namedTasks).map(taskText)
  const more = tasks.length - named.length
  return [
    `batch ${batchId} for ${since(sinceMs, nowMs)}`,
    ...done,
    ...named,
    ...(more > 0 ? [`${more} more ${more === 1 ? 'task' : 'tasks'}`] : []),
    // Functions of foreachRDD run in the driver, and so do the steps before and after the tasks.
    ...(tasks.length === 0 ? ['no task: in the driver'] : []),
  ].join(', ')
}

function taskText({ partition, stage, operator, attempt }: RunningAttempt): string {
  const again = attempt > 1 ? `, attempt ${attempt}` : ''
  return `partition ${partition} of stage ${stage} (${operator})${again}`
}

/** A clock that was set back makes no negative time. */
function since(sinceMs: number, nowMs: number): string {
  return duration(Math.max(0, nowMs - sinceMs))
}
