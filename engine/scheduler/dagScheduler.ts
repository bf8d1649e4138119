// Decides which tasks run on which executors, so that jobs finish with correct results despite
// failures. A state machine after Spark's DAGScheduler: an event goes in, effects come out. It
// never waits, knows no threads, and holds no data except the results of unfinished jobs.
//
// Contract with its driver: effects are carried out in the order returned, and a map output is
// stored before `taskFinished` is reported. A job is split into stages at its shuffles. Only
// missing partitions are computed: map outputs of an earlier job are reused, and lost ones are
// recomputed from their lineage.

import { assert } from '../../protocol/runtime/assert.ts'
import { type ErrorReport, isPermanent } from '../engineError.ts'
import type { Action } from '../rdd/action.ts'
import type { Lineage, ShuffleDependency } from '../rdd/lineage.ts'
import { MapOutputTracker, type OutputHolder } from './mapOutputTracker.ts'
import { affinityOf, createStage, describeTask, operatorOf, type Stage } from './stage.ts'

export interface JobSubmission {
  readonly jobId: number
  readonly rdd: Lineage<unknown>
  readonly action: Action
  /** Results are returned in this order. */
  readonly partitions: readonly number[]
}

export type DagEvent =
  | ({ readonly kind: 'jobSubmitted' } & JobSubmission)
  /** `value` is a result. The output of a map task is already stored by `holder`. */
  | {
      readonly kind: 'taskFinished'
      readonly taskId: number
      readonly holder: OutputHolder
      readonly value?: unknown
    }
  | { readonly kind: 'taskFailed'; readonly taskId: number; readonly error: ErrorReport }
  /** A task failed to find a map output that the tracker has registered. */
  | {
      readonly kind: 'fetchFailed'
      readonly taskId: number
      readonly shuffleId: string
      readonly mapPartition: number
    }
  | { readonly kind: 'executorRegistered'; readonly executor: number }
  /**
   * `error` is set when the executor died, possibly because of a task, and absent when it was
   * stopped.
   */
  | { readonly kind: 'executorLost'; readonly executor: number; readonly error?: ErrorReport }
  /** No job will read the shuffle again, or its lineage has changed; its outputs are not reused. */
  | { readonly kind: 'shuffleForgotten'; readonly shuffleId: string }
  /**
   * The caller no longer waits for the job. Running tasks are left to end; their results are
   * dropped.
   */
  | { readonly kind: 'jobCancelled'; readonly jobId: number }

export type DagEffect =
  | {
      readonly kind: 'launchTask'
      readonly taskId: number
      readonly executor: number
      readonly stage: Stage
      readonly partition: number
    }
  | { readonly kind: 'jobFinished'; readonly jobId: number; readonly results: unknown[] }
  | { readonly kind: 'jobFailed'; readonly jobId: number; readonly error: ErrorReport }

export interface DagSchedulerOptions {
  /** Number of executor slots; a state partition belongs to slot `partition % executorSlots`. */
  readonly executorSlots: number
  /** Failures of one task that abort its stage. */
  readonly maxTaskFailures?: number
  /**
   * Executors lost under one task before its stage is aborted. Counted apart from the task's own
   * failures: all tasks on an executor die with it, and at most one of them is the cause.
   */
  readonly maxExecutorLosses?: number
  /**
   * Executors lost for lack of memory under one task before its stage is aborted; they also count
   * for `maxExecutorLosses`. Memory of earlier batches may cause the first loss; when a new
   * executor runs out of memory in the same task, the task is the cause.
   */
  readonly maxMemoryLosses?: number
  /**
   * Losses of one map output that abort the stage that reads it, while no task of that stage
   * finishes.
   */
  readonly maxFetchFailures?: number
}

const defaults = {
  maxTaskFailures: 4,
  maxExecutorLosses: 4,
  maxMemoryLosses: 2,
  maxFetchFailures: 4,
}

