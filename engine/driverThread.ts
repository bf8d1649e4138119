// The thread in which `millrace submit` runs a job's driver, seen from the process's main thread. The main
// thread runs nothing of the job: so whatever the job's code does, in tasks, in foreachRDD, or while its
// module is imported, the process still answers a signal.

import { Worker } from 'node:worker_threads'
import { EngineError, type ErrorReport, errorOf } from './engineError.ts'

export type ToDriver = {
  readonly kind: 'stop'
  readonly graceful: boolean
  readonly timeoutMs: number
}

export type FromDriver =
  | { readonly kind: 'running'; readonly name: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly error: ErrorReport }

export class DriverThread<Arguments> {
  /** Resolves with the job's name when it runs. */
  readonly running: Promise<string>
  /** Resolves when the job was stopped; rejects when it failed, also before it ran. */
  readonly finished: Promise<void>
  readonly #worker: Worker

  constructor(args: Arguments) {
    this.#worker = new Worker(workerFile(), { name: 'driver', workerData: args })
    const running = Promise.withResolvers<string>()
    const finished = Promise.withResolvers<void>()
    this.running = running.promise
    this.finished = finished.promise
    const failed = (error: Error) => {
      running.reject(error)
      finished.reject(error)
    }
    // Each is of interest to its own caller only.
    this.running.catch(() => {})
    this.finished.catch(() => {})
    this.#worker.on('message', (message: FromDriver) => {
      if (message.kind === 'running') running.resolve(message.name)
      else if (message.kind === 'stopped') finished.resolve()
      else failed(errorOf(message.error))
    })
    this.#worker.on('error', failed)
    this.#worker.on('exit', (code) => {
      const message = `the job's code has ended the driver's thread (exit code ${code})`
      failed(new EngineError('EXECUTOR_FAILED', message))
    })
  }

  /** Asks the job to stop, which it cannot hear while its code holds the driver's thread. */
  stop(options: Omit<ToDriver, 'kind'>): void {
    this.#worker.postMessage({ kind: 'stop', ...options } satisfies ToDriver)
  }
}

/** The file beside this one: a TypeScript file in a checkout, a JavaScript file once published. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./driverWorker.${extension}`, import.meta.url)
}
