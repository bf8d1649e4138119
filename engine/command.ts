// `millrace job submit`: the edge between the command line and submitJob. Every mistake of the user
// ends in one clear line and exit code 1.

import { resolve } from 'node:path'
import type { Isolation } from '../protocol/client/partitionReader.ts'
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type LogLevel, pinoLogger } from '../protocol/telemetry/logger.ts'
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
  readonly taskTimeoutMs?: number | undefined
  readonly isolationLevel?: Isolation | undefined
  readonly logLevel?: LogLevel | undefined
}

/**
 * Runs the job until it fails or a signal comes, and then ends the process: the job's module may have
 * opened clients of its own, which would keep it alive. Never throws for a user's mistake.
 */
export async function submitCommand(args: SubmitArguments): Promise<void> {
  try {
    const running = await start(args)
    const stopped = untilStopped(running)
    const { executors = 2, bootstrap } = args
    // Whoever reads this may send a signal at once: the handlers are in place by now.
    process.stdout.write(
      `millrace job ${running.name} running, ${executors} executors, reading from ${bootstrap}\n`,
    )
    await stopped
  } catch (error) {
    if (!isOperational(error)) throw error
    process.stderr.write(`millrace job: ${error.message}\n`)
    process.exitCode = 1
  }
  process.exit()
}

function start({
  job,
  bootstrap,
  directory,
  executors,
  batchIntervalMs,
  taskTimeoutMs,
  isolationLevel,
  logLevel,
}: SubmitArguments) {
  return submitJob({
    runtime: nodeRuntime(tcpNetwork),
    logger: pinoLogger(logLevel ?? 'warn'),
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

/** The batch that runs is waited for after the first signal, a while, and not after the second. */
async function untilStopped(running: RunningJob): Promise<void> {
  let signals = 0
  const stop = () => {
    const graceful = signals++ === 0
    if (graceful) process.stderr.write(`${stopping}\n`)
    running.stop({ graceful, timeoutMs: stopTimeoutMs }).catch(() => {})
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    await running.finished
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

const stopTimeoutMs = 10_000
const stopping =
  `millrace job: stopping when the batch that runs is done, or after ${stopTimeoutMs / 1000} s; ` +
  'a second signal stops at once'

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