interface ActiveJob {
  readonly jobId: number
  readonly stage: Stage
  readonly partitions: readonly number[]
  readonly results: Map<number, unknown>
}

/** Progress of one stage. */
export interface StageProgress {
  readonly id: string
  readonly operator: string
  readonly partitions: number
  readonly done: number
  /** Partitions that executors are computing. */
  readonly running: number
}

export interface RunningTask {
  readonly stage: Stage
  readonly partition: number
  readonly executor: number
}

export class DagScheduler {
  readonly #options: Required<DagSchedulerOptions>
  readonly #tracker = new MapOutputTracker()
  readonly #jobs = new Map<number, ActiveJob>()
  /** By shuffle id. */
  readonly #mapStages = new Map<string, Stage>()
  readonly #tasks = new Map<number, RunningTask>()
  readonly #executors = new Set<number>()
  #lastTaskId = 0
  #effects: DagEffect[] = []

  constructor(options: DagSchedulerOptions) {
    this.#options = { ...defaults, ...options }
  }

  /** Returns effects, to be carried out in this order. */
  handle(event: DagEvent): DagEffect[] {
    return this.handleAll([event])
  }

  /** Handles all events before it launches anything: tasks launched together can share work. */
  handleAll(events: readonly DagEvent[]): DagEffect[] {
    this.#effects = []
    for (const event of events) this.#apply(event)
    for (const job of [...this.#jobs.values()]) this.#advance(job)
    return this.#effects
  }

  /** Returns the running task, or undefined when its result no longer counts. */
  task(taskId: number): RunningTask | undefined {
    return this.#tasks.get(taskId)
  }

  /**
   * Whether the result of a running task is used; false after its job was cancelled or its shuffle
   * forgotten.
   */
  isWanted(taskId: number): boolean {
    const stage = this.#tasks.get(taskId)?.stage
    if (stage === undefined) return false
    if (stage.output.kind === 'map') return this.#mapStages.get(stage.id) === stage
    return this.#jobs.get(stage.output.jobId)?.stage === stage
  }

  /** Ids of the shuffles that have a stage, with or without outputs. */
  shuffles(): string[] {
    return [...this.#mapStages.keys()]
  }

  /** The stages of all unfinished jobs, parents before children; the index is their ordinal. */
  progress(): StageProgress[] {
    const ordered = new Set<Stage>()
    for (const job of this.#jobs.values()) {
      for (const stage of this.#parentsFirst(job.stage)) ordered.add(stage)
    }
    return [...ordered].map((stage) => this.#progressOf(stage))
  }

  #apply(event: DagEvent): void {
    switch (event.kind) {
      case 'jobSubmitted':
        this.#submit(event)
        break
      case 'taskFinished':
        this.#taskFinished(event.taskId, event.holder, event.value)
        break
      case 'taskFailed':
        this.#taskFailed(event.taskId, event.error)
        break
      case 'fetchFailed':
        this.#fetchFailed(event)
        break
      case 'executorRegistered':
        this.#executors.add(event.executor)
        break
      case 'executorLost':
        this.#executorLost(event.executor, event.error)
        break
      case 'shuffleForgotten':
        this.#tracker.forget(event.shuffleId)
        this.#mapStages.delete(event.shuffleId)
        break
      case 'jobCancelled':
        this.#jobs.delete(event.jobId)
    }
  }

  #submit({ jobId, rdd, action, partitions }: JobSubmission): void {
    assert(!this.#jobs.has(jobId), `job ${jobId} was submitted twice`)
    const stage = createStage(`job-${jobId}`, rdd, { kind: 'result', jobId, action })
    this.#jobs.set(jobId, { jobId, stage, partitions, results: new Map() })
  }

  #taskFinished(taskId: number, holder: OutputHolder, value: unknown): void {
    const task = this.#end(taskId)
    if (!task) return
    const { stage, partition } = task
    stage.fetchFailures.clear()
    if (stage.output.kind === 'map') {
      // The job may have ended and the shuffle been forgotten while the task ran.
      if (this.#mapStages.get(stage.id) !== stage) return
      this.#tracker.add(stage.id, partition, holder)
      return
    }
    this.#jobs.get(stage.output.jobId)?.results.set(partition, value)
  }

  #taskFailed(taskId: number, error: ErrorReport): void {
    const task = this.#end(taskId)
    if (!task) return
    const { stage, partition } = task
    const failures = (stage.failures.get(partition) ?? 0) + 1
    stage.failures.set(partition, failures)
    const isFinal = isPermanent(error)
    if (!isFinal && failures < this.#options.maxTaskFailures) return
    const times = isFinal ? 'failed with' : `failed ${failures} times, the last time with`
    this.#abort(stage, explained(error, `${describeTask(stage, partition)} ${times}`))
  }

  /** Launches the task again, unless it has lost too many executors. */
  #executorDied(taskId: number, error: ErrorReport): void {
    const task = this.#end(taskId)
    if (!task) return
    const { stage, partition } = task
    const losses = (stage.losses.get(partition) ?? 0) + 1
    stage.losses.set(partition, losses)
    const { maxExecutorLosses, maxMemoryLosses } = this.#options
    const isMemory = error.code === 'EXECUTOR_OUT_OF_MEMORY'
    if (losses < (isMemory ? maxMemoryLosses : maxExecutorLosses)) return
    const what = `${describeTask(stage, partition)} lost its executor ${losses} times, the last time with`
    this.#abort(stage, explained(error, what))
  }

  /**
   * All tasks of a stage may find the same loss: it counts once. Each of several losses is
   * recomputed.
   */
  #fetchFailed(event: { taskId: number; shuffleId: string; mapPartition: number }): void {
    const { taskId, shuffleId, mapPartition } = event
    const isNew = this.#tracker.remove(shuffleId, mapPartition)
    const task = this.#end(taskId)
    if (!task || !isNew) return
    const { id, fetchFailures } = task.stage
    const output = `${shuffleId}/${mapPartition}`
    const failures = (fetchFailures.get(output) ?? 0) + 1
    fetchFailures.set(output, failures)
    if (failures < this.#options.maxFetchFailures) return
    const message = `${id} lost map output ${mapPartition} of ${shuffleId} ${failures} times`
    this.#abort(task.stage, { message, code: 'FETCH_FAILED' })
  }

  #executorLost(executor: number, error: ErrorReport | undefined): void {
    this.#executors.delete(executor)
    this.#tracker.removeHolder(executor)
    for (const [taskId, task] of [...this.#tasks]) {
      if (task.executor !== executor) continue
      if (error) this.#executorDied(taskId, error)
      else this.#end(taskId)
    }
  }

  /**
   * Ends the task and returns it; undefined when its result no longer counts because its executor
   * was lost.
   */
  #end(taskId: number): RunningTask | undefined {
    const task = this.#tasks.get(taskId)
    if (!task) return undefined
    this.#tasks.delete(taskId)
    task.stage.running.delete(task.partition)
    return task
  }

  /** Fails every job that needs the stage, and drops the stage with its failure counts. */
  #abort(stage: Stage, error: ErrorReport): void {
    for (const job of [...this.#jobs.values()]) {
      if (!this.#needs(job.stage, stage)) continue
      this.#jobs.delete(job.jobId)
      this.#effects.push({ kind: 'jobFailed', jobId: job.jobId, error })
    }
    // Its shuffle may have been forgotten and have a new stage.
    if (this.#mapStages.get(stage.id) === stage) this.#mapStages.delete(stage.id)
  }

  #needs(stage: Stage, wanted: Stage): boolean {
    const needed = new Set([stage])
    for (const each of needed) {
      if (each === wanted) return true
      for (const { id } of each.parents) {
        const parent = this.#mapStages.get(id)
        if (parent !== undefined) needed.add(parent)
      }
    }
    return false
  }

  #parentsFirst(last: Stage): Stage[] {
    const ordered: Stage[] = []
    const seen = new Set<Stage>()
    const waiting: { stage: Stage; isOpen: boolean }[] = [{ stage: last, isOpen: false }]
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { stage, isOpen } = next
      if (isOpen) ordered.push(stage)
      if (isOpen || seen.has(stage)) continue
      seen.add(stage)
      waiting.push({ stage, isOpen: true })
      for (const { id } of stage.parents) {
        const parent = this.#mapStages.get(id)
        if (parent !== undefined) waiting.push({ stage: parent, isOpen: false })
      }
    }
    return ordered
  }

  #progressOf(stage: Stage): StageProgress {
    const { id, rdd, output, running } = stage
    const job = output.kind === 'result' ? this.#jobs.get(output.jobId) : undefined
    const partitions = job ? job.partitions.length : rdd.partitionCount
    const done = job ? job.results.size : partitions - this.#tracker.missing(id).length
    return { id, operator: operatorOf(stage), partitions, done, running: running.size }
  }

