// A job under test: fed with records, advanced in time, queried for results, killed and restarted.
// Driver, tasks, logs and state are the production code; broker, disk and time are in memory.
//
//   const test = await testJob(job)
//   await test.feed('orders', ['a', 'b'])
//   await test.advance(1000)
//   expect(test.view('counts')).toEqual([['a', 1], ['b', 1]])

import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { EngineError } from '../engineError.ts'
import type { ViewRows } from '../lifecycle/jobStatus.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { isJob, type Job } from '../stream/job.ts'
import type { DurableStep, PlannedKill } from './durableSteps.ts'
import { type Key, sortKeys } from './keyOrder.ts'
import {
  MemoryTopics,
  type PartitionCounts,
  partitionsOf,
  quoted,
  RecordPlacement,
  type TestRow,
} from './memoryTopics.ts'
import { type FinishedBatch, type JobShape, shapeOf, TestCluster } from './testCluster.ts'
import type { LaunchedTask, TaskFault, TaskStage } from './testExecutor.ts'
import type { SinkContents, TestContext } from './testSink.ts'
import { TestWorld } from './testWorld.ts'

/**
 * A job, or a function that builds it with the sinks of the test; called once per process of the
 * job.
 */
export type TestedJob = Job | ((context: TestContext) => Job)

/** Options of `testJob`. */
export interface TestJobOptions {
  /** Seed of everything that a real system decides at random; 1 by default. */
  readonly seed?: number
  /** Partitions of all topics, or by topic; 2 by default. */
  readonly partitions?: PartitionCounts
  /** Initial time of the clock, in ms since the epoch; the start of 2026 by default. */
  readonly startMs?: number
  /** 1000 by default. */
  readonly batchIntervalMs?: number
  /** Executors of the job; 2 by default. */
  readonly executors?: number
  /** Maximum records that a batch reads from one partition. */
  readonly maxRecordsPerPartition?: number
  /** Kills the driver at a durable step of its first start. */
  readonly kill?: KillDriverOptions
}

/** When and how the driver dies. */
export interface KillDriverOptions {
  /** A future step, as counted by `steps`. By default the driver dies at once. */
  readonly atStep?: number
  /** Whether the step takes effect before the driver dies; `lost` by default. */
  readonly write?: 'lost' | 'kept'
  /**
   * `process`, the default: only the process ends. `power`: the machine loses power, and with it
   * all writes that were not synced.
   */
  readonly loses?: 'process' | 'power'
}

/** Which tasks fail. */
export interface KillTaskOptions {
  /** The map side of a shuffle, an output, or the advance of a state; any by default. */
  readonly stage?: TaskStage
  readonly partition?: number
  /**
   * Before the task starts, or after it has finished but before the driver knows; `start` by
   * default.
   */
  readonly at?: 'start' | 'end'
  /** Number of such tasks; 1 by default. A task that fails four times fails its job. */
  readonly times?: number
}

/** A committed batch. */
export interface TestBatch {
  readonly batchId: number
  /** Nominal time, in ms since the epoch. */
  readonly timeMs: number
  readonly records: number
  readonly ranges: readonly OffsetRange[]
  readonly watermarks: Readonly<Record<string, number>>
  readonly views: Readonly<Record<string, ViewRows>>
}

/** The elements that a foreachRDD of the job received in a batch. */
export interface TestOutput {
  readonly batchId: number
  /** Index of the foreachRDD call in the job, from 0. */
  readonly output: number
  readonly elements: readonly unknown[]
}

/** A record that was rejected from its batch. */
export interface TestDeadLetter {
  /** Where the record was read. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: string | null
  readonly error: string
}

/** Starts the job. Rejects with the EngineError that production would reject with. */
export async function testJob(job: TestedJob, options: TestJobOptions = {}): Promise<JobTest> {
  const test = new JobTest(job, options)
  await test.start()
  return test
}

/** A job under test. */
export class JobTest {
  /** Committed batches, oldest first. */
  readonly batches: TestBatch[] = []
  /** The input of each foreachRDD, batch by batch. The functions themselves run, too. */
  readonly outputs: TestOutput[] = []
  readonly #options: TestJobOptions
  readonly #world: TestWorld
  readonly #placement: RecordPlacement
  readonly #taskKills: { options: KillTaskOptions; left: number }[] = []
  /** By output: why its elements cannot be shown. */
  readonly #unshown = new Map<number, Error>()
  #job: TestedJob
  #version = 1
  #shape: JobShape
  #cluster: TestCluster | undefined
  #lastStatus: JobStatus | undefined

