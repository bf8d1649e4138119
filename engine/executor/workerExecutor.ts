// An executor in a worker thread, as the driver sees it. The thread connects to brokers through the
// driver's network, so that it also reaches a broker inside the driver's process.

import { MessageChannel, Worker } from 'node:worker_threads'
import { servePortNetwork } from '../../protocol/runtime/network/portNetwork.ts'
import { ownModule } from '../../protocol/runtime/process/ownModule.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { sleep } from '../../protocol/runtime/time/clock.ts'
import { EngineError, type EngineErrorCode, errorOf } from '../engineError.ts'
import { youngGenerationMb } from '../threadMemory.ts'
import type { Executor, ExecutorListener, StartExecutor, StateAnswer, StateQuery } from './task.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './workerProtocol.ts'

export interface WorkerExecutorOptions extends Omit<WorkerSetup, 'network'> {
  readonly runtime: Pick<Runtime, 'clock' | 'network'>
  /** Limit on the heap of each executor, in MiB; Node's default unless given. */
  readonly memoryMb?: number | undefined
}

/**
 * Time for a worker to close its stores: a task that does not end must not block the stop.
 */
const stopTimeoutMs = 3000

export function workerExecutors(options: WorkerExecutorOptions): StartExecutor {
  return (slot, listener) => new WorkerExecutor(slot, options, listener).started
}

class WorkerExecutor implements Executor {
  readonly started: Promise<Executor>
  readonly #worker: Worker
  readonly #clock: Runtime['clock']
  readonly #stopped = new AbortController()
  /** Queries in flight by id; their number is bounded by the callers. */
  readonly #queries = new Map<number, PromiseWithResolvers<StateAnswer>>()
  #lastQueryId = 0
  #released: PromiseWithResolvers<void> | undefined
  #isReady = false
  #isStopping = false

  constructor(slot: number, options: WorkerExecutorOptions, listener: ExecutorListener) {
    const { runtime, memoryMb, ...setup } = options
    this.#clock = runtime.clock
    const { port1, port2 } = new MessageChannel()
    const served = servePortNetwork(port1, runtime.network)
    const workerData: WorkerSetup = { ...setup, network: port2 }
    this.#worker = new Worker(ownModule('./executorWorker.ts', import.meta.url), {
      name: `executor-${slot}`,
      workerData,
      transferList: [port2],
      resourceLimits: {
        maxYoungGenerationSizeMb: youngGenerationMb,
        ...(memoryMb !== undefined && { maxOldGenerationSizeMb: memoryMb }),
      },
    })
    const died = new EngineError('EXECUTOR_FAILED', `executor ${slot} ended unexpectedly`)
    this.started = new Promise((resolve, reject) => {
      const lost = (error: Error) => {
        served.close()
        this.#stopped.abort()
        this.#failQueries(died)
        this.#released?.resolve()
        if (!this.#isReady) return reject(error)
        if (!this.#isStopping) listener.onLost(error)
        this.#isStopping = true
      }
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'report') return listener.onReport(message.report)
        if (message.kind === 'released') return this.#released?.resolve()
        if (message.kind === 'stopped') return this.#stopped.abort()
        if (message.kind === 'answer') return this.#query(message.id)?.resolve(message.answer)
        if (message.kind === 'queryFailed') {
          return this.#query(message.id)?.reject(errorOf(message.error))
        }
        if (message.kind === 'refused') {
          const { code, message: text } = message.error
          return reject(new EngineError((code ?? 'EXECUTOR_FAILED') as EngineErrorCode, text))
        }
        this.#isReady = true
        resolve(this)
      })
      this.#worker.on('error', (cause) => lost(causeOfDeath(slot, cause, memoryMb)))
      this.#worker.on('exit', () => lost(died))
    })
  }

  addBatch(batch: Extract<ToWorker, { kind: 'batch' }>['batch']): void {
    this.#send({ kind: 'batch', batch })
  }

  run(tasks: Extract<ToWorker, { kind: 'run' }>['tasks']): void {
    this.#send({ kind: 'run', tasks })
  }

  query(query: StateQuery): Promise<StateAnswer> {
    const id = ++this.#lastQueryId
    const asked = Promise.withResolvers<StateAnswer>()
    if (this.#stopped.signal.aborted) {
      asked.reject(new EngineError('EXECUTOR_FAILED', 'the executor has ended'))
    } else {
      this.#queries.set(id, asked)
      this.#send({ kind: 'query', id, query })
    }
    return asked.promise
  }

  /** Also resolves when the thread dies, which closes its states, too. */
  async releaseStates(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    this.#released = Promise.withResolvers()
    this.#send({ kind: 'release' })
    await this.#released.promise
    this.#released = undefined
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#send({ kind: 'stop' })
    await sleep(this.#clock, stopTimeoutMs, this.#stopped.signal)
    await this.#worker.terminate()
  }

  async interrupt(): Promise<void> {
    this.#isStopping = true
    await this.#worker.terminate()
  }

  /** Removes and returns the query with this id. */
  #query(id: number): PromiseWithResolvers<StateAnswer> | undefined {
    const asked = this.#queries.get(id)
    this.#queries.delete(id)
    return asked
  }

  #failQueries(error: EngineError): void {
    for (const { reject } of this.#queries.values()) reject(error)
    this.#queries.clear()
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }
}

function causeOfDeath(slot: number, cause: unknown, memoryMb: number | undefined): EngineError {
  if ((cause as { code?: unknown } | null)?.code !== 'ERR_WORKER_OUT_OF_MEMORY') {
    return new EngineError('EXECUTOR_FAILED', `executor ${slot} died: ${cause}`, cause)
  }
  const bound = memoryMb === undefined ? '' : ` of ${memoryMb} MB`
  const message =
    `executor ${slot} ran out of memory${bound}: reduce by key before values are grouped or joined, let a batch read ` +
    'fewer records, or give executors more memory (executorMemoryMb)'
  return new EngineError('EXECUTOR_OUT_OF_MEMORY', message, cause)
}
