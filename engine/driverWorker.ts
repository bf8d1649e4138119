// What runs in the driver's thread of `millrace submit`: the job, until it is told to stop or fails. An
// error that is nobody's ends the thread, and the process with it.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { assert } from '../protocol/runtime/assert.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { type SubmitArguments, startJob } from './command.ts'
import type { FromDriver, ToDriver } from './driverThread.ts'
import { reportError } from './engineError.ts'

assert(!isMainThread && parentPort, 'this file is the start of a worker thread')
const port = parentPort

try {
  const running = await startJob(workerData as SubmitArguments)
  port.on('message', ({ graceful, timeoutMs }: ToDriver) => {
    running.stop({ graceful, timeoutMs }).catch(() => {})
  })
  send({ kind: 'running', name: running.name })
  await running.finished
  send({ kind: 'stopped' })
} catch (error) {
  if (!isOperational(error)) throw error
  send({ kind: 'failed', error: reportError(error) })
}

function send(message: FromDriver): void {
  port.postMessage(message)
}
