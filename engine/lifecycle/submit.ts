// Starts a job: imports its module, opens its directory, and starts its parts.

import { type LoadedJob, loadJob } from '../jobModule.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { closeJob, type OpenedJob, openJob } from './jobOpening.ts'
import type { RunningJob } from './runningJob.ts'
import { defaultBatchIntervalMs, requireOptions, type SubmitOptions } from './submitOptions.ts'
import { SubmittedJob } from './submittedJob.ts'

export type { RunningJob } from './runningJob.ts'
export type { SubmitOptions } from './submitOptions.ts'

/**
 * Starts the job and resolves once its executors are up; it then waits for missing topics. Rejects
 * with an EngineError for an invalid module or directory, and for code that cannot continue the
 * existing state.
 */
export async function submitJob(options: SubmitOptions): Promise<RunningJob> {
  requireOptions(options)
  const { runtime, logger, directory, from, discardState } = options
  const { disk } = runtime
  const loaded = await loadJob(disk, options.module)
  const { job, code } = loaded
  const batchIntervalMs = options.batchIntervalMs ?? defaultBatchIntervalMs
  const { operators } = new StreamGraph(job, { batchIntervalMs })
  const opened = await openJob({
    ...{ runtime, logger, directory, job, code: code.version, operators, from, discardState },
  })
  const running = await submitted(options, loaded, opened)
  try {
    await running.start()
    return running
  } catch (error) {
    await running.abandon()
    throw error
  }
}

async function submitted(
  options: SubmitOptions,
  loaded: LoadedJob,
  opened: OpenedJob,
): Promise<SubmittedJob> {
  try {
    return new SubmittedJob(options, loaded, opened)
  } catch (error) {
    await closeJob(opened)
    throw error
  }
}