  constructor(job: TestedJob, options: TestJobOptions) {
    this.#options = options
    this.#job = job
    const startMs = options.startMs ?? Date.UTC(2026, 0, 1)
    this.#world = new TestWorld(new MemoryTopics([]), startMs)
    this.#shape = this.#shapeOf(job)
    const { topics } = this.#world
    this.#placement = new RecordPlacement((topic) => topics.partitionCount(topic))
  }

  /** Milliseconds since the epoch, as seen by the job's batches. */
  get nowMs(): number {
    return this.#world.clock.nowMs()
  }

  /** False after a kill, a stop or a failure, until `restart`. */
  get isUp(): boolean {
    return this.#cluster?.isUp === true
  }

  /** The durable steps so far: every change of the disk, of a state and of a sink. */
  get steps(): readonly DurableStep[] {
    return this.#world.steps.taken
  }

  /**
   * Appends records to a topic of the job. A string is the value of a record; an object becomes
   * JSON.
   */
  async feed(topic: string, rows: readonly TestRow[]): Promise<void> {
    for (const row of rows) {
      this.#world.topics.append(this.#placement.place(topic, row, this.nowMs))
    }
  }

  /**
   * Advances the clock and runs the batches that become due. Rejects with the EngineError of a
   * batch that fails; after that, and after a kill, the job is down until `restart`.
   */
  async advance(ms: number): Promise<void> {
    await this.#running().advance(ms)
  }

