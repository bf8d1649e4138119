// An executor in a test: the production code in the test's thread, behind a proxy that fails its
// tasks, runs them twice, kills it, and reorders its reports and shuffle blocks.

import type { Random } from '../../protocol/runtime/random.ts'
import { EngineError } from '../engineError.ts'
import type {
  Executor,
  ExecutorListener,
  ShuffleInputs,
  StartExecutor,
  Task,
  TaskReport,
} from '../executor/task.ts'
import type { TestProcess, TestWorld } from './testWorld.ts'

/** The work of a task: the map side of a shuffle, an output, or the advance of a state. */
export type TaskStage = 'map' | 'result' | 'advance'

/** A fault of a task. */
export interface TaskFault {
  readonly kind: 'fail' | 'loseExecutor' | 'runTwice'
  /** Before the task runs, or after it has run and before the driver knows. */
  readonly at: 'start' | 'end'
}

/** A task sent to an executor. */
export interface LaunchedTask {
  readonly batchId: number
  readonly stage: TaskStage
  readonly partition: number
  readonly slot: number
}

export interface TestExecutorOptions {
  readonly world: TestWorld
  /** Starts the executor itself, within the process. */
  start(process: TestProcess): StartExecutor
  newProcess(): TestProcess
  /** Called for each task in the order of launches. */
  faultOf(task: LaunchedTask): TaskFault | undefined
  /** Reorders reports and shuffle blocks; without it, both arrive in order. */
  readonly disorder?: Random | undefined
  readonly keepsBlockOrder?: boolean | undefined
  readonly onResult?: ((task: Task, value: unknown) => void) | undefined
}

/** Maximum delay of a report, in steps of other work. */
const mostLateSteps = 12

export class TestExecutors {
  readonly #options: TestExecutorOptions
  readonly #running = new Map<number, TestExecutor>()

  constructor(options: TestExecutorOptions) {
    this.#options = options
  }

  readonly start: StartExecutor = async (slot, listener) => {
    const process = this.#options.newProcess()
    const executor = new TestExecutor(slot, process, listener, this.#options)
    await executor.started
    this.#running.set(slot, executor)
    return executor
  }

  /** Kills the executor, through no fault of its tasks. */
  lose(slot: number): boolean {
    const executor = this.#running.get(slot)
    if (executor === undefined) return false
    executor.die()
    return true
  }
}

class TestExecutor implements Executor {
  readonly started: Promise<void>
  readonly #slot: number
  readonly #process: TestProcess
  readonly #listener: ExecutorListener
  readonly #options: TestExecutorOptions
  /** By task id: what happens to a report instead of passing it on. */
  readonly #held = new Map<number, (report: TaskReport) => void>()
  readonly #tasks = new Map<number, Task>()
  #inner: Executor | undefined

  constructor(
    slot: number,
    process: TestProcess,
    listener: ExecutorListener,
    options: TestExecutorOptions,
  ) {
    this.#slot = slot
    this.#process = process
    this.#listener = listener
    this.#options = options
    this.started = this.#start()
  }

  addBatch(batch: Parameters<Executor['addBatch']>[0]): void {
    this.#inner?.addBatch(batch)
  }

  run(tasks: readonly Task[]): void {
    const started: Task[] = []
    const { disorder, keepsBlockOrder } = this.#options
    const blocks = keepsBlockOrder ? undefined : disorder
    for (const task of disorder ? shuffled(tasks, disorder) : tasks) {
      const fault = this.#options.faultOf(describe(task, this.#slot))
      if (fault && !this.#begin(fault, task)) continue
      this.#tasks.set(task.taskId, task)
      started.push(blocks ? { ...task, inputs: disordered(task.inputs, blocks) } : task)
    }
    if (!this.#process.isDead && started.length > 0) this.#inner?.run(started)
  }

  query(query: Parameters<NonNullable<Executor['query']>>[0]) {
    const inner = this.#inner
    if (inner?.query) return inner.query(query)
    return Promise.reject(new EngineError('EXECUTOR_FAILED', `executor ${this.#slot} has no state`))
  }

  async stop(): Promise<void> {
    if (!this.#process.isDead) await this.#inner?.stop()
    this.#process.die()
  }

  die(): void {
    if (this.#process.isDead) return
    this.#process.die()
    const message = `executor ${this.#slot} was killed by the test`
    this.#listener.onLost(new EngineError('EXECUTOR_FAILED', message))
  }

  async #start(): Promise<void> {
    const start = this.#options.start(this.#process)
    this.#inner = await start(this.#slot, {
      onReport: (report) => void this.#report(report),
      onLost: (error) => {
        if (!this.#process.isDead) this.#listener.onLost(error)
      },
    })
  }

  /** Returns whether the task is run. */
  #begin(fault: TaskFault, task: Task): boolean {
    const { taskId } = task
    if (fault.kind === 'runTwice') {
      this.#held.set(taskId, () => this.#inner?.run([task]))
      return true
    }
    const strike =
      fault.kind === 'fail' ? (report?: TaskReport) => this.#fail(taskId, report) : () => this.die()
    if (fault.at === 'end') this.#held.set(taskId, strike)
    // Not at once: a driver gets no report while it still launches tasks.
    else this.#options.world.scheduler.soon(() => strike())
    return fault.at === 'end'
  }

  #fail(taskId: number, report?: TaskReport): void {
    if (this.#process.isDead) return
    const error = { message: 'the task was killed by the test' }
    const nothing = { oldestTimestampMs: undefined, ranges: [], rejected: [], eventTimes: [] }
    this.#listener.onReport({
      ...(report ?? nothing),
      taskId,
      outcome: { kind: 'failed', error },
    })
  }

  async #report(report: TaskReport): Promise<void> {
    const { disorder, world } = this.#options
    await world.lateBy(disorder?.below(mostLateSteps) ?? 0)
    if (this.#process.isDead) return
    const task = this.#tasks.get(report.taskId)
    if (task && report.outcome.kind === 'finished') {
      this.#options.onResult?.(task, report.outcome.value)
    }
    const held = this.#held.get(report.taskId)
    this.#held.delete(report.taskId)
    if (held) {
      held(report)
      return
    }
    this.#tasks.delete(report.taskId)
    this.#listener.onReport(report)
  }
}

function describe({ batchId, work, partition }: Task, slot: number): LaunchedTask {
  const isAdvance = work.kind === 'result' && work.action.kind === 'advance'
  return { batchId, stage: isAdvance ? 'advance' : work.kind, partition, slot }
}

/** Blocks come from many map tasks, and a reducer takes them in any order. */
function disordered(inputs: ShuffleInputs, random: Random): ShuffleInputs {
  return new Map([...inputs].map(([key, buckets]) => [key, shuffled(buckets, random)]))
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items]
  for (let at = order.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    const item = order[at]!
    order[at] = order[other]!
    order[other] = item
  }
  return order
}
