// The driver's hands: carries out what the DAG scheduler decides. It gathers events for a turn, so
// that jobs submitted together are planned together, sends tasks to executors with the buckets that
// they read, and keeps the map outputs that come back.

import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import { EngineError, type ErrorReport, errorOf, reportError } from '../engineError.ts'
import { ExecutorPool } from '../executor/executorPool.ts'
import {
  type ShuffleInputs,
  type StartExecutor,
  type StateAnswer,
  type StateQuery,
  shuffleInputKey,
  type Task,
  type TaskReport,
  type TaskWork,
} from '../executor/task.ts'
import type { Action } from '../rdd/action.ts'
import type { Bucket, Lineage } from '../rdd/lineage.ts'
import { ShuffleStore } from '../shuffle/shuffleStore.ts'
import { olderTimestamp, type RangeRead } from '../sources/scan.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { batchIsOver, batchOfRdd } from '../stream/driverRdds.ts'
import type { Job } from '../stream/job.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { type DagEffect, type DagEvent, DagScheduler, type RunningTask } from './dagScheduler.ts'
import { type Stage, shuffleReads } from './stage.ts'
import { type RunningAttempt, TaskAttempts } from './taskAttempts.ts'

export interface DriverOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random'>
  readonly logger: Logger
  readonly job: Job
  readonly batchIntervalMs: number
  readonly executors: number
  readonly startExecutor: StartExecutor
  /** Key and value pairs of map outputs kept for later batches. */
  readonly maxShufflePairs?: number
  /** How long one attempt of a task may take; no limit unless given. */
  readonly taskTimeoutMs?: number | undefined
  /** Called for each range that a task has read to its end. */
  readonly onRangeRead?: (read: RangeRead) => void
}

interface Waiting {
  resolve(results: unknown[]): void
  reject(error: Error): void
}

interface Launch {
  readonly executor: number
  readonly task: Task
}

export class Driver {
  readonly graph: StreamGraph
  /** Rejects when the executors cannot go on; never resolves. */
  readonly failed: Promise<never>
  readonly #dag: DagScheduler
  readonly #pool: ExecutorPool
  readonly #store: ShuffleStore
  readonly #attempts: TaskAttempts
  readonly #statePartitions: number
  readonly #executors: number
  readonly #onRangeRead: DriverOptions['onRangeRead']
  readonly #waiting = new Map<number, Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  /** Map partitions of every shuffle that has outputs, to forget them with their batch. */
  readonly #shuffles = new Map<string, number>()
  #events: DagEvent[] = []
  #batchId = -1
  #lastJobId = 0
  #oldestTimestampMs: number | undefined
  #isStopped = false

