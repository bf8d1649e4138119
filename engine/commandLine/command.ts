// `millrace job submit` and `millrace submit`: starts submitJob with the options of the command
// line. An operational failure, such as an invalid option, is one line on standard error and exit
// code 1.

import { hostname } from 'node:os'
import { basename, extname, resolve } from 'node:path'
import { requireLogFile } from '../../protocol/commandLine/loggingOptions.ts'
import {
  ProgramRegistration,
  readNatsPlan,
} from '../../protocol/coordination/programRegistration.ts'
import { registrationGroups } from '../../protocol/coordination/recipes/registration.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../../protocol/runtime/operational.ts'
import { processFigures } from '../../protocol/runtime/process/processFigures.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { exposeLostLines } from '../../protocol/telemetry/logging/logLines.ts'
import { openLog } from '../../protocol/telemetry/logging/programLog.ts'
import { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { exposeProcess } from '../../protocol/telemetry/metrics/processMetrics.ts'
import { parseAddress } from '../address/addresses.ts'
import { JobHost } from '../process/jobHost.ts'
import type { DriverArguments, SubmitArguments } from '../process/submitArguments.ts'
import { runningLine, stopOnSignals } from './submitProgress.ts'

const defaultListen = '127.0.0.1:0'

/**
 * Runs the job in a thread of its own until it fails or a signal arrives. Then exits the process,
 * which open handles of the job's module might keep alive. Rejects only for a bug.
 */
export async function submitCommand(args: SubmitArguments): Promise<void> {
  let host: JobHost<DriverArguments> | undefined
  let registration: ProgramRegistration | undefined
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
    registration = await register(args, logger)
    if (args.watch) await (await import('./watchCommand.ts')).watchJob(host, args)
    else await runJob(host, args)
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace job: ${error.message}\n`)
    process.exitCode = 1
  }
  await registration?.close()
  await host?.close()
  process.exit()
}

/** Rejects for options that make no sense; a server that cannot be reached is waited for. */
async function register(
  { coordination, job, executors = 2, version }: SubmitArguments,
  logger: Logger,
): Promise<ProgramRegistration | undefined> {
  if (coordination === undefined) return undefined
  const runtime = nodeRuntime(tcpNetwork)
  const plan = await readNatsPlan(runtime.disk, coordination)
  const host = hostname()
  const name = basename(job, extname(job))
  return new ProgramRegistration({
    ...{ runtime, logger, plan, group: registrationGroups.jobs, name: `${name}@${host}` },
    about: { job: name, host, executors, version },
  })
}

async function runJob(host: JobHost<DriverArguments>, args: SubmitArguments): Promise<void> {
  const hosted = await host.start(() => stopOnSignals(host))
  process.stdout.write(`${runningLine(hosted, args)}\n`)
  await hosted.ended
}