  #advance(job: ActiveJob): void {
    const missing = job.partitions.filter((partition) => !job.results.has(partition))
    if (missing.length > 0) {
      this.#runOrPrepare(job.stage, missing)
      return
    }
    this.#jobs.delete(job.jobId)
    const results = job.partitions.map((partition) => job.results.get(partition))
    this.#effects.push({ kind: 'jobFinished', jobId: job.jobId, results })
  }

  /**
   * Launches partitions of a stage, or first the missing partitions of its parents, to any depth.
   */
  #runOrPrepare(stage: Stage, partitions: readonly number[]): void {
    const waiting = [{ stage, partitions }]
    const seen = new Set<Stage>()
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (seen.has(next.stage)) continue
      seen.add(next.stage)
      let isReady = true
      for (const dependency of next.stage.parents) {
        const parent = this.#mapStage(dependency)
        const missing = this.#tracker.missing(dependency.id)
        if (missing.length === 0) continue
        isReady = false
        waiting.push({ stage: parent, partitions: missing })
      }
      if (isReady) for (const partition of next.partitions) this.#launch(next.stage, partition)
    }
  }

  #mapStage(dependency: ShuffleDependency): Stage {
    let stage = this.#mapStages.get(dependency.id)
    if (!stage) {
      stage = createStage(dependency.id, dependency.parent, { kind: 'map', dependency })
      this.#mapStages.set(dependency.id, stage)
      this.#tracker.register(dependency.id, dependency.parent.partitionCount)
    }
    return stage
  }

  #launch(stage: Stage, partition: number): void {
    if (stage.running.has(partition)) return
    const executor = this.#place(stage, partition)
    if (executor === undefined) return
    const taskId = ++this.#lastTaskId
    stage.running.set(partition, taskId)
    this.#tasks.set(taskId, { stage, partition, executor })
    this.#effects.push({ kind: 'launchTask', taskId, executor, stage, partition })
  }

  /** Returns undefined when the task has to wait for its executor, or for any executor. */
  #place(stage: Stage, partition: number): number | undefined {
    const affinity = affinityOf(stage.rdd, partition)
    const slot = (affinity?.slot ?? partition) % this.#options.executorSlots
    if (this.#executors.has(slot)) return slot
    if (affinity?.kind === 'state') return undefined
    const alive = [...this.#executors].sort((one, other) => one - other)
    return alive.length === 0 ? undefined : alive[slot % alive.length]
  }
}

/** Prefixes both messages of the error with the task that failed. */
function explained(error: ErrorReport, what: string): ErrorReport {
  return {
    ...error,
    message: `${what}: ${error.message}`,
    publicMessage: `${what}: ${error.publicMessage ?? error.message}`,
    code: error.code ?? 'STAGE_FAILED',
  }
}