  constructor(options: DriverOptions) {
    this.graph = new StreamGraph(options.job, {
      batchIntervalMs: options.batchIntervalMs,
      run: (rdd, action, partitions) => this.run(rdd, action, partitions),
    })
    this.#dag = new DagScheduler({ executorSlots: options.executors })
    this.#statePartitions = options.job.partitions
    this.#executors = options.executors
    this.#store = new ShuffleStore(options.maxShufflePairs ?? 4_000_000)
    this.#onRangeRead = options.onRangeRead
    this.#attempts = new TaskAttempts(options.runtime.clock, options.taskTimeoutMs, (taskId) =>
      this.#timedOut(taskId),
    )
    const failing = Promise.withResolvers<never>()
    this.failed = failing.promise
    this.failed.catch(() => {})
    this.#pool = new ExecutorPool({
      runtime: options.runtime,
      logger: options.logger,
      slots: options.executors,
      start: options.startExecutor,
      history: () => this.graph.history.upTo(Infinity),
      onRegistered: (executor) => this.#post({ kind: 'executorRegistered', executor }),
      onReport: (_slot, report) => this.#report(report),
      onLost: (executor, error) => {
        this.#attempts.executorLost(executor)
        this.#post({ kind: 'executorLost', executor, ...(error && { error: reportError(error) }) })
      },
      onFailed: failing.reject,
    })
  }

  /** The smallest record timestamp that tasks of this batch met; undefined when they met none. */
  get oldestTimestampMs(): number | undefined {
    return this.#oldestTimestampMs
  }

  async start(): Promise<void> {
    await Promise.race([this.#pool.start(), this.failed])
  }

  /** Makes a batch known here and to all executors, and forgets what no window reaches. */
  addBatch(batch: BatchInfo): void {
    this.graph.addBatch(batch)
    this.#batchId = batch.batchId
    this.#oldestTimestampMs = undefined
    this.#pool.addBatch(batch)
    const oldest = this.graph.history.upTo(batch.batchId)[0]!.batchId
    for (const [shuffleId, mapPartitions] of this.#shuffles) {
      if (batchOf(shuffleId) >= oldest) continue
      this.#shuffles.delete(shuffleId)
      this.#store.forget(shuffleId, mapPartitions)
      this.#post({ kind: 'shuffleForgotten', shuffleId })
    }
  }

  /**
   * Resolves when no action runs any more. A batch must not end before: a task of its that comes
   * late would take the state back to it, and what the next batch has added would be gone.
   */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /** Fails with an EngineError when a task failed too often, or the RDD's batch is over. */
  run(
    rdd: Lineage<unknown>,
    action: Action,
    partitions: readonly number[] = Array.from({ length: rdd.partitionCount }, (_, at) => at),
  ): Promise<unknown[]> {
    if (this.#isStopped) return Promise.reject(beingStopped())
    if (batchOfRdd(rdd) !== this.#batchId) return Promise.reject(batchIsOver(rdd))
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>()
    const jobId = ++this.#lastJobId
    this.#waiting.set(jobId, { resolve, reject })
    this.#post({ kind: 'jobSubmitted', jobId, rdd, action, partitions })
    this.#running.add(promise)
    const over = () => void this.#running.delete(promise)
    promise.then(over, over)
    return promise
  }

  /**
   * Asks the executor that holds a partition of a state. The partition of a key is that of the stream's
   * partitioner (byKeyGroups). Fails with an EngineError.
   */
  async queryState(query: StateQuery): Promise<StateAnswer> {
    const { operator, partition } = query
    if (this.#isStopped) throw beingStopped()
    if (Number.isInteger(partition) && partition >= 0 && partition < this.#statePartitions) {
      return await this.#pool.query(partition % this.#executors, query)
    }
    const message = `the state '${operator}' has partitions 0 to ${this.#statePartitions - 1}, not ${partition}`
    throw new EngineError('STATE_QUERY_FAILED', message)
  }

  /** What executors are doing now, the oldest first. */
  running(): RunningAttempt[] {
    return this.#attempts.running()
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Ends the executors. Jobs that are waited for fail. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#attempts.close()
    await this.#pool.stop()
    for (const { reject } of this.#waiting.values()) reject(beingStopped())
    this.#waiting.clear()
  }

  #post(event: DagEvent): void {
    this.#events.push(event)
    if (this.#events.length === 1) void Promise.resolve().then(() => this.#handleEvents())
  }

  #handleEvents(): void {
    const events = this.#events
    this.#events = []
    const launches: Launch[] = []
    for (const effect of this.#dag.handleAll(events)) {
      if (effect.kind === 'launchTask') this.#prepare(effect, launches)
      else this.#endJob(effect)
    }
    for (const [executor, group] of Map.groupBy(launches, (launch) => launch.executor)) {
      this.#pool.run(
        executor,
        group.map(({ task }) => task),
      )
    }
  }

  #prepare(effect: Extract<DagEffect, { kind: 'launchTask' }>, launches: Launch[]): void {
    const { taskId, executor, stage, partition } = effect
    const inputs = this.#inputs(taskId, stage, partition)
    if (!inputs) return
    this.#attempts.launched(taskId, executor, stage, partition)
    const task = { taskId, batchId: this.#batchId, work: workOf(stage), partition, inputs }
    launches.push({ executor, task })
  }

  /** Undefined, and the scheduler is told, when an output had to make room for others. */
  #inputs(taskId: number, stage: Stage, partition: number): ShuffleInputs | undefined {
    const inputs = new Map<string, readonly Bucket[]>()
    for (const { shuffleId, mapPartitions, reducePartition } of shuffleReads(
      stage.rdd,
      partition,
    )) {
      const read: Bucket[] = []
      for (let mapPartition = 0; mapPartition < mapPartitions; mapPartition++) {
        const output = this.#store.get(shuffleId, mapPartition)
        if (!output) {
          this.#post({ kind: 'fetchFailed', taskId, shuffleId, mapPartition })
          return undefined
        }
        read.push(output[reducePartition]!)
      }
      inputs.set(shuffleInputKey(shuffleId, reducePartition), read)
    }
    return inputs
  }

  #report({ taskId, outcome, oldestTimestampMs, ranges }: TaskReport): void {
    this.#attempts.ended(taskId)
    for (const read of ranges) this.#onRangeRead?.(read)
    const task = this.#dag.task(taskId)
    if (!task) return
    this.#oldestTimestampMs = olderTimestamp(this.#oldestTimestampMs, oldestTimestampMs)
    this.#post(this.#eventOf(taskId, task, outcome))
  }

  /**
   * The tasks of a thread stand still together when one of them does not let go of it: all that are
   * past their limit have failed; those started later are only run again.
   */
  #timedOut(taskId: number): void {
    const executor = this.#dag.task(taskId)?.executor
    if (executor === undefined) return
    const { limitMs } = this.#attempts
    const message =
      `the task took longer than its limit of ${limitMs} ms and its executor was ended; look for an ` +
      'endless loop in the job, or raise the limit (taskTimeoutMs) if its work takes that long'
    for (const late of new Set([taskId, ...this.#attempts.late(executor)])) {
      this.#post({ kind: 'taskFailed', taskId: late, error: { message, code: 'TASK_TIMED_OUT' } })
    }
    this.#pool.interrupt(executor, message)
  }

  /** What a report means to the scheduler, once a map output is in the store. */
  #eventOf(taskId: number, task: RunningTask, outcome: TaskReport['outcome']): DagEvent {
    if (outcome.kind === 'failed') return { kind: 'taskFailed', taskId, error: outcome.error }
    const { stage, partition } = task
    const { value } = outcome
    if (stage.output.kind === 'result') {
      return { kind: 'taskFinished', taskId, holder: 'driver', value }
    }
    try {
      this.#store.put(stage.id, partition, this.#batchId, value as Bucket[])
    } catch (error) {
      return { kind: 'taskFailed', taskId, error: reportError(error) }
    }
    this.#shuffles.set(stage.id, stage.rdd.partitionCount)
    return { kind: 'taskFinished', taskId, holder: 'driver' }
  }

  #endJob(effect: Exclude<DagEffect, { kind: 'launchTask' }>): void {
    const waiting = this.#waiting.get(effect.jobId)
    this.#waiting.delete(effect.jobId)
    if (effect.kind === 'jobFinished') waiting?.resolve(effect.results)
    else waiting?.reject(errorOf(this.#named(effect.error)))
  }

  /** With the job and the batch: a log has more than one of each. */
  #named(error: ErrorReport): ErrorReport {
    const name = `job '${this.graph.name}', batch ${this.#batchId}`
    const { message, publicMessage = message } = error
    return { ...error, message: `${name}: ${message}`, publicMessage: `${name}: ${publicMessage}` }
  }
}

function workOf({ id, rdd, output }: Stage): TaskWork {
  if (output.kind === 'map') return { kind: 'map', shuffleId: id }
  return { kind: 'result', rddId: rdd.id, action: output.action }
}

function beingStopped(): EngineError {
  return new EngineError('EXECUTOR_FAILED', 'the job is being stopped')
}

/** Ids of shuffles have their batch after the word (see StreamGraph). */
function batchOf(shuffleId: string): number {
  return Number(shuffleId.slice('shuffle-'.length, shuffleId.indexOf(':')))
}
