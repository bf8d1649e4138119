// Carries out the DAG scheduler's decisions. Collects the events of one turn, so that jobs
// submitted together are planned together; sends tasks to executors with the buckets that they
// read; stores the map outputs that they return. It must never let an action of a batch continue
// after that batch has ended.

import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { sleep } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { EngineError, type ErrorReport, errorOf, reportError } from '../engineError.ts'
import { ExecutorPool } from '../executor/executorPool.ts'
import type {
  StartExecutor,
  StateAnswer,
  StateQuery,
  Task,
  TaskReport,
  TaskWork,
} from '../executor/task.ts'
import type { StatePartition, TaskFigures } from '../metrics/jobFigures.ts'
import type { Action } from '../rdd/action.ts'
import type { Advanced, Bucket, Lineage } from '../rdd/lineage.ts'
import { ShuffleSpill } from '../shuffle/shuffleSpill.ts'
import { ShuffleStore } from '../shuffle/shuffleStore.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import { batchIsOver, batchOfRdd } from '../stream/driverRdds.ts'
import type { Job } from '../stream/job.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { defaultBounds } from './batchBounds.ts'
import type { BatchProgress } from './batchProgress.ts'
import { type DagEffect, type DagEvent, DagScheduler, type RunningTask } from './dagScheduler.ts'
import { type Gathered, ShuffleInputs } from './shuffleInputs.ts'
import { operatorOf, type Stage, shuffleReads } from './stage.ts'
import { type RunningAttempt, TaskAttempts } from './taskAttempts.ts'

export interface DriverOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'scheduler'>
  readonly logger: Logger
  readonly job: Job
  readonly batchIntervalMs: number
  readonly executors: number
  readonly startExecutor: StartExecutor
  readonly shuffles?: ShuffleOptions
  /** Time limit of one attempt of a task, in ms. No limit by default. */
  readonly taskTimeoutMs?: number | undefined
  /** Called for each finished task of the running batch whose result counts. */
  readonly onTaskFinished?: (report: TaskReport) => void
}

/** Limits on map outputs, which the driver holds for all executors. */
export interface ShuffleOptions {
  /** Key and value pairs in memory; 4 million by default. */
  readonly maxPairs?: number
  /** Estimated bytes in memory; 256 MiB by default. */
  readonly maxBytes?: number
  /**
   * The directory to which the oldest outputs are spilled. Without it, outputs that do not fit are
   * dropped or fail the batch.
   */
  readonly spill?: {
    readonly disk: Disk
    /** Used by the spill alone; emptied at the start. */
    readonly directory: string
    /** 8 GiB by default. */
    readonly maxBytes?: number
  }
}

const defaultShufflePairs = 4_000_000
/**
 * Grace period for the tasks of a cancelled attempt, after which their executors are terminated.
 */
const breakOffTimeoutMs = 2000

interface Waiting {
  resolve(results: unknown[]): void
  reject(error: Error): void
}

type LaunchTask = Extract<DagEffect, { kind: 'launchTask' }>

interface Launch {
  readonly executor: number
  readonly task: Task
}

/** The reports of all stateful operators of a job about a batch. */
export interface AdvancedBatch {
  /** The newest batch that changed the state, by the id of the operator's stream; -1 for none. */
  readonly changed: ReadonlyMap<number, number>
  /** Late rows, dropped or sent to a `late` output, over all operators. */
  readonly lateRows: number
  /** Sizes of the advanced states, of operators whose size is known in all partitions. */
  readonly states: readonly StatePartition[]
}

export class Driver {
  readonly graph: StreamGraph
  /** Rejects when the executors fail and cannot be restarted; never resolves. */
  readonly failed: Promise<never>
  readonly #dag: DagScheduler
  readonly #pool: ExecutorPool
  readonly #store: ShuffleStore
  readonly #attempts: TaskAttempts
  readonly #inputs: ShuffleInputs
  readonly #options: DriverOptions
  readonly #waiting = new Map<number, Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  /** Map partitions of every shuffle that has outputs, by shuffle id. */
  readonly #shuffles = new Map<string, number>()
  /**
   * Shuffles, including those of earlier batches, that tasks of the running batch have computed.
   */
  readonly #computed = new Set<string>()
  #events: DagEvent[] = []
  #batchId = -1
  #sinceMs = 0
  #lastJobId = 0
  #isStopped = false
  #changedOutputs = 0
  readonly #counts = { finished: 0, failed: 0, retried: 0, executorsLost: 0 }
  readonly #warned = new Set<string>()

