// `millrace job submit` and `millrace submit`: starts submitJob with the options of the command
// line. An operational failure, such as an invalid option, is one line on standard error and exit
// code 1.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseBootstrap } from '../protocol/client/bootstrap.ts'
import { requireLogFile } from '../protocol/commandLine/loggingOptions.ts'
import { systemClock } from '../protocol/runtime/clock.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { processFigures } from '../protocol/runtime/processFigures.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import { exposeLostLines } from '../protocol/telemetry/logLines.ts'
import { Metrics } from '../protocol/telemetry/metrics.ts'
import { exposeProcess } from '../protocol/telemetry/processMetrics.ts'
import { openLog } from '../protocol/telemetry/programLog.ts'
import { parseAddress } from './addresses.ts'
import { JobHost } from './jobHost.ts'
import type { RunningJob } from './submit.ts'
import type { DriverArguments, SubmitArguments } from './submitArguments.ts'
import { runningLine, stopOnSignals } from './submitProgress.ts'
import { requireTypes } from './typeCheck.ts'

const defaultListen = '127.0.0.1:0'

/**
 * Runs the job in a thread of its own until it fails or a signal arrives. Then exits the process,
 * which open handles of the job's module might keep alive. Rejects only for a bug.
 */
export async function submitCommand(args: SubmitArguments): Promise<void> {
  let host: JobHost<DriverArguments> | undefined
  try {
    requireLogFile(args)
    const { logger, lines, destination } = await openLog(args, 'info')
    const { insecure, directory, version = 'unknown' } = args
    if (args.formerDirectory) {
      logger.info(
        { directory: resolve(directory) },
        'using the job directory of an earlier version; --directory selects another one',
      )
    }
    const listen = parseAddress('--listen', args.listen ?? defaultListen)
    const build = { version }
    const metrics = new Metrics()
    exposeLostLines(metrics, lines)
    exposeProcess(metrics, { program: 'job', build, figures: processFigures() })
    const logLine = (line: string) => destination.write(line)
    host = new JobHost({ args, logger, logLine, build, metrics, listen, insecure, directory })
    if (args.watch) await (await import('./watchCommand.ts')).watchJob(host, args)
    else await runJob(host, args)
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace job: ${error.message}\n`)
    process.exitCode = 1
  }
  await host?.close()
  process.exit()
}

async function runJob(host: JobHost<DriverArguments>, args: SubmitArguments): Promise<void> {
  const hosted = await host.start(() => stopOnSignals(host))
  process.stdout.write(`${runningLine(hosted, args)}\n`)
  await hosted.ended
}

/**
 * Submits the job and logs its start and end. Loads the engine when called.
 */
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
  const [{ submitJob }] = await Promise.all([import('./submit.ts'), checked])
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
