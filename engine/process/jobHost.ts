// The process of `millrace job submit`, in its main thread: runs one job after another in a driver
// thread, serves the job's address, and ends the process.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { OperationsOptions } from '../../protocol/operations/operationsOptions.ts'
import { CodedError } from '../../protocol/runtime/codedError.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { systemClock, type Timer } from '../../protocol/runtime/time/clock.ts'
import type { AdjustableLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { LogLevel, LogLevelControl } from '../../protocol/telemetry/logging/logLevel.ts'
import type { BuildInfo } from '../../protocol/telemetry/metrics/buildInfo.ts'
import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { removeAddress, writeAddress } from '../address/addressFile.ts'
import type { JobServer } from '../address/jobServer.ts'
import { JobAddressError, type ServedJob } from '../address/servedJob.ts'
import type { JobDescription, StopOptions } from '../lifecycle/runningJob.ts'
import type { JobFigures } from '../metrics/jobFigures.ts'
import { JobExposition } from '../metrics/jobMetrics.ts'
import { DriverThread, type StartedJob } from './driverThread.ts'
import { JobWatch } from './jobWatch.ts'

export interface JobHostOptions<Arguments> {
  readonly args: Arguments
  readonly logger: AdjustableLogger
  /** Receives the log lines of the driver's thread. */
  readonly logLine: (line: string) => void
  readonly build: BuildInfo
  readonly metrics: Metrics
  readonly listen: Address
  readonly insecure?: boolean | undefined
  readonly directory: string
}

export interface HostedJob {
  readonly job: ServedJob
  /** Description of the job, as of its start. */
  readonly description: JobDescription
  readonly url: string
  /** Resolves when the job has stopped; rejects when it has failed, or does not end in time. */
  readonly ended: Promise<void>
  /** Terminates the thread of a job that does not end. */
  terminate(): Promise<void>
}

export const stopTimeoutMs = 10_000
/** Time for a driver to stop its executors and to close its files and connections. */
const driverTimeoutMs = 10_000
/** Time for the driver of a job that is killed; shorter, because its batch is rerun anyway. */
const killTimeoutMs = 2_000

export class JobHost<Arguments> {
  readonly #options: JobHostOptions<Arguments>
  readonly #watch = new JobWatch(systemClock)
  readonly #startedMs = systemClock.nowMs()
  #server: Promise<JobServer> | undefined
  #driver: DriverThread<Arguments> | undefined
  /** The running job. */
  #job: ServedJob | undefined
  #held = Promise.withResolvers<never>()
  #late: Timer | undefined
  /** Whether the address file in the directory belongs to this process. */
  #hasNoted = false

  constructor(options: JobHostOptions<Arguments>) {
    this.#options = options
  }

  /**
   * The newest status of the current or last job, for metrics; at most a second old while the job
   * answers.
   */
  get status(): JobStatus | undefined {
    return this.#watch.status
  }

  /**
   * Starts the job in a new thread; resolves when it runs and its address answers. Calls
   * `onRunning` as soon as it runs: until then a signal may end the process.
   */
  async start(
    onRunning: () => void = () => {},
    args: Arguments = this.#options.args,
  ): Promise<HostedJob> {
    const driver = new DriverThread(args, this.#options.logLine)
    this.#driver = driver
    // The arguments contain the level of the command line, which may have changed since.
    driver.setLogLevel(this.#options.logger.level)
    this.#held = Promise.withResolvers<never>()
    this.#held.promise.catch(() => {})
    try {
      // This thread is idle while the driver's thread loads the engine. If the requested port is
      // taken, the job must not have started for nothing.
      const [server, started] = await Promise.all([this.#serving(), driver.running])
      onRunning()
      const job = this.#served(driver, started)
      this.#job = job
      this.#watch.begin(job)
      driver.announce(server.url)
      await this.#noteAddress(server.url, started)
      const ended = Promise.race([driver.finished, this.#held.promise])
      ended.then(
        () => this.#over(driver),
        (error: Error) => this.#over(driver, error),
      )
      const { description } = started
      return { job, description, url: server.url, ended, terminate: () => driver.terminate() }
    } catch (error) {
      await this.#abandon(driver)
      throw error
    }
  }

  /**
   * Stops the job gracefully. A driver that does not end in time is blocked by the job's code, and
   * is abandoned: its batch is rerun from the same state when the job is started again.
   */
  stop({ graceful = true, timeoutMs = stopTimeoutMs }: StopOptions = {}): void {
    const job = this.#job?.name
    if (job !== undefined) this.#options.logger.info({ job, graceful, timeoutMs }, 'job stopping')
    this.#watch.stopping()
    this.#driver?.stop({ graceful, timeoutMs })
    this.#endLater((graceful ? timeoutMs : 0) + driverTimeoutMs)
  }

  /** Ends the job at once: the running batch is cancelled. */
  kill(): void {
    this.#watch.stopping()
    this.#driver?.stop({ graceful: false })
    this.#endLater(killTimeoutMs)
  }

  async close(): Promise<void> {
    this.#late?.cancel()
    this.#watch.close()
    await this.#server?.then((server) => server.close()).catch(() => {})
    if (this.#hasNoted) await removeAddress(nodeDisk, this.#options.directory).catch(() => {})
  }

  #endLater(timeoutMs: number): void {
    this.#late?.cancel()
    const { reject } = this.#held
    this.#late = systemClock.setTimer(timeoutMs, () => reject(new DriverHeldError()))
  }

  #served(driver: DriverThread<Arguments>, { name, id }: StartedJob): ServedJob {
    return {
      ...{ name, id },
      call: (method, argument) => driver.call(method, argument),
      stop: (options) => this.stop(options),
      kill: () => this.kill(),
    }
  }

  #serving(): Promise<JobServer> {
    this.#server ??= this.#serve()
    return this.#server
  }

  async #serve(): Promise<JobServer> {
    const { startJobServer } = await import('../address/jobServer.ts')
    const { logger, listen, insecure } = this.#options
    const operations = this.#operations()
    return await startJobServer({ logger, listen, insecure, operations, job: () => this.#job })
  }

  #operations(): OperationsOptions {
    const { build } = this.#options
    const metrics = new JobExposition(this.#options.metrics, () => this.#figures())
    const { health } = this.#watch
    const logLevel = new SharedLevel(this.#options.logger, (level) => {
      this.#driver?.setLogLevel(level)
    })
    const [clock, startedMs] = [systemClock, this.#startedMs]
    return { program: 'job', build, clock, startedMs, metrics, health, logLevel }
  }

  async #figures(): Promise<JobFigures> {
    if (this.#job === undefined) throw new JobAddressError('JOB_NOT_READY', 'no job is running')
    return await this.#job.call('figures', undefined)
  }

  /** Best effort: a full disk must not stop the job. */
  async #noteAddress(url: string, { id, startedMs }: StartedJob): Promise<void> {
    const address = { url, id, host: hostname(), pid: process.pid, startedMs }
    const directory = resolve(this.#options.directory)
    try {
      await writeAddress(nodeDisk, directory, address)
      this.#hasNoted = true
    } catch (error) {
      this.#options.logger.warn({ error, directory }, 'failed to write the address of the job')
    }
  }

  #over(driver: DriverThread<Arguments>, failure?: Error): void {
    this.#late?.cancel()
    if (this.#driver !== driver) return
    this.#watch.end(failure)
    this.#driver = undefined
    this.#job = undefined
  }

  /** Stops a job that failed to start: without an address it must not run. */
  async #abandon(driver: DriverThread<Arguments>): Promise<void> {
    this.#over(driver)
    driver.stop({ graceful: false })
    const late = Promise.withResolvers<void>()
    const timer = systemClock.setTimer(driverTimeoutMs, late.resolve)
    await Promise.race([driver.finished.catch(() => {}), late.promise])
    timer.cancel()
  }
}

/** Sets the log level of the main thread and of the driver's thread. */
class SharedLevel implements LogLevelControl {
  readonly #own: LogLevelControl
  readonly #tell: (level: LogLevel) => void

  constructor(own: LogLevelControl, tell: (level: LogLevel) => void) {
    this.#own = own
    this.#tell = tell
  }

  get level(): LogLevel {
    return this.#own.level
  }

  set level(level: LogLevel) {
    this.#own.level = level
    this.#tell(level)
  }
}

class DriverHeldError extends CodedError<'DRIVER_HELD'> {
  constructor() {
    super(
      'DRIVER_HELD',
      "the job's code is blocking the driver's thread (an endless loop in foreachRDD?); the " +
        'thread is terminated, and the batch is rerun at the next start',
    )
  }
}
