// Starts the job of a command line in the driver's thread, with the runtime of production. Loads
// the engine when called, while the compiler checks the job's types.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseBootstrap } from '../../protocol/client/bootstrap.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { systemClock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { RunningJob } from '../lifecycle/runningJob.ts'
import type { DriverArguments } from './submitArguments.ts'
import { requireTypes } from './typeCheck.ts'

/** Submits the job and logs its start and end. */
export async function startJob(args: DriverArguments, logger: Logger): Promise<RunningJob> {
  const startedMs = systemClock.monotonicMs()
  const running = await submit(args, logger)
  const elapsedMs = Math.round(systemClock.monotonicMs() - startedMs)
  const { executors = 2, bootstrap } = args
  const { name: job } = running
  const { recordsTotal } = running.status()
  const directory = resolve(args.directory)
  const message = recordsTotal > 0 ? 'job continues where it stopped' : 'job started'
  const { version } = args
  const how = { version, node: process.versions.node, directory, bootstrap, executors }
  logger.info({ job, ...how, recordsTotal, elapsedMs }, message)
  running.finished.then(
    () => logger.info({ job, recordsTotal: running.status().recordsTotal }, 'job stopped'),
    // The caller reports a failure.
    () => {},
  )
  return running
}

async function submit(args: DriverArguments, logger: Logger): Promise<RunningJob> {
  const { job, bootstrap, directory } = args
  const { executors, batchIntervalMs, taskTimeoutMs, isolationLevel } = args
  const { conf, executorMemory, from, discardState, version } = args
  const { maxRecordsPerPartition, maxBatchBytes, maxBatchTimeMs } = args
  // The compiler's message about an error is clearer than that of the import. The compiler runs in
  // its own process while this thread loads the engine.
  const checked = args.isChecked ? undefined : requireTypes(resolve(job))
  const [{ submitJob }] = await Promise.all([import('../lifecycle/submit.ts'), checked])
  return await submitJob({
    runtime: nodeRuntime(tcpNetwork),
    logger,
    module: resolve(job),
    bootstrap: parseBootstrap(bootstrap),
    directory: resolve(directory),
    ...(executors === undefined ? {} : { executors }),
    ...(batchIntervalMs === undefined ? {} : { batchIntervalMs }),
    ...(taskTimeoutMs === undefined ? {} : { taskTimeoutMs }),
    ...(isolationLevel === undefined ? {} : { isolation: isolationLevel }),
    ...(maxRecordsPerPartition === undefined ? {} : { maxRecordsPerPartition }),
    ...(maxBatchBytes === undefined ? {} : { maxBatchBytes }),
    ...(maxBatchTimeMs === undefined ? {} : { maxBatchTimeMs }),
    ...(conf === undefined ? {} : { conf }),
    ...(executorMemory === undefined ? {} : { executorMemoryMb: executorMemory }),
    ...(from === undefined ? {} : { from: resolve(from) }),
    ...(discardState === undefined ? {} : { discardState }),
    ...(version === undefined ? {} : { version }),
    host: hostname(),
  })
}
