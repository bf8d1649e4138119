// The entry point of the driver's thread: runs the job until it is stopped or fails. An error that
// is not operational ends the thread and the process.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../protocol/runtime/assert.ts'
import { isOperational } from '../../protocol/runtime/operational.ts'
import { ignoreExpectedWarnings } from '../../protocol/runtime/process/experimentalFeature.ts'
import { pinoLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { LogLevelControl } from '../../protocol/telemetry/logging/logLevel.ts'
import { answer, type JobArguments, type JobMethod } from '../address/servedJob.ts'
import { reportError } from '../engineError.ts'
import type { RunningJob } from '../lifecycle/runningJob.ts'
import type { FromDriver, ToDriver } from './driverThread.ts'
import { startJob } from './startJob.ts'
import type { DriverArguments } from './submitArguments.ts'

assert(!isMainThread && parentPort, 'driverWorker.ts must be run in a worker thread')
const port = parentPort
// Warnings caused by importing the job's module.
ignoreExpectedWarnings()

try {
  await run(workerData as DriverArguments)
  send({ kind: 'stopped' })
} catch (error) {
  if (!isOperational(error)) throw error
  send({ kind: 'failed', error: reportError(error) })
}

async function run(args: DriverArguments): Promise<void> {
  if (args.check) {
    const { checkJob } = await import('./jobCheck.ts')
    const isChanged = await checkJob(args.job, args.check, args.discardState)
    send({ kind: 'checked', isChanged })
    return
  }
  const write = (line: string) => send({ kind: 'log', line })
  const logger = pinoLogger(args.logLevel ?? 'info', { write })
  const running = await startJob(args, logger)
  port.on('message', (message: ToDriver) => handle(message, running, logger))
  const { id, timeMs, startedMs = timeMs } = running.status()
  const job = { name: running.name, id, startedMs, description: running.describe() }
  send({ kind: 'running', job })
  await running.finished
}

function handle(message: ToDriver, running: RunningJob, logLevel: LogLevelControl): void {
  if (message.kind === 'log-level') logLevel.level = message.level
  else if (message.kind === 'stop') running.stop(message.options).catch(() => {})
  else if (message.kind === 'announce') running.announce(message.address)
  else void answerCall(message, running)
}

async function answerCall(
  { callId, method, argument }: Extract<ToDriver, { kind: 'call' }>,
  running: RunningJob,
): Promise<void> {
  try {
    const value = await answer(running, method, argument as JobArguments[JobMethod])
    send({ kind: 'answer', callId, value })
  } catch (error) {
    send({ kind: 'refusal', callId, error: reportError(error) })
  }
}

function send(message: FromDriver): void {
  port.postMessage(message)
}