  constructor(options: DriverOptions) {
    this.#options = options
    this.graph = new StreamGraph(options.job, {
      batchIntervalMs: options.batchIntervalMs,
      run: (rdd, action, partitions) => this.run(rdd, action, partitions),
    })
    this.#dag = new DagScheduler({ executorSlots: options.executors })
    const { spill, maxPairs, maxBytes = defaultBounds.maxShuffleBytes } = options.shuffles ?? {}
    this.#store = new ShuffleStore({
      logger: options.logger,
      maxPairs: maxPairs ?? defaultShufflePairs,
      maxBytes,
      spill: spill && new ShuffleSpill({ maxBytes: defaultBounds.maxSpillBytes, ...spill }),
      onChanged: (shuffleId, mapPartition) => this.#outputChanged(shuffleId, mapPartition),
    })
    this.#inputs = new ShuffleInputs(this.#store, maxBytes)
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
        this.#counts.executorsLost++
        for (const taskId of this.#attempts.executorLost(executor)) this.#inputs.ended(taskId)
        this.#post({ kind: 'executorLost', executor, ...(error && { error: reportError(error) }) })
      },
      onFailed: failing.reject,
    })
  }

  /** Map outputs whose content changed when they were recomputed: the job is not deterministic. */
  get changedOutputs(): number {
    return this.#changedOutputs
  }

  /** Counts of this process. */
  get counts(): TaskFigures {
    return { ...this.#counts, executors: this.#options.executors }
  }

  async start(): Promise<void> {
    await this.#store.clear()
    await Promise.race([this.#pool.start(), this.failed])
  }

  /**
   * Adds a batch to the graph and to all executors, and forgets batches that no window reaches. If
   * the batch is already known, perhaps with other ranges, it must have been cancelled: nothing of
   * that attempt is reused.
   */
  addBatch(batch: BatchInfo): void {
    this.graph.addBatch(batch)
    this.#batchId = batch.batchId
    this.#sinceMs = this.#options.runtime.clock.nowMs()
    this.#pool.addBatch(batch)
    this.#computed.clear()
    const oldest = this.graph.history.upTo(batch.batchId)[0]!.batchId
    this.#forgetShuffles((batchId) => batchId < oldest || batchId >= batch.batchId)
  }

  /** Advances the state of all operators to the batch. Must be called before its outputs run. */
  async advance({ batchId }: BatchInfo): Promise<AdvancedBatch> {
    const changed = new Map<number, number>()
    const states: StatePartition[] = []
    let lateRows = 0
    // Concurrently, so that operators on the same stream share one pass over its records.
    await Promise.all(
      this.graph.advancing(batchId).map(async ({ uid: operator, streamId, rdd }) => {
        const partitions = (await this.run(rdd, { kind: 'advance' })) as Advanced[]
        let newest = -1
        for (const { changedIn, lateRows: late } of partitions) {
          newest = Math.max(newest, changedIn)
          lateRows += late
        }
        states.push(...sizesOf(operator, partitions))
        changed.set(streamId, newest)
      }),
    )
    return { changed, lateRows, states }
  }

  /**
   * Cancels what runs of the batch: its actions fail with the error. Resolves when no task of it
   * runs any more; executors whose tasks do not end within the grace period are terminated.
   */
  async breakOff(error: EngineError): Promise<void> {
    for (const [jobId, { reject }] of this.#waiting) {
      this.#events.push({ kind: 'jobCancelled', jobId })
      reject(error)
    }
    this.#waiting.clear()
    // Reports of its tasks, such as rejected records, are dropped; the next attempt reports them
    // again.
    this.#forgetShuffles((batchId, id) => batchId >= this.#batchId || this.#computed.has(id))
    this.#handleEvents()
    const idle = this.#attempts.idle()
    const settled = new AbortController()
    void idle.then(() => settled.abort())
    await sleep(this.#options.runtime.clock, breakOffTimeoutMs, settled.signal)
    for (const executor of new Set(this.#attempts.running().map((attempt) => attempt.executor))) {
      this.#pool.interrupt(executor, error.message)
    }
    await idle
  }

  /** Progress of the batch that was added last. */
  progress(): BatchProgress {
    const running = this.#attempts.running()
    const all = this.#dag.progress()
    const stages = all.flatMap(({ id, operator, partitions, done }, at) => {
      const oldest = running.find((attempt) => attempt.stage === id)
      if (oldest === undefined) return []
      return [{ ordinal: at + 1, of: all.length, operator, partitions, done, oldest }]
    })
    return { batchId: this.#batchId, sinceMs: this.#sinceMs, stages }
  }

  /**
   * Resolves when no action is running. A batch must not end before that: a task that finished
   * later would overwrite the state with that of the older batch.
   */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  /**
   * Rejects with an EngineError when a task failed too often, or the batch of the RDD has ended.
   */
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
   * Queries the executor that holds a partition of a state. The partition of a key follows from the
   * stream's partitioner (byKeyGroups). Rejects with an EngineError.
   */
  async queryState(query: StateQuery): Promise<StateAnswer> {
    const { operator, partition } = query
    if (this.#isStopped) throw beingStopped()
    if (Number.isInteger(partition) && partition >= 0 && partition < this.#options.job.partitions) {
      return await this.#pool.query(partition % this.#options.executors, query)
    }
    const message = `the state '${operator}' has partitions 0 to ${this.#options.job.partitions - 1}, not ${partition}`
    throw new EngineError('STATE_QUERY_FAILED', message)
  }

  /**
   * Runs `use` while no executor has a state open, so that the state's files can be read. No action
   * may be running; queries wait.
   */
  async withReleasedStates<T>(use: () => Promise<T>): Promise<T> {
    assert(this.#running.size === 0, 'states are released only between batches')
    return await this.#pool.withReleasedStates(use)
  }

  /** Running task attempts, oldest first. */
  running(): RunningAttempt[] {
    return this.#attempts.running()
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Terminates the executors. Pending jobs fail. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#attempts.close()
    await this.#pool.stop()
    // Best effort: the next start removes the remaining files.
    await this.#store.clear().catch(() => {})
    for (const { reject } of this.#waiting.values()) reject(beingStopped())
    this.#waiting.clear()
  }

  #forgetShuffles(isOver: (batchId: number, shuffleId: string) => boolean): void {
    for (const shuffleId of new Set([...this.#shuffles.keys(), ...this.#dag.shuffles()])) {
      if (!isOver(batchOf(shuffleId), shuffleId)) continue
      void this.#store.forget(shuffleId, this.#shuffles.get(shuffleId) ?? 0)
      this.#shuffles.delete(shuffleId)
      this.#post({ kind: 'shuffleForgotten', shuffleId })
    }
  }

  #post(event: DagEvent): void {
    this.#events.push(event)
    if (this.#events.length > 1) return
    this.#options.runtime.scheduler.soon(() => this.#handleEvents())
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

  #prepare(effect: LaunchTask, launches: Launch[]): void {
    const { taskId, stage, partition } = effect
    const gathered = this.#inputs.gather(taskId, shuffleReads(stage.rdd, partition))
    if (!(gathered instanceof Promise)) {
      this.#launch(effect, gathered, launches)
      return
    }
    void gathered.then((inputs) => {
      const late: Launch[] = []
      // While buckets were read from disk, the executor may have died or the job been cancelled.
      if (!this.#dag.isWanted(taskId)) this.#dropped(taskId)
      // Its job has no result: `stop` makes it fail.
      else if (this.#isStopped) this.#inputs.ended(taskId)
      else this.#launch(effect, inputs, late)
      for (const { executor, task } of late) this.#pool.run(executor, [task])
    })
  }

  /**
   * Launches the task, or reports a fetch failure when an output was dropped for lack of space or
   * lost.
   */
  #launch(effect: LaunchTask, gathered: Gathered, to: Launch[]): void {
    const { taskId, executor, stage, partition } = effect
    if (gathered.kind === 'missing') {
      const { shuffleId, mapPartition } = gathered
      this.#inputs.ended(taskId)
      // Another task already reported the loss, and the output was recomputed while this one was
      // reading.
      if (this.#store.has(shuffleId, mapPartition)) this.#prepare(effect, to)
      else this.#post({ kind: 'fetchFailed', taskId, shuffleId, mapPartition })
      return
    }
    const { inputs } = gathered
    const attempt = this.#attempts.launched(taskId, executor, stage, partition)
    if (attempt > 1) this.#counts.retried++
    if (stage.output.kind === 'map') this.#computed.add(stage.id)
    const task = { taskId, batchId: this.#batchId, work: workOf(stage), partition, inputs }
    to.push({ executor, task })
  }

  /** Reports a task that is no longer needed as finished, so that the scheduler frees its slot. */
  #dropped(taskId: number): void {
    this.#inputs.ended(taskId)
    this.#post({ kind: 'taskFinished', taskId, holder: 'driver' })
  }

  #report(report: TaskReport): void {
    const { taskId, outcome } = report
    this.#attempts.ended(taskId)
    this.#inputs.ended(taskId)
    const task = this.#dag.task(taskId)
    if (!task) return
    if (outcome.kind === 'failed') {
      this.#counts.failed++
      this.#post({ kind: 'taskFailed', taskId, error: outcome.error })
    } else if (this.#dag.isWanted(taskId)) {
      this.#counts.finished++
      this.#options.onTaskFinished?.(report)
      this.#finished(taskId, task, outcome.value)
    } else {
      this.#post({ kind: 'taskFinished', taskId, holder: 'driver' })
    }
  }

  /** A map output is stored before the scheduler learns of it. */
  #finished(taskId: number, { stage, partition }: RunningTask, value: unknown): void {
    if (stage.output.kind === 'result') {
      this.#post({ kind: 'taskFinished', taskId, holder: 'driver', value })
      return
    }
    this.#shuffles.set(stage.id, stage.rdd.partitionCount)
    const stored = this.#store.put(stage.id, partition, this.#batchId, value as Bucket[])
    const done = () => this.#post({ kind: 'taskFinished', taskId, holder: 'driver' })
    if (stored === undefined) done()
    else {
      stored.then(done, (error: unknown) =>
        this.#post({ kind: 'taskFailed', taskId, error: reportError(error) }),
      )
    }
  }

  /**
   * Functions that depend on the clock, on random numbers or on the order of a set change on a
   * rerun.
   */
  #outputChanged(shuffleId: string, mapPartition: number): void {
    this.#changedOutputs++
    const operator = operatorOf({ rdd: this.graph.shuffle(shuffleId).parent })
    if (this.#warned.has(operator)) return
    this.#warned.add(operator)
    const fields = { job: this.graph.name, batch: this.#batchId, operator, shuffleId, mapPartition }
    this.#options.logger.warn(
      fields,
      `the output of ${operator} differed when it was computed again: the job is not deterministic, and its results ` +
        'depend on failures; remove uses of the clock, random numbers or the order of a set from its functions',
    )
  }

  /**
   * A task that does not yield blocks all tasks of its thread: those past their limit count as
   * failed, those started later are only retried.
   */
  #timedOut(taskId: number): void {
    const executor = this.#dag.task(taskId)?.executor
    if (executor === undefined) return
    const { limitMs } = this.#attempts
    const message =
      `the task took longer than its limit of ${limitMs} ms, and its executor was terminated; look for an ` +
      'endless loop in the job, or raise the limit (taskTimeoutMs) if its work takes that long'
    for (const late of new Set([taskId, ...this.#attempts.late(executor)])) {
      this.#counts.failed++
      this.#post({ kind: 'taskFailed', taskId: late, error: { message, code: 'TASK_TIMED_OUT' } })
    }
    this.#pool.interrupt(executor, message)
  }

  #endJob(effect: Exclude<DagEffect, LaunchTask>): void {
    const waiting = this.#waiting.get(effect.jobId)
    this.#waiting.delete(effect.jobId)
    if (effect.kind === 'jobFinished') waiting?.resolve(effect.results)
    else waiting?.reject(errorOf(this.#named(effect.error)))
  }

  /** Adds the job and the batch, because one log holds messages of many of each. */
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
  return new EngineError('EXECUTOR_FAILED', 'the job is stopping')
}

/** The id of a shuffle starts with its batch (see StreamGraph). */
function batchOf(shuffleId: string): number {
  return Number(shuffleId.slice('shuffle-'.length, shuffleId.indexOf(':')))
}

/**
 * Returns nothing unless all sizes are known: a partial sum would look like the size of the whole
 * state.
 */
function sizesOf(operator: string, partitions: readonly Advanced[]): StatePartition[] {
  const states: StatePartition[] = []
  for (const [partition, { size }] of partitions.entries()) {
    if (size === undefined) return []
    states.push({ operator, partition, ...size })
  }
  return states
}
