// The thread in which `millrace job submit` runs a job's driver, as seen from the main thread.
// Invariant: the main thread runs no code of the job. Whatever the job does, in tasks, in
// foreachRDD, or while its module is imported, the process still handles signals, and requests at
// the job's address.

import { Worker } from 'node:worker_threads'
import { ownModule } from '../../protocol/runtime/process/ownModule.ts'
import { systemClock, type Timer } from '../../protocol/runtime/time/clock.ts'
import type { LogLevel } from '../../protocol/telemetry/logging/logLevel.ts'
import {
  JobAddressError,
  type JobAnswers,
  type JobArguments,
  type JobMethod,
  refusalOf,
} from '../address/servedJob.ts'
import { EngineError, type ErrorReport, errorOf } from '../engineError.ts'
import type { JobDescription, StopOptions } from '../lifecycle/runningJob.ts'
import { youngGenerationMb } from '../threadMemory.ts'

export type ToDriver =
  | { readonly kind: 'stop'; readonly options: StopOptions }
  | { readonly kind: 'announce'; readonly address: string | undefined }
  | { readonly kind: 'log-level'; readonly level: LogLevel }
  | {
      readonly kind: 'call'
      readonly callId: number
      readonly method: JobMethod
      readonly argument: unknown
    }

export type FromDriver =
  | { readonly kind: 'running'; readonly job: StartedJob }
  | { readonly kind: 'checked'; readonly isChanged: boolean }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'failed'; readonly error: ErrorReport }
  | { readonly kind: 'answer'; readonly callId: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly callId: number; readonly error: ErrorReport }

/** Reported by the driver once its job runs. */
export interface StartedJob {
  readonly name: string
  /** Id of the job's status. */
  readonly id: string
  readonly startedMs: number
  /** Sent at the start: later the driver may be busy for as long as the first batch. */
  readonly description: JobDescription
}

/** Timeouts of calls. A driver whose thread is blocked by the job's code does not answer. */
const answerTimeoutMs: Readonly<Record<JobMethod, number>> = {
  status: 3_000,
  // A scrape times out after 10 s, and has other metrics to report.
  figures: 2_000,
  describe: 3_000,
  state: 15_000,
  // Copies the state of the whole job.
  savepoint: 60 * 60_000,
}

interface Call {
  resolve(value: unknown): void
  reject(error: Error): void
  readonly timer: Timer
}

export class DriverThread<Arguments> {
  /** Resolves when the job runs. */
  readonly running: Promise<StartedJob>
  /** For a thread that only checks a job: whether its code differs from that of the running job. */
  readonly checked: Promise<boolean>
  /** Resolves when the job has stopped; rejects when it has failed, including before it ran. */
  readonly finished: Promise<void>
  readonly #worker: Worker
  readonly #calls = new Map<number, Call>()
  #callId = 0

  /**
   * `logLine` receives log lines of the thread: a single thread writes the log, so that only one
   * rotates its file.
   */
  constructor(args: Arguments, logLine: (line: string) => void = () => {}) {
    this.#worker = new Worker(ownModule('./driverWorker.ts', import.meta.url), {
      name: 'driver',
      workerData: args,
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
    })
    const running = Promise.withResolvers<StartedJob>()
    const checked = Promise.withResolvers<boolean>()
    const finished = Promise.withResolvers<void>()
    this.running = running.promise
    this.checked = checked.promise
    this.finished = finished.promise
    const fail = (error: Error) => {
      running.reject(error)
      checked.reject(error)
      finished.reject(error)
    }
    // Handled by the caller that awaits it; no other may be reported as unhandled.
    this.running.catch(() => {})
    this.checked.catch(() => {})
    this.finished.catch(() => {})
    this.#worker.on('message', (message: FromDriver) => {
      if (message.kind === 'running') running.resolve(message.job)
      else if (message.kind === 'checked') checked.resolve(message.isChanged)
      else if (message.kind === 'stopped') finished.resolve()
      else if (message.kind === 'log') logLine(message.line)
      else if (message.kind === 'failed') fail(errorOf(message.error))
      else this.#answered(message)
    })
    this.#worker.on('error', fail)
    this.#worker.on('exit', (code) => {
      const message = `the driver's thread exited with code ${code}; look for process.exit in the job's code`
      fail(new EngineError('EXECUTOR_FAILED', message))
      for (const callId of this.#calls.keys()) {
        this.#take(callId)?.reject(new JobAddressError('JOB_NOT_READY', 'the job has ended'))
      }
    })
  }

  /** Asks the job to stop. Has no effect while the job's code blocks the driver's thread. */
  stop(options: StopOptions): void {
    this.#send({ kind: 'stop', options })
  }

  /** Tells the job its address. */
  announce(address: string | undefined): void {
    this.#send({ kind: 'announce', address })
  }

  /** Sets the log level of the driver, once its job runs. */
  setLogLevel(level: LogLevel): void {
    this.#send({ kind: 'log-level', level })
  }

  /** See ServedJob. Rejects with DRIVER_HELD when the driver does not answer in time. */
  call<Method extends JobMethod>(
    method: Method,
    argument: JobArguments[Method],
  ): Promise<JobAnswers[Method]> {
    const callId = ++this.#callId
    const timeoutMs = answerTimeoutMs[method]
    return new Promise((resolve, reject) => {
      const timer = systemClock.setTimer(timeoutMs, () => {
        this.#take(callId)?.reject(
          new JobAddressError(
            'DRIVER_HELD',
            `the driver has not answered for ${timeoutMs / 1000} s: the job's code is blocking its ` +
              'thread (an endless loop in foreachRDD?)',
          ),
        )
      })
      this.#calls.set(callId, { resolve: resolve as Call['resolve'], reject, timer })
      this.#send({ kind: 'call', callId, method, argument })
    })
  }

  /** Terminates the thread, whatever it is doing. */
  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #answered(message: Extract<FromDriver, { callId: number }>): void {
    const call = this.#take(message.callId)
    if (message.kind === 'answer') call?.resolve(message.value)
    else call?.reject(answeredError(message.error))
  }

  #take(callId: number): Call | undefined {
    const call = this.#calls.get(callId)
    this.#calls.delete(callId)
    call?.timer.cancel()
    return call
  }

  #send(message: ToDriver): void {
    this.#worker.postMessage(message)
  }
}

/** An error without a code is a bug, and is passed on as it is. */
function answeredError(report: ErrorReport): Error {
  const refusal = refusalOf(report.code, report.message)
  if (refusal) return refusal
  if (report.code !== undefined) return errorOf(report)
  const error = new Error(report.message)
  if (report.stack !== undefined) error.stack = report.stack
  return error
}
