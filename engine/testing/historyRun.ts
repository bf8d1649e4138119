// Runs a job through one history, from its first start to the end of its input, and collects the
// outcome: states, views and the contents of its sinks.

import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { replaceGlobals } from '../../protocol/runtime/seededGlobals.ts'
import type { OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { Task } from '../executor/task.ts'
import type { Key } from '../keys/key.ts'
import type { ViewRows } from '../lifecycle/jobStatus.ts'
import type { OffsetRange } from '../sources/scan.ts'
import type { Job } from '../stream/job.ts'
import type { PlannedKill } from './durableSteps.ts'
import type { BatchExtent, HistoryFault, HistoryPlan } from './history.ts'
import { sortKeys } from './keyOrder.ts'
import { MemoryTopics, type PlacedRecord } from './memoryTopics.ts'
import { type FinishedBatch, type Seams, TestCluster } from './testCluster.ts'
import type { LaunchedTask, TaskFault } from './testExecutor.ts'
import type { SinkContents, TestContext } from './testSink.ts'
import { TestWorld } from './testWorld.ts'

/** A job and its input, from which histories are made. */
export interface Subject {
  build(context: TestContext): Job
  readonly records: readonly PlacedRecord[]
  /** Topics of the job, with their numbers of partitions. */
  readonly topics: ReadonlyMap<string, number>
  readonly batchIntervalMs: number
  readonly executors: number
  readonly startMs: number
  /** Batch intervals after the last record. */
  readonly drainIntervals: number
  readonly seams?: ((world: TestWorld) => Seams) | undefined
  /** See ClusterOptions. */
  readonly keepsBlockOrder?: boolean
  /**
   * Whether records arrive and time passes while the driver is down, at random: batches then
   * differ.
   */
  readonly goesOnWhileDown?: boolean
}

export interface RunBatch {
  readonly batchId: number
  readonly timeMs: number
  readonly ranges: readonly OffsetRange[]
  readonly watermarks: Readonly<Record<string, number>>
  readonly views: ReadonlyMap<string, ViewRows>
}

export interface Outcome {
  /** The error of the job, if it failed. */
  readonly failure: string | undefined
  /** By uid. */
  readonly states: ReadonlyMap<string, readonly (readonly [Key, unknown])[]>
  readonly sinks: ReadonlyMap<string, SinkContents>
  /** Committed batches, unless the driver died before it could report them. */
  readonly batches: readonly RunBatch[]
  /** How often each batch was started. */
  readonly runs: ReadonlyMap<number, number>
  /** By batch of the plan. */
  readonly extents: readonly BatchExtent[]
  readonly starts: number
}

export interface HistoryEvent {
  readonly timeMs: number
  readonly text: string
}

/** Observes a run, for a reader or for an invariant of a test. */
export interface RunWatch {
  onEvent?(event: HistoryEvent): void
  onUse?(use: 'clock' | 'random'): void
  onStarted?(batch: OffsetLogEntry): void
  onResult?(task: Task, value: unknown): void
  onCommitted?(batch: FinishedBatch): void
}

/** A job that needs more starts for one batch will never complete it. */
const mostStarts = 20
const otherClockMs = 40 * 24 * 3_600_000

export async function runHistory(
  subject: Subject,
  plan: HistoryPlan,
  watch: RunWatch = {},
): Promise<Outcome> {
  const run = new HistoryRun(subject, plan, watch)
  const restore = replaceGlobals({
    nowMs: () => run.ambientMs(),
    random: seededRandom(plan.otherRandom ? plan.seed + 7 : 0),
    onUse: watch.onUse,
  })
  try {
    return await run.play()
  } finally {
    restore()
  }
}

class HistoryRun {
  readonly #subject: Subject
  readonly #plan: HistoryPlan
  readonly #watch: RunWatch
  readonly #world: TestWorld
  readonly #disorder: Random | undefined
  readonly #seams: Seams | undefined
  readonly #batches: RunBatch[] = []
  readonly #runs = new Map<number, number>()
  readonly #extents: BatchExtent[] = []
  readonly #fedRecords = new Set<number>()
  readonly #down: Random
  #cluster: TestCluster | undefined
  #starts = 0
  #launches = 0
  #taskFaults: Exclude<HistoryFault, { kind: 'killDriver' }>[] = []
  #reads = 0

  constructor(subject: Subject, plan: HistoryPlan, watch: RunWatch) {
    this.#subject = subject
    this.#plan = plan
    this.#watch = watch
    const topics = new MemoryTopics([])
    for (const [topic, partitions] of subject.topics) topics.create(topic, partitions)
    this.#world = new TestWorld(topics, subject.startMs)
    this.#world.onKill = (kill) => this.#killed(kill)
    this.#down = seededRandom(plan.seed + 5)
    this.#disorder = plan.otherOrder ? seededRandom(plan.seed + 3) : undefined
    this.#seams = subject.seams?.(this.#world)
  }

  /** What the job's own Date.now() returns. */
  ambientMs(): number {
    const nowMs = this.#world.clock.nowMs()
    return this.#plan.otherClock ? nowMs + otherClockMs + 37 * ++this.#reads : nowMs
  }

  async play(): Promise<Outcome> {
    let failure: string | undefined
    try {
      await this.#start()
      for (const [at, { records, intervals }] of this.#plan.batches.entries()) {
        await this.#batch(at, records, intervals)
      }
      for (let at = 0; at < this.#subject.drainIntervals; at++) await this.#pass(1)
    } catch (error) {
      failure = (error as Error).message
    }
    const states = await this.#states()
    const { sinks } = this.#world
    await this.#cluster?.stop()
    await this.#cluster?.release()
    return {
      failure,
      states,
      sinks: new Map(sinks.names.map((name) => [name, sinks.contents(name)])),
      batches: this.#batches,
      runs: this.#runs,
      extents: this.#extents,
      starts: this.#starts,
    }
  }

  async #batch(at: number, records: readonly number[], intervals: number): Promise<void> {
    for (const index of records) this.#append(index)
    const { taken } = this.#world.steps
    const before = taken.length
    this.#launches = 0
    this.#taskFaults = []
    for (const fault of this.#plan.faults) {
      if (fault.batch !== at) continue
      if (fault.kind !== 'killDriver') this.#taskFaults.push(fault)
      else this.#world.steps.plan({ ...fault, atStep: before + fault.step })
    }
    await this.#pass(intervals)
    // A fault that the batch was too short for must not hit another one.
    this.#world.steps.forget()
    this.#taskFaults = []
    this.#extents.push({ steps: taken.length - before, launches: this.#launches })
  }

  async #pass(intervals: number): Promise<void> {
    const ms = intervals * this.#subject.batchIntervalMs
    if (intervals === 1) await this.#cluster!.advance(ms)
    else await this.#cluster!.pause(ms)
    for (let starts = 0; !this.#cluster?.isUp; starts++) {
      if (starts === mostStarts)
        throw new Error(`the job failed to complete a batch in ${mostStarts} starts`)
      if (this.#subject.goesOnWhileDown) this.#goOn()
      await this.#start()
    }
  }

  #append(index: number): void {
    if (this.#fedRecords.has(index)) return
    this.#fedRecords.add(index)
    this.#world.topics.append(this.#subject.records[index]!)
  }

  /** Records of later batches arrive early, and the driver may be down for some intervals. */
  #goOn(): void {
    const waiting = this.#plan.batches
      .flatMap(({ records }) => records)
      .filter((index) => !this.#fedRecords.has(index))
    for (const index of waiting.slice(0, this.#down.below(4))) this.#append(index)
    const intervals = this.#down.below(3)
    this.#world.clock.stall(intervals * this.#subject.batchIntervalMs)
  }

  async #start(): Promise<void> {
    const { batchIntervalMs, executors, build } = this.#subject
    this.#starts++
    if (this.#starts > 1) this.#event('the driver restarts')
    this.#cluster = await TestCluster.start({
      world: this.#world,
      job: (process) => build(this.#world.sinks.context(process.durably)),
      batchIntervalMs,
      executors,
      maxRecordsPerPartition: 1_000_000,
      seed: this.#plan.seed,
      code: 'explored',
      collectsOutputs: false,
      maxShufflePairs: this.#plan.maxShufflePairs,
      disorder: this.#disorder,
      keepsBlockOrder: this.#subject.keepsBlockOrder,
      onResult: this.#watch.onResult,
      seams: this.#seams,
      faultOf: (task) => this.#faultOf(task),
      onBatchStarted: (batch) => this.#batchStarted(batch),
      onCommitted: (batch) => this.#committed(batch),
    })
  }

  #batchStarted(batch: OffsetLogEntry): void {
    const runs = (this.#runs.get(batch.batchId) ?? 0) + 1
    this.#runs.set(batch.batchId, runs)
    this.#watch.onStarted?.(batch)
    if (this.#watch.onEvent === undefined) return
    const ranges = batch.ranges.filter(({ from, until }) => until > from)
    if (ranges.length === 0 && runs === 1) return
    const again = runs > 1 ? ' again' : ''
    this.#event(
      `batch ${batch.batchId} runs${again}: ${ranges.map((range) => this.#rangeText(range)).join('; ')}`,
    )
  }

  #rangeText({ topic, partition, from, until }: OffsetRange): string {
    const inPartition = this.#fed(topic, partition).slice(from, until)
    return `${topic}-${partition} ${inPartition.map(({ text }) => JSON.stringify(text)).join(' ')}`
  }

  /** Records of a partition in offset order. */
  #fed(topic: string, partition: number): PlacedRecord[] {
    return this.#plan.batches
      .flatMap(({ records }) => records.map((index) => this.#subject.records[index]!))
      .filter((record) => record.topic === topic && record.partition === partition)
  }

  #committed(finished: FinishedBatch): void {
    const { batch, views } = finished
    const { batchId, timeMs, ranges, watermarks = {} } = batch
    this.#batches.push({ batchId, timeMs, ranges, watermarks, views })
    this.#watch.onCommitted?.(finished)
  }

  #faultOf({ stage, partition, slot }: LaunchedTask): TaskFault | undefined {
    const launch = this.#launches++
    const fault = this.#taskFaults.find((each) => each.launch === launch)
    if (fault === undefined) return undefined
    const task = `${stage} task of partition ${partition}`
    if (fault.kind === 'runTwice') {
      this.#event(`the ${task} runs twice`)
      return { kind: 'runTwice', at: 'end' }
    }
    const when =
      fault.at === 'start' ? 'before it has begun' : 'when it is done and the driver does not know'
    const what = fault.kind === 'failTask' ? 'fails' : `loses its executor ${slot}`
    this.#event(`the ${task} ${what}, ${when}`)
    return { kind: fault.kind === 'failTask' ? 'fail' : 'loseExecutor', at: fault.at }
  }

  #killed({ write, loses }: PlannedKill): void {
    const { what } = this.#world.steps.taken.at(-1)!
    const effect = write === 'lost' ? 'before' : 'after'
    const how = loses === 'power' ? 'the power fails' : 'the driver is killed'
    this.#event(`${how} right ${effect} the durable step '${what}'`)
  }

  #event(text: string): void {
    this.#watch.onEvent?.({ timeMs: this.#world.clock.nowMs(), text })
  }

  async #states(): Promise<Map<string, readonly (readonly [Key, unknown])[]>> {
    const states = new Map<string, readonly (readonly [Key, unknown])[]>()
    for (const uid of (await this.#cluster?.stateUids()) ?? []) {
      states.set(uid, sortKeys(await this.#cluster!.state(uid)))
    }
    return states
  }
}
