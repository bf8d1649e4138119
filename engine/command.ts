// `millrace job submit`: the edge between the command line and submitJob. Every mistake of the user
// ends in one clear line and exit code 1.

import { resolve } from 'node:path'
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logger.ts'
import { type RunningJob, submitJob } from './submit.ts'

export interface SubmitArguments {
  /** The job module's file. */
  readonly job: string
  /** Comma-separated `host:port`. */
  readonly bootstrap: string
  /** Where the job keeps checkpoint and state. */
  readonly directory: string
  readonly executors?: number | undefined
  readonly batchIntervalMs?: number | undefined
  readonly logLevel?: LogLevel | undefined
}

/** Runs the job until it fails or a signal comes. Sets the exit code; never throws for a user's mistake. */
export async function submitCommand(args: SubmitArguments): Promise<void> {
  const logger = pinoLogger(args.logLevel ?? 'info')
  try {
    const running = await start(args, logger)
    const { executors = 2, bootstrap } = args
    const { name: job } = running
    const { recordsTotal } = running.status()
    const directory = resolve(args.directory)
    const message = recordsTotal > 0 ? 'job continues where it stopped' : 'job started'
    logger.info({ job, directory, bootstrap, executors, recordsTotal }, message)
    process.stdout.write(
      `millrace job ${job} running, ${executors} executors, reading from ${bootstrap}\n`,
    )
    await untilStopped(running)
    logger.info({ job, recordsTotal: running.status().recordsTotal }, 'job stopped')
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace job: ${error.message}\n`)
    process.exitCode = 1
  }
}

function start(
  { job, bootstrap, directory, executors, batchIntervalMs }: SubmitArguments,
  logger: Logger,
) {
  return submitJob({
    runtime: nodeRuntime(tcpNetwork),
    logger,
    module: resolve(job),
    bootstrap: parseBootstrap(bootstrap),
    directory: resolve(directory),
    ...(executors === undefined ? {} : { executors }),
    ...(batchIntervalMs === undefined ? {} : { batchIntervalMs }),
    checkTypes: true,
  })
}

async function untilStopped(running: RunningJob): Promise<void> {
  const stop = () => void running.stop().catch(() => {})
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    await running.finished
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
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
