// The process of a simulated driver: what submitJob does, but for the import of a module.

import { openJob } from '../../../../engine/lifecycle/jobOpening.ts'
import type { RunningJob } from '../../../../engine/lifecycle/runningJob.ts'
import type { SubmitOptions } from '../../../../engine/lifecycle/submitOptions.ts'
import { SubmittedJob } from '../../../../engine/lifecycle/submittedJob.ts'
import { StateTransfer } from '../../../../engine/state/stateTransfer.ts'
import { StreamGraph } from '../../../../engine/stream/streamGraph.ts'
import type { Logger } from '../../../../protocol/telemetry/logging/logger.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { brokerPort } from '../broker/brokerProgram.ts'
import { brokerHost } from '../scene/scene.ts'
import { countingJob } from './countingJob.ts'
import type { Database } from './database.ts'
import type { EngineParameters } from './engineParameters.ts'
import { executorProcesses } from './executorProcess.ts'
import { stateDatabases } from './stateDatabases.ts'

export const driverProcess = 'driver'
const directory = '/job'
export const stateDirectory = `${directory}/state`
const moduleUrl = 'file:///jobs/counting.ts'

export interface DriverRun {
  readonly process: SimulatedProcess
  /** Undefined while it starts. */
  job: RunningJob | undefined
  isStopRequested: boolean
  /** Whether no fault strikes any more when it starts. */
  readonly isHealed: boolean
}

/** Starts the job; rejects if it cannot start. Ends the process when the job has ended. */
export async function runDriver(
  run: DriverRun,
  parameters: EngineParameters,
  database: Database,
  logger: Logger,
): Promise<void> {
  const { process } = run
  const { runtime } = process
  const { batchIntervalMs, jobPartitions, executors, maxBatchTimeMs } = parameters
  const job = countingJob(database.contextOf(process), jobPartitions)
  const code = { moduleUrl, version: 'c0de', files: new Map() }
  const { operators } = new StreamGraph(job, { batchIntervalMs })
  const openDatabase = stateDatabases(process)
  const states = new StateTransfer({ disk: runtime.disk, openDatabase })
  const opened = await openJob({
    ...{ runtime, logger, directory, job, code: code.version, operators, states },
  })
  const options: SubmitOptions = {
    ...{ runtime, logger, directory, executors, batchIntervalMs, module: moduleUrl },
    bootstrap: [{ host: brokerHost, port: brokerPort }],
    maxRecordsPerPartition: parameters.maxRecordsPerPartition,
    maxShuffleBytes: parameters.maxShuffleBytes,
    taskTimeoutMs: parameters.taskTimeoutMs,
    ...(maxBatchTimeMs !== undefined && !run.isHealed && { maxBatchTimeMs }),
    host: process.host.name,
    startExecutor: executorProcesses({
      ...{ driver: process, job, batchIntervalMs, stateDirectory },
    }),
  }
  const running = new SubmittedJob(options, { job, moduleUrl, code }, opened)
  try {
    await running.start()
  } catch (error) {
    await running.abandon()
    throw error
  }
  run.job = running
  running.finished.then(
    () => process.exit(),
    (error: unknown) => process.end('failed', error),
  )
  if (run.isStopRequested) stopNow(running)
}

/** Stops the job as its command line does. */
export function stopDriver(run: DriverRun): void {
  if (run.isStopRequested) return
  run.isStopRequested = true
  if (run.job !== undefined) stopNow(run.job)
}

/** A job that fails meanwhile is reported by `finished`. */
function stopNow(job: RunningJob): void {
  job.stop().catch(() => {})
}
