// One life of a job in a test: the production driver, executors, batch loop, logs and state stores,
// assembled as for a submitted job, on topics, a disk and a clock in memory. This file is all of
// the kit that depends on these parts.

import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { type Clock, systemClock, type Timer } from '../../protocol/runtime/time/clock.ts'
import { ManualClock, settle } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import type { CommitLog } from '../checkpoint/commitLog.ts'
import type { OffsetLog, OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { contractOf } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import { inProcessExecutors } from '../executor/inProcessExecutor.ts'
import { StateStores } from '../executor/stateStores.ts'
import type { StartExecutor, Task } from '../executor/task.ts'
import type { JobDirectory } from '../jobDirectory.ts'
import { decodeKey, type Key } from '../keys/key.ts'
import { openJob } from '../lifecycle/jobOpening.ts'
import { JobOutputs } from '../lifecycle/jobOutputs.ts'
import { JobStatusRecord, type ViewRows } from '../lifecycle/jobStatus.ts'
import type { BatchAccount } from '../scheduler/batchAccount.ts'
import { type BatchAttempt, BatchLoop, type CommittedBatch } from '../scheduler/batchLoop.ts'
import { Driver } from '../scheduler/driver.ts'
import { lagBehind } from '../scheduler/rangePlan.ts'
import { RateLimits } from '../scheduler/rateLimits.ts'
import { parseRateConf } from '../scheduler/rateOptions.ts'
import { HeldRecord, pushHeld } from '../sources/heldRecord.ts'
import { olderTimestamp } from '../sources/scan.ts'
import type { PartitionEnds } from '../sources/topicOffsets.ts'
import type { Scanner } from '../sources/topicScanner.ts'
import { decodeValue } from '../state/operatorState.ts'
import type { StateDatabase } from '../state/stateDatabase.ts'
import { StateStore, type StateStoreOptions } from '../state/stateStore.ts'
import { StateTransfer } from '../state/stateTransfer.ts'
import { v8Codec } from '../state/v8Codec.ts'
import type { Job } from '../stream/job.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import type { Stream } from '../stream/streamPlan.ts'
import { memoryState, readOnlyState } from './memoryState.ts'
import { type LaunchedTask, type TaskFault, TestExecutors } from './testExecutor.ts'
import type { TestProcess, TestWorld } from './testWorld.ts'

const directory = '/job'
const stateDirectory = `${directory}/state`
/** Real time that one batch may take before the test fails, in ms. */
const mostRealMs = 30_000

/** Builds the job as one of its processes does: driver and executors each build their own. */
export type JobFactory = (process: TestProcess) => Job

/** Parts of the engine that a test can wrap or replace, to plant a fault. */
export interface Seams {
  disk?(disk: Disk): Disk
  offsetLog?(log: OffsetLog): OffsetLog
  commitLog?(log: CommitLog): CommitLog
  stateDatabase?(database: StateDatabase, path: string, process: TestProcess): StateDatabase
  stateStore?(store: StateStore): StateStore
  scanner?(scanner: Scanner): Scanner
  executor?(start: StartExecutor): StartExecutor
  /** Replaces the batch that the driver runs. */
  batch?(batch: OffsetLogEntry, logs: Logs): OffsetLogEntry | Promise<OffsetLogEntry>
}

export interface ClusterOptions {
  readonly world: TestWorld
  readonly job: JobFactory
  readonly batchIntervalMs: number
  readonly executors: number
  readonly maxRecordsPerPartition: number
  readonly seed: number
  /** Version of the job's code. */
  readonly code: string
  /** Whether the elements that foreachRDD receives are collected, too. */
  readonly collectsOutputs: boolean
  readonly maxShufflePairs?: number | undefined
  readonly disorder?: Random | undefined
  /** Whether shuffle blocks arrive in the order in which the engine sends them. */
  readonly keepsBlockOrder?: boolean | undefined
  /** Called with the result of each attempt of a task. */
  readonly onResult?: ((task: Task, value: unknown) => void) | undefined
  readonly seams?: Seams | undefined
  faultOf(task: LaunchedTask): TaskFault | undefined
  onBatchStarted?(batch: OffsetLogEntry): void
  onCommitted(batch: FinishedBatch): void
}

export interface FinishedBatch {
  readonly batch: OffsetLogEntry
  readonly records: number
  readonly views: ReadonlyMap<string, ViewRows>
  /**
   * The input of each foreachRDD, by its index in the job; undefined where it was not due, and an
   * error for elements that cannot be collected (a foreachRDD need not collect them).
   */
  readonly outputs: readonly (readonly unknown[] | Error | undefined)[]
}

/** What a job reads and produces; for each view, the names of the operators above it. */
export interface JobShape {
  readonly name: string
  readonly topics: readonly string[]
  readonly views: readonly { readonly name: string; readonly operators: ReadonlySet<string> }[]
  readonly states: readonly { readonly uid: string; readonly kind: string }[]
}

/** Throws the EngineError of an invalid graph. */
export function shapeOf(job: Job, batchIntervalMs: number): JobShape {
  const graph = new StreamGraph(job, { batchIntervalMs })
  const views = graph.outputs.flatMap((output) =>
    output.kind === 'view' ? { name: output.name, operators: operatorsAbove(output.stream) } : [],
  )
  const states = graph.operators.map(({ uid, kind }) => ({ uid, kind }))
  return { name: graph.name, topics: graph.topics, views, states }
}

function operatorsAbove(stream: Stream<unknown>): ReadonlySet<string> {
  const seen = new Set([stream])
  for (const each of seen) for (const parent of each.plan.parents) seen.add(parent)
  return new Set([...seen].map(({ plan }) => plan.name))
}

export class TestCluster {
  readonly process: TestProcess
  readonly #options: ClusterOptions
  readonly #world: TestWorld
  /** The clock of retries and executor replacements, which must take no time of the test. */
  readonly #machinery: ManualClock
  readonly #loopClock: ProcessClock
  readonly #executors: TestExecutors
  readonly #driver: Driver
  readonly #outputs: JobOutputs
  readonly #record: JobStatusRecord
  readonly #loop: BatchLoop
  readonly #logs: Logs
  #finished: Pick<FinishedBatch, 'views' | 'outputs'> = { views: new Map(), outputs: [] }
  #ends: readonly PartitionEnds[] = []
  #running: OffsetLogEntry | undefined
  #failure: Error | undefined
  #isOver = false
  #ended: Promise<void> = Promise.resolve()

  /** Returns undefined when the driver was killed while it started. */
  static async start(options: ClusterOptions): Promise<TestCluster | undefined> {
    const process = options.world.newProcess()
    const started = open(options, process).then(async (cluster) => {
      await cluster.#start()
      return cluster
    })
    // Promises of a dead process never settle.
    const died = new Promise<undefined>((resolve) => process.onDeath(() => resolve(undefined)))
    const cluster = await Promise.race([started, died])
    return process.isDead ? undefined : cluster
  }

  constructor(options: ClusterOptions, process: TestProcess, job: Job, logs: Logs) {
    const { world, batchIntervalMs, seed } = options
    this.process = process
    this.#options = options
    this.#world = world
    this.#logs = logs
    this.#machinery = new ManualClock(world.clock.nowMs())
    this.#loopClock = new ProcessClock(world.clock)
    process.onDeath(() => this.#loopClock.close())
    this.#executors = new TestExecutors({
      world,
      start: (executor) => this.#executor(executor),
      newProcess: () => process.child(),
      faultOf: (task) => options.faultOf(task),
      disorder: options.disorder,
      keepsBlockOrder: options.keepsBlockOrder,
      onResult: options.onResult,
    })
    this.#driver = new Driver({
      runtime: { clock: this.#machinery, random: seededRandom(seed), scheduler: world.scheduler },
      logger: silentLogger,
      job,
      batchIntervalMs,
      executors: options.executors,
      startExecutor: this.#executors.start,
      ...(options.maxShufflePairs !== undefined && {
        shuffles: { maxPairs: options.maxShufflePairs },
      }),
      onTaskFinished: (report) => this.#loop.taskFinished(report),
    })
    const { graph } = this.#driver
    const { offsetLog, commitLog } = logs
    for (const batch of offsetLog.range(0, (offsetLog.latest()?.batchId ?? -1) + 1)) {
      graph.addBatch(batch)
    }
    this.#outputs = new JobOutputs(this.#driver, silentLogger, this.#loopClock)
    this.#loop = new BatchLoop({
      clock: this.#loopClock,
      batchIntervalMs,
      limits: new RateLimits({
        batchIntervalMs,
        maxRecordsPerPartition: options.maxRecordsPerPartition,
        maxBatchBytes: Number.MAX_SAFE_INTEGER,
        conf: parseRateConf({}),
      }),
      code: options.code,
      operators: graph.operators.map(contractOf),
      watermarks: graph.watermarks,
      offsetLog,
      commitLog,
      ends: async () => this.#topicEnds(),
      run: async (batch, attempt) =>
        this.#runBatch((await options.seams?.batch?.(batch, logs)) ?? batch, attempt),
      breakOff: (error) => this.#driver.breakOff(error),
      beforeCommit: (batch, account) => this.#writeDeadLetters(batch, account),
      advanced: (batchId) => graph.advancing(batchId).map(({ uid }) => uid),
      oldestRemembered: () => graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch, done) => this.#committed(batch, done),
    })
    this.#record = new JobStatusRecord(graph, logs.directory.instance, this.#loop.counts.total, {
      startedMs: world.clock.nowMs(),
      code: options.code,
      partitions: job.partitions,
    })
  }

  get isUp(): boolean {
    return !this.#isOver && !this.process.isDead
  }

  status(): JobStatus {
    return this.#record.at(this.#world.clock.nowMs())
  }

  /**
   * Runs the batches that become due. Rejects with the error of a batch; not when the driver is
   * killed.
   */
  async advance(ms: number): Promise<void> {
    const { clock } = this.#world
    const untilMs = clock.nowMs() + ms
    await this.settled()
    while (this.isUp) {
      const nextMs = clock.nextTimerInMs
      if (nextMs === undefined || clock.nowMs() + nextMs > untilMs) break
      clock.advance(nextMs)
      await this.settled()
    }
    clock.advance(Math.max(0, untilMs - clock.nowMs()))
    if (this.#failure) throw this.#failure
  }

  /** Lets time pass while the process is paused: missed intervals become one batch. */
  async pause(ms: number): Promise<void> {
    this.#world.clock.stall(ms)
    await this.settled()
    if (this.#failure) throw this.#failure
  }

  killExecutor(slot: number): boolean {
    return this.#executors.lose(slot)
  }

  /** Stops the job after the running batch. */
  async stop(): Promise<void> {
    if (!this.isUp) return
    this.#loop.stop()
    await this.settled()
    await this.#ended
    await this.#close()
  }

  /** Resolves when no batch runs: the loop waits for time to pass, or the process has ended. */
  async settled(): Promise<void> {
    const sinceMs = systemClock.monotonicMs()
    while (this.isUp && !this.#loopClock.isWaiting) {
      await settle()
      // A job that waits for something real takes turns of the event loop; a slot that waits for
      // its executor takes time of the machinery.
      if (this.#driver.running().length === 0)
        this.#machinery.advance(this.#machinery.nextTimerInMs ?? 0)
      if (systemClock.monotonicMs() - sinceMs > mostRealMs) throw this.#stuck()
    }
  }

  /** Uids of the states in the job's directory. */
  async stateUids(): Promise<string[]> {
    const { disk } = this.#world
    return (await disk.stat(stateDirectory)) === undefined ? [] : await disk.list(stateDirectory)
  }

  /** Returns the keys of a state with their values, as of the newest batch. */
  async state(uid: string): Promise<[key: Key, value: unknown][]> {
    const { disk, states } = this.#world
    const found: [Key, unknown][] = []
    const operator = this.#driver.graph.operators.find((each) => each.uid === uid)
    const codec = operator?.stateCodec ?? v8Codec
    const folder = `${stateDirectory}/${uid}`
    const partitions = (await disk.stat(folder)) === undefined ? [] : await disk.list(folder)
    for (const partition of partitions) {
      const contents = await states.open(disk, `${folder}/${partition}`)
      const store = await StateStore.open(folder, {
        openDatabase: async () => readOnlyState(contents),
      })
      await store.scan((key, bytes) => {
        const stored = decodeValue(codec, bytes)
        found.push([decodeKey(key), operator?.shown ? operator.shown(stored) : stored])
      })
      await store.close()
    }
    return found
  }

  async #start(): Promise<void> {
    await this.#whileMachineryWorks(this.process.alive(this.#driver.start()))
    const running = Promise.race([this.#loop.run(), this.#driver.failed])
    this.#ended = running.then(
      () => this.#over(),
      (error: Error) => this.#over(error),
    )
    await this.settled()
    if (this.#failure) {
      await this.release()
      throw this.#failure
    }
  }

  /** A start may wait for retries. */
  async #whileMachineryWorks(work: Promise<void>): Promise<void> {
    let isDone = false
    const done = () => {
      isDone = true
    }
    work.then(done, done)
    for (let turn = 0; !isDone && !this.process.isDead; turn++) {
      await settle()
      if (!isDone && turn > 2) this.#machinery.advance(this.#machinery.nextTimerInMs ?? 0)
    }
    if (isDone) await work
  }

  #over(error?: Error): void {
    this.#isOver = true
    if (this.process.isDead) return
    this.#failure = error
    this.#record.ended(error ? 'failed' : 'stopped', error)
  }

  async #close(): Promise<void> {
    await this.#driver.stop()
    await this.#logs.offsetLog.close()
    await this.#logs.commitLog.close()
    await this.#logs.directory.lock.release()
    this.process.die()
    // Releases whatever the process has not closed.
    this.#world.disk.endProcess()
  }

  /** After a failure the process still exists, with its locks. */
  async release(): Promise<void> {
    if (!this.process.isDead) await this.#close()
  }

  #executor(process: TestProcess) {
    const { batchIntervalMs, job, seams } = this.#options
    const open = async (path: string, given: StateStoreOptions) => {
      const openDatabase = (at: string) => this.#database(at, process)
      const store = await StateStore.open(path, { ...given, openDatabase })
      return seams?.stateStore?.(store) ?? store
    }
    const start = inProcessExecutors({
      scheduler: this.#world.scheduler,
      job: job(process),
      batchIntervalMs,
      createScanner: () => {
        const scanner = this.#scanner(process)
        return seams?.scanner?.(scanner) ?? scanner
      },
      createStates: () =>
        new StateStores({ clock: this.#machinery, directory: stateDirectory, open }),
    })
    return seams?.executor?.(start) ?? start
  }

  async #database(path: string, process: TestProcess): Promise<StateDatabase> {
    const database = await openState(this.#options, process, path)
    return this.#options.seams?.stateDatabase?.(database, path, process) ?? database
  }

  #scanner(process: TestProcess): Scanner {
    const world = this.#world
    const { topics } = world
    const { disorder } = this.#options
    return {
      scan: async (scan, sink, { reject } = {}) => {
        const steps = disorder?.below(6) ?? 0
        await process.alive(world.lateBy(steps + 1))
        const { topic, partition, from, until } = scan.range
        const stored = topics.records(topic, partition, from, until)
        const records = stored.map(
          ({ key, value, timestampMs, headers }, at) =>
            new HeldRecord({
              topic,
              partition,
              offset: from + at,
              timestampMs,
              key,
              value,
              headers,
            }),
        )
        pushHeld(records, scan, sink, reject)
        const oldestTimestampMs = records.reduce<number | undefined>(
          (oldest, { timestampMs }) => olderTimestamp(oldest, timestampMs),
          undefined,
        )
        return { oldestTimestampMs, records: records.length }
      },
      close: () => {},
    }
  }

  #topicEnds(): readonly PartitionEnds[] {
    const { topics } = this.#world
    const ends = this.#driver.graph.topics.flatMap((topic) =>
      Array.from({ length: topics.partitionCount(topic) }, (_, partition) => {
        const latest = topics.end(topic, partition)
        return { topic, topicId: `id-of-${topic}`, partition, earliest: 0, latest }
      }),
    )
    this.#ends = ends
    return ends
  }

  async #runBatch(batch: OffsetLogEntry, attempt: BatchAttempt): Promise<void> {
    this.#running = batch
    this.#options.onBatchStarted?.(batch)
    this.#driver.addBatch(batch)
    const changed = this.#driver.advance(batch).then((advanced) => advanced.changed)
    const collected = changed.then(() => this.#collectOutputs(batch))
    // `#outputs.run` rejects with the same error.
    collected.catch(() => {})
    const views = await this.#outputs.run(batch, attempt, changed)
    this.#finished = { views, outputs: await collected }
    this.#running = undefined
  }

  /** Atomic, as if written in a transaction of a producer named after the batch. */
  async #writeDeadLetters({ batchId }: OffsetLogEntry, { rejected }: BatchAccount): Promise<void> {
    const letters = rejected.deadLetters
    if (letters.length === 0) return
    await this.process.durably('write dead letters', () => {
      this.#world.deadLetters.set(batchId, letters)
    })
  }

  #collectOutputs(batch: OffsetLogEntry): Promise<FinishedBatch['outputs']> {
    const { graph } = this.#driver
    const outputs = graph.outputs.filter(({ kind }) => kind === 'foreachRDD')
    if (!this.#options.collectsOutputs) return Promise.resolve([])
    return Promise.all(
      outputs.map(({ stream }) =>
        graph
          .rdd<unknown>(stream, batch.batchId)
          ?.collect()
          .catch((error: Error) => error),
      ),
    )
  }

  #committed(batch: OffsetLogEntry, done: CommittedBatch): void {
    if (this.process.isDead) return
    this.#record.batchCommitted({
      ...done,
      batch,
      finishedMs: this.#world.clock.nowMs(),
      rows: this.#finished.views,
      lagRecords: lagBehind(this.#ends, batch.ranges),
    })
    this.#options.onCommitted({ batch, records: done.records, ...this.#finished })
  }

  #stuck(): EngineError {
    const tasks = this.#driver
      .running()
      .map(({ operator, partition }) => `${operator}, partition ${partition}`)
    const what =
      tasks.length > 0 ? `running tasks: ${tasks.join('; ')}` : 'a foreachRDD has not resolved'
    return new EngineError(
      'TEST_INVALID',
      `batch ${this.#running?.batchId} has not ended within ${mostRealMs / 1000} s: ${what}`,
    )
  }
}

