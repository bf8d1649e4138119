// An executor as a simulated process beside its driver, in place of a worker thread: the production
// TaskRunner, TopicScanner and StateStores, with messages that take time. As workerExecutor.ts, it
// tells its driver of its end, and ends with it.

import { EngineError } from '../../../../engine/engineError.ts'
import { inProcessExecutors } from '../../../../engine/executor/inProcessExecutor.ts'
import { StateStores } from '../../../../engine/executor/stateStores.ts'
import type { Executor, ExecutorListener, StartExecutor } from '../../../../engine/executor/task.ts'
import { TopicScanner } from '../../../../engine/sources/topicScanner.ts'
import { StateStore } from '../../../../engine/state/stateStore.ts'
import type { Job } from '../../../../engine/stream/job.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { clusterOf } from '../scene/scene.ts'
import { stateDatabases } from './stateDatabases.ts'

const messageMs = 0.05
/** As in workerExecutor.ts. */
const stopTimeoutMs = 3000

export interface ExecutorOptions {
  readonly driver: SimulatedProcess
  readonly job: Job
  readonly batchIntervalMs: number
  readonly stateDirectory: string
}

export function executorProcesses(options: ExecutorOptions): StartExecutor {
  return (slot, listener) => new ExecutorProcess(slot, options, listener).started
}

class ExecutorProcess implements Executor {
  readonly started: Promise<Executor>
  readonly #options: ExecutorOptions
  readonly #process: SimulatedProcess
  #inner: Executor | undefined
  #isStopped = false

  constructor(slot: number, options: ExecutorOptions, listener: ExecutorListener) {
    const { driver } = options
    this.#options = options
    const { promise, resolve, reject } = Promise.withResolvers<Executor>()
    this.started = promise
    const onEnd = (end: string) => {
      const error = new EngineError('EXECUTOR_FAILED', `executor ${slot} ended: ${end}`)
      const isStarted = this.#inner !== undefined
      driver.schedule(messageMs, 'message', 'executor ended', () => {
        if (!isStarted) reject(error)
        else if (!this.#isStopped) listener.onLost(error)
      })
    }
    this.#process = driver.host.start(
      `executor-${slot}`,
      async (process) => {
        this.#inner = await this.#begin(slot, process, listener)
        driver.schedule(messageMs, 'message', 'ready', () => resolve(this))
      },
      { onEnd },
    )
    driver.atEnd(() => this.#process.kill())
  }

  addBatch(batch: Parameters<Executor['addBatch']>[0]): void {
    this.#post('batch', (inner) => inner.addBatch(batch))
  }

  run(tasks: Parameters<Executor['run']>[0]): void {
    this.#post('run', (inner) => inner.run(tasks))
  }

  query(query: Parameters<NonNullable<Executor['query']>>[0]) {
    return this.#ask('query', (inner) => inner.query!(query))
  }

  releaseStates(): Promise<void> {
    return this.#ask('release', (inner) => inner.releaseStates!())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    if (!this.#process.isAlive) return
    const { clock } = this.#options.driver.runtime
    const late = new AbortController()
    const stopped = this.#ask('stop', (inner) => inner.stop())
    await Promise.race([stopped, sleep(clock, stopTimeoutMs, late.signal)])
    late.abort()
    this.#process.exit()
  }

  async interrupt(): Promise<void> {
    this.#isStopped = true
    this.#process.kill()
  }

  async #begin(slot: number, process: SimulatedProcess, listener: ExecutorListener) {
    const { job, batchIntervalMs, stateDirectory, driver } = this.#options
    const { clock, scheduler } = process.runtime
    const openDatabase = stateDatabases(process)
    const start = inProcessExecutors({
      ...{ scheduler, job, batchIntervalMs },
      createScanner: () => new TopicScanner(clusterOf(process)),
      createStates: () =>
        new StateStores({
          ...{ clock, directory: stateDirectory },
          open: (directory, given) => StateStore.open(directory, { ...given, openDatabase }),
        }),
    })
    return await start(slot, {
      onReport: (report) =>
        driver.schedule(messageMs, 'message', 'report', () => {
          if (!this.#isStopped) listener.onReport(report)
        }),
      onLost: () => {},
    })
  }

  #post(what: string, send: (inner: Executor) => void): void {
    this.#process.schedule(messageMs, 'message', what, () => send(this.#inner!))
  }

  #ask<T>(what: string, ask: (inner: Executor) => Promise<T>): Promise<T> {
    const { driver } = this.#options
    return new Promise((resolve, reject) => {
      const ended = new EngineError('EXECUTOR_FAILED', 'the executor has ended')
      const forget = this.#process.atEnd(() => {
        driver.schedule(messageMs, 'message', 'ended', () => reject(ended))
      })
      const answer = (settle: () => void) => {
        forget()
        driver.schedule(messageMs, 'message', `${what} answered`, settle)
      }
      if (!this.#process.isAlive) return answer(() => reject(ended))
      this.#post(what, (inner) => {
        ask(inner).then(
          (value) => answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        )
      })
    })
  }
}
