// `millrace job submit`: the edge between the command line and submitJob. Every mistake of the user
// ends in one clear line and exit code 1.

import { resolve } from 'node:path'
import type { Isolation } from '../protocol/client/partitionReader.ts'
import { systemClock, type Timer } from '../protocol/runtime/clock.ts'
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logger.ts'
import { DriverThread } from './driverThread.ts'
import type { RunningJob } from './submit.ts'

export interface SubmitArguments {
  /** The job module's file. */
  readonly job: string
  /** Comma-separated `host:port`. */
  readonly bootstrap: string
  /** Where the job keeps checkpoint and state. */
  readonly directory: string
  readonly executors?: number | undefined
  readonly batchIntervalMs?: number | undefined
  readonly taskTimeoutMs?: number | undefined
  readonly isolationLevel?: Isolation | undefined
  readonly logLevel?: LogLevel | undefined
}

/**
 * Runs the job, in a thread of its own, until it fails or a signal comes. Then ends the process: the
 * job's module may have opened clients of its own, which would keep it alive. Never throws for a user's
 * mistake.
 */
export async function submitCommand(args: SubmitArguments): Promise<void> {
  try {
    const driver = new DriverThread(args)
    const name = await driver.running
    const stopped = untilStopped(driver)
    const { executors = 2, bootstrap } = args
    // Whoever reads this may send a signal at once: the handlers are in place by now.
    process.stdout.write(
      `millrace job ${name} running, ${executors} executors, reading from ${bootstrap}\n`,
    )
    await stopped
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace job: ${error.message}\n`)
    process.exitCode = 1
  }
  process.exit()
}

/**
 * Submits the job of a command line, and logs its start and its end. Loads the engine only when it is
 * called.
 */
export async function startJob(args: SubmitArguments): Promise<RunningJob> {
  const logger = pinoLogger(args.logLevel ?? 'info')
  const running = await submit(args, logger)
  const { executors = 2, bootstrap } = args
  const { name: job } = running
  const { recordsTotal } = running.status()
  const directory = resolve(args.directory)
  const message = recordsTotal > 0 ? 'job continues where it stopped' : 'job started'
  logger.info({ job, directory, bootstrap, executors, recordsTotal }, message)
  running.finished.then(
    () => logger.info({ job, recordsTotal: running.status().recordsTotal }, 'job stopped'),
    // Its caller reports the failure.
    () => {},
  )
  return running
}

async function submit(args: SubmitArguments, logger: Logger): Promise<RunningJob> {
  const { job, bootstrap, directory } = args
  const { executors, batchIntervalMs, taskTimeoutMs, isolationLevel } = args
  const { submitJob } = await import('./submit.ts')
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
    checkTypes: true,
  })
}

/**
 * The batch that runs is waited for after the first signal, a while, and not after the second. A driver
 * that does not come to its end by then is held by the job's code, and is left behind: its batch runs
 * again when the job is started again, from the same state.
 */
async function untilStopped(driver: DriverThread<SubmitArguments>): Promise<void> {
  const held = Promise.withResolvers<never>()
  let signals = 0
  let late: Timer | undefined
  const stop = () => {
    const graceful = signals++ === 0
    if (graceful) process.stderr.write(`${stopping}\n`)
    driver.stop({ graceful, timeoutMs: stopTimeoutMs })
    late?.cancel()
    const timeoutMs = (graceful ? stopTimeoutMs : 0) + driverTimeoutMs
    late = systemClock.setTimer(timeoutMs, () => held.reject(new DriverHeldError()))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  await Promise.race([driver.finished, held.promise])
}

const stopTimeoutMs = 10_000
/** For a driver to end its executors and to close its files and connections. */
const driverTimeoutMs = 10_000
const stopping =
  `millrace job: stopping when the batch that runs is done, or after ${stopTimeoutMs / 1000} s; ` +
  'a second signal stops at once'

class DriverHeldError extends Error {
  readonly code = 'DRIVER_HELD'
  constructor() {
    super(
      "the job's code does not let go of the driver's thread (an endless loop in foreachRDD?): the " +
        'process ends now, and the batch runs again at the next start',
    )
  }
}

class BootstrapError extends Error {
  readonly code = 'BOOTSTRAP_INVALID'
}

function parseBootstrap(list: string): Address[] {
  return list.split(',').map((entry) => {
    const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(entry.trim()) ?? []
    if (host !== undefined && Number(port) > 0 && Number(port) < 65_536) {
      return { host, port: Number(port) }
    }
    throw new BootstrapError(`'${entry}' is not the address of a broker: give host:port`)
  })
}