export interface Logs {
  readonly directory: JobDirectory
  readonly offsetLog: OffsetLog
  readonly commitLog: CommitLog
}

async function open(options: ClusterOptions, process: TestProcess): Promise<TestCluster> {
  const { seams, seed, code, batchIntervalMs } = options
  const disk = diskOf(options, process)
  const job = options.job(process)
  const opened = await openJob({
    runtime: { disk, random: seededRandom(seed) },
    logger: silentLogger,
    ...{ directory, job, code },
    operators: new StreamGraph(job, { batchIntervalMs }).operators.map(contractOf),
    states: new StateTransfer({
      disk,
      openDatabase: async (path) => await openState(options, process, path),
    }),
  })
  const { offsetLog, commitLog } = opened
  return new TestCluster(options, process, job, {
    directory: opened.directory,
    offsetLog: seams?.offsetLog?.(offsetLog) ?? offsetLog,
    commitLog: seams?.commitLog?.(commitLog) ?? commitLog,
  })
}

async function openState(
  options: ClusterOptions,
  process: TestProcess,
  path: string,
): Promise<StateDatabase> {
  const contents = await options.world.states.open(diskOf(options, process), path)
  return memoryState(contents, process, path.split('/').slice(-2).join('/'))
}

function diskOf({ seams }: ClusterOptions, { disk }: TestProcess): Disk {
  return seams?.disk?.(disk) ?? disk
}

/** The clock of one process: its timers are cancelled when it dies. */
class ProcessClock implements Clock {
  readonly #clock: ManualClock
  readonly #timers = new Set<Timer>()

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  get isWaiting(): boolean {
    return this.#timers.size > 0
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(handle)
      callback()
    })
    const handle: Timer = {
      cancel: () => {
        this.#timers.delete(handle)
        timer.cancel()
      },
    }
    this.#timers.add(handle)
    return handle
  }

  close(): void {
    for (const timer of [...this.#timers]) timer.cancel()
  }
}