  /** Lets time pass while the driver is paused or down: the missed intervals become one batch. */
  async pause(ms: number): Promise<void> {
    if (this.#cluster?.isUp) await this.#cluster.pause(ms)
    else this.#world.clock.stall(ms)
  }

  /** The rows of a view as of the newest batch in which it was due; empty before the first one. */
  view(name: string): ViewRows {
    const names = this.#shape.views.map((view) => view.name)
    if (!names.includes(name)) {
      throw invalid(`the job has no view '${name}'; it has ${quoted(names)}`)
    }
    return this.batches.findLast(({ views }) => views[name] !== undefined)?.views[name] ?? []
  }

  /** The elements that a foreachRDD (the first by default) received in its newest batch. */
  output(output = 0): readonly unknown[] {
    const error = this.#unshown.get(output)
    if (error) throw error
    return this.outputs.findLast((each) => each.output === output)?.elements ?? []
  }

  /** The status as a page would show it. */
  status(): JobStatus {
    const status = this.#cluster?.status() ?? this.#lastStatus
    if (status === undefined)
      throw invalid('the job was killed before it was up, and has no status')
    if (status.state !== 'running' || this.isUp) return status
    return { ...status, state: 'failed', error: 'the driver was killed by the test' }
  }

  /** The keys and values of a state, by its uid, as of the newest batch. */
  async state(uid: string): Promise<ReadonlyMap<Key, unknown>> {
    const cluster = this.#cluster
    if (cluster === undefined) throw this.#down()
    return new Map(sortKeys(await cluster.state(uid)))
  }

  /** What the job has written to a sink of the test. */
  sink(name = 'sink'): SinkContents {
    return this.#world.sinks.contents(name)
  }

  /** Records that the job sent to a dead letter topic, by topic, partition and offset. */
  deadLetters(topic: string): readonly TestDeadLetter[] {
    const letters = [...this.#world.deadLetters.values()].flat()
    return letters.flatMap(({ onError, record, error, ...place }) => {
      if (onError === 'skip' || onError.deadLetter !== topic) return []
      const value = record?.value ?? null
      const { partition, offset } = place
      const text = value === null ? null : Buffer.from(value).toString()
      return { topic: place.topic, partition, offset, error, value: text }
    })
  }

  /** Makes the next matching task fail. */
  killTask(options: KillTaskOptions = {}): void {
    this.#taskKills.push({ options, left: options.times ?? 1 })
  }

  /** Kills an executor, with its tasks and open states. The driver replaces it. */
  killExecutor(slot: number): void {
    if (this.#running().killExecutor(slot)) return
    throw invalid(`the job has no executor ${slot}; it has ${this.#executors}, counted from 0`)
  }

  /** Kills the driver and its executors, at once or at a future durable step. */
  killDriver({ atStep, write = 'lost', loses = 'process' }: KillDriverOptions = {}): void {
    if (atStep === undefined) {
      this.#running()
      this.#world.kill({ write, loses })
      return
    }
    const next = this.steps.length
    if (atStep < next) {
      throw invalid(`durable step ${atStep} has already happened; the next one is ${next}`)
    }
    this.#world.steps.plan({ atStep, write, loses } satisfies PlannedKill)
  }

  /**
   * Restarts the job, in the same or another version, from what is on its disk: after a kill or a
   * failure, or after stopping it if it runs. Changes of the job are checked as in production.
   */
  async restart(job: TestedJob = this.#job): Promise<void> {
    await this.stop()
    const before = { job: this.#job, shape: this.#shape, version: this.#version }
    this.#shape = this.#shapeOf(job)
    if (job !== this.#job) this.#version++
    this.#job = job
    try {
      await this.#start()
    } catch (error) {
      // A rejected version is not the job: the next restart uses the previous one.
      this.#job = before.job
      this.#shape = before.shape
      this.#version = before.version
      throw error
    }
  }

  /** Stops the job after the running batch. */
  async stop(): Promise<void> {
    await this.#cluster?.stop()
    this.#lastStatus = this.#cluster?.status() ?? this.#lastStatus
    await this.#cluster?.release()
    this.#cluster = undefined
  }

  /** Stops the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#world.steps.forget()
    await this.stop()
  }

  /** Called by `testJob`. */
  async start(): Promise<void> {
    const { kill } = this.#options
    if (kill) this.killDriver({ atStep: 0, ...kill })
    await this.#start()
  }

  async #start(): Promise<void> {
    const { batchIntervalMs = 1000, maxRecordsPerPartition = 1_000_000, seed = 1 } = this.#options
    const job = this.#job
    this.#cluster = await TestCluster.start({
      world: this.#world,
      job: (process) => buildJob(job, this.#world.sinks.context(process.durably)),
      batchIntervalMs,
      executors: this.#executors,
      maxRecordsPerPartition,
      seed,
      code: `version ${this.#version}`,
      collectsOutputs: true,
      faultOf: (task) => this.#faultOf(task),
      onCommitted: (batch) => this.#committed(batch),
    })
  }

  get #executors(): number {
    return this.#options.executors ?? 2
  }

  #committed({ batch, records, views, outputs }: FinishedBatch): void {
    const { batchId, timeMs, ranges, watermarks = {} } = batch
    const shown = Object.fromEntries(views)
    this.batches.push({ batchId, timeMs, records, ranges, watermarks, views: shown })
    for (const [output, elements] of outputs.entries()) {
      if (elements instanceof Error) this.#unshown.set(output, elements)
      else if (elements) this.outputs.push({ batchId, output, elements })
    }
  }

  #faultOf(task: LaunchedTask): TaskFault | undefined {
    const kill = this.#taskKills.find(({ options: { stage, partition } }) => {
      return (
        (stage ?? task.stage) === task.stage && (partition ?? task.partition) === task.partition
      )
    })
    if (kill === undefined) return undefined
    if (--kill.left === 0) this.#taskKills.splice(this.#taskKills.indexOf(kill), 1)
    return { kind: 'fail', at: kill.options.at ?? 'start' }
  }

  /** Reads the job's graph, and creates the topics that it reads. */
  #shapeOf(job: TestedJob): JobShape {
    const { sinks, topics } = this.#world
    const built = buildJob(job, sinks.context(writesNothing))
    const shape = shapeOf(built, this.#options.batchIntervalMs ?? 1000)
    for (const topic of shape.topics) {
      topics.create(topic, partitionsOf(this.#options.partitions, topic))
    }
    return shape
  }

  #running(): TestCluster {
    if (this.#cluster?.isUp) return this.#cluster
    throw this.#down()
  }

  #down(): EngineError {
    const { length } = this.steps
    return invalid(
      `the job is down (after ${length} durable steps); restart it with \`await test.restart()\``,
    )
  }
}

/** Throws TEST_INVALID for anything other than a job. */
export function buildJob(job: TestedJob, context: TestContext): Job {
  const built = typeof job === 'function' ? job(context) : job
  if (isJob(built)) return built
  throw invalid(
    "give the test a job, as `job('name', (stream) => ...)` makes it, or a function that returns one",
  )
}

/** For a graph that is only inspected. */
export async function writesNothing(): Promise<never> {
  return await new Promise<never>(() => {})
}

export function invalid(message: string): EngineError {
  return new EngineError('TEST_INVALID', message)
}
