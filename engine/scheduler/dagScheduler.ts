// Decides which tasks run where, so that jobs end with the right results whatever fails on the way.
// A state machine after Spark's DAGScheduler: an event goes in, effects come out; it waits for
// nothing, knows no thread and holds no data but the results of jobs that are not finished.
//
// A job is split into stages at its shuffles. Only what is missing is computed: map outputs of an
// earlier job are used as they are, and lost ones are computed again from their lineage.

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
  /** The job's results come in the order of these. */
  readonly partitions: readonly number[]
}

export type DagEvent =
  | ({ readonly kind: 'jobSubmitted' } & JobSubmission)
  /** `value` is a result; a map task's output is already with its holder. */
  | {
      readonly kind: 'taskFinished'
      readonly taskId: number
      readonly holder: OutputHolder
      readonly value?: unknown
    }
  | { readonly kind: 'taskFailed'; readonly taskId: number; readonly error: ErrorReport }
  /** A task did not find a map output that the tracker knows of. */
  | {
      readonly kind: 'fetchFailed'
      readonly taskId: number
      readonly shuffleId: string
      readonly mapPartition: number
    }
  | { readonly kind: 'executorRegistered'; readonly executor: number }
  /** With `error` when it died, perhaps of one of its tasks; without when it was ended on purpose. */
  | { readonly kind: 'executorLost'; readonly executor: number; readonly error?: ErrorReport }
  /** No job will read the shuffle any more, or its lineage has changed: its outputs are not used. */
  | { readonly kind: 'shuffleForgotten'; readonly shuffleId: string }
  /** Nobody waits for the job any more. Its tasks that run are left to end; their results are dropped. */
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
  /** Slots that executors have; a state partition belongs to slot `partition % executorSlots`. */
  readonly executorSlots: number
  /** Failures of one task that abort its stage. */
  readonly maxTaskFailures?: number
  /**
   * Executors that may die under one task before its stage is aborted. Counted apart from its own
   * failures: with an executor die all of its tasks, of which at most one is to blame.
   */
  readonly maxExecutorLosses?: number
  /**
   * Of these, deaths for lack of memory. The first may be owed to what batches before have left behind; a
   * new executor that dies of it, too, dies of the task.
   */
  readonly maxMemoryLosses?: number
  /** Losses of one map output, without a task of the stage that reads it finished in between, that abort the stage. */
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

/** How far a stage is. */
export interface StageProgress {
  readonly id: string
  readonly operator: string
  readonly partitions: number
  readonly done: number
  /** Partitions that executors compute now. */
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

  /** The effects, in the order in which they are to be carried out. */
  handle(event: DagEvent): DagEffect[] {
    return this.handleAll([event])
  }

  /** Handles all events before it launches anything: what is launched together can share work. */
  handleAll(events: readonly DagEvent[]): DagEffect[] {
    this.#effects = []
    for (const event of events) this.#apply(event)
    for (const job of [...this.#jobs.values()]) this.#advance(job)
    return this.#effects
  }

  /** A task that is running, for a shell that has its output. Undefined when nobody waits for it. */
  task(taskId: number): RunningTask | undefined {
    return this.#tasks.get(taskId)
  }

  /** Whether the result of a running task will be used: not after its job was cancelled or its shuffle forgotten. */
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

  /** The stages of all jobs that are not finished, parents before children; the place is their ordinal. */
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
    assert(!this.#jobs.has(jobId), `job ${jobId} is submitted twice`)
    const stage = createStage(`job-${jobId}`, rdd, { kind: 'result', jobId, action })
    this.#jobs.set(jobId, { jobId, stage, partitions, results: new Map() })
  }

  #taskFinished(taskId: number, holder: OutputHolder, value: unknown): void {
    const task = this.#end(taskId)
    if (!task) return
    const { stage, partition } = task
    stage.fetchFailures.clear()
    if (stage.output.kind === 'map') {
      // Whoever wanted this stage may be gone and its shuffle forgotten meanwhile.
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

  /** The task is launched again, unless executors keep dying of it. */
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

  /** All tasks of a stage may find the same loss: it counts once. Each of many losses is made good. */
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
    const message = `${id} lost map output ${mapPartition} of ${shuffleId} again and again`
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

  /** The task, if its result still counts: not after its executor was lost. */
  #end(taskId: number): RunningTask | undefined {
    const task = this.#tasks.get(taskId)
    if (!task) return undefined
    this.#tasks.delete(taskId)
    task.stage.running.delete(task.partition)
    return task
  }

  /** Fails every job that needs the stage. The stage is forgotten, and so are its failures. */
  #abort(stage: Stage, error: ErrorReport): void {
    for (const job of [...this.#jobs.values()]) {
      if (!this.#needs(job.stage, stage)) continue
      this.#jobs.delete(job.jobId)
      this.#effects.push({ kind: 'jobFailed', jobId: job.jobId, error })
    }
    // Its shuffle may have been forgotten, and have another stage by now.
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

  /** Launches a stage's partitions, or first what its parents lack, up to any depth. */
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

  /** Undefined when the task has to wait for its executor, or for any. */
  #place(stage: Stage, partition: number): number | undefined {
    const affinity = affinityOf(stage.rdd, partition)
    const slot = (affinity?.slot ?? partition) % this.#options.executorSlots
    if (this.#executors.has(slot)) return slot
    if (affinity?.kind === 'state') return undefined
    const alive = [...this.#executors].sort((one, other) => one - other)
    return alive.length === 0 ? undefined : alive[slot % alive.length]
  }
}

/** An error with the words that say what failed of it, for the log and for everybody. */
function explained(error: ErrorReport, what: string): ErrorReport {
  return {
    ...error,
    message: `${what}: ${error.message}`,
    publicMessage: `${what}: ${error.publicMessage ?? error.message}`,
    code: error.code ?? 'STAGE_FAILED',
  }
}
