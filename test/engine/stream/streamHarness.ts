// Runs a job in one thread on a topic in memory, batch by batch, for tests of streams. Driver,
// tasks and state stores are the production code; log, disk and time are not.

import type { MovedState } from '../../../engine/contract/codeChange.ts'
import { type Job, type JobStream, type RowFormat, text } from '../../../engine/engine.ts'
import { inProcessExecutors } from '../../../engine/executor/inProcessExecutor.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import type { EventTime, StartExecutor } from '../../../engine/executor/task.ts'
import { Driver } from '../../../engine/scheduler/driver.ts'
import { planRanges } from '../../../engine/scheduler/rangePlan.ts'
import {
  type EventTimes,
  mergeEventTimes,
  planWatermarks,
} from '../../../engine/scheduler/watermarkPlan.ts'
import { pushHeld } from '../../../engine/sources/heldRecord.ts'
import type { OffsetRange, RejectedRecord } from '../../../engine/sources/scan.ts'
import type { Scanner } from '../../../engine/sources/topicScanner.ts'
import { StateStore, type StateStoreOptions } from '../../../engine/state/stateStore.ts'
import type { BatchInfo } from '../../../engine/stream/batchHistory.ts'
import { viewRows } from '../../../engine/stream/view.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { lineRecords } from '../sources/lineRecords.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'

const partitions = 2
const intervalMs = 1000
const lineFormat = text()

export class StreamHarness {
  /** A row format whose rows are the text of the line. */
  static readonly lines: RowFormat<string> = {
    name: 'line',
    describe: () => 'line()',
    row: (bytes, start, end, record) => lineFormat.row(bytes, start, end, record).line,
  }

  readonly log: string[][] = Array.from({ length: partitions }, () => [])
  driver: Driver
  readonly batches: BatchInfo[] = []
  scans = 0

  static async start(job: Job): Promise<StreamHarness> {
    const harness = new StreamHarness(job)
    await harness.driver.start()
    return harness
  }

  /** The event times that the tasks of each batch reported. */
  readonly eventTimes: EventTime[][] = []
  readonly rejected: RejectedRecord[] = []
  /** Event times as the commit log stores them, by batch. */
  readonly #committedTimes: (EventTimes | undefined)[] = []
  #job: Job
  readonly #clock = new ManualClock()
  /** The contents of state directories, which outlive a driver. */
  readonly #databases = new Map<string, Map<string, string>>()

  constructor(job: Job) {
    this.#job = job
    this.driver = this.#createDriver()
  }

  /**
   * Restarts the job as after a crash of the process: only the log, the batches and the state
   * survive. States of operators may move to other uids, as when the code of a job has changed.
   */
  async restart(job: Job = this.#job, moved: readonly MovedState[] = []): Promise<void> {
    await this.driver.stop()
    this.#job = job
    this.#move(moved)
    this.driver = this.#createDriver()
    for (const batch of this.batches) this.driver.graph.addBatch(batch)
    await this.driver.start()
  }

  /**
   * Appends the lines round-robin to the partitions, runs one batch over them, and returns its
   * views.
   */
  async batch(lines: readonly string[], intervals = 1): Promise<Map<string, unknown>> {
    const turns: string[][] = Array.from({ length: partitions }, () => [])
    for (const [at, line] of lines.entries()) turns[at % partitions]!.push(line)
    return await this.batchOf(turns, intervals)
  }

  /** Appends the given lines to each partition, runs one batch over them, and returns its views. */
  async batchOf(
    lines: readonly (readonly string[])[],
    intervals = 1,
  ): Promise<Map<string, unknown>> {
    for (const [partition, appended] of lines.entries()) this.log[partition]!.push(...appended)
    const previous = this.batches.at(-1)
    const ends = this.log.map(({ length }, partition) => {
      return { topic: 'lines', partition, earliest: 0, latest: length }
    })
    const timeMs = (previous?.timeMs ?? 0) + intervals * intervalMs
    const ranges = planRanges(ends, previous?.ranges ?? [], () => 1000)
    const batch: BatchInfo = {
      ...{ batchId: this.batches.length, timeMs, ranges },
      watermarks: planWatermarks({
        ...{ specs: this.driver.graph.watermarks, timeMs, ranges, ends, previous },
        eventTimes: this.#committedTimes.at(-1),
      }),
    }
    this.batches.push(batch)
    return await this.run(batch)
  }

  async run(batch: BatchInfo): Promise<Map<string, unknown>> {
    this.driver.addBatch(batch)
    this.eventTimes[batch.batchId] = []
    await Promise.all(
      this.driver.graph
        .advancing(batch.batchId)
        .map(({ rdd }) => this.driver.run(rdd, { kind: 'advance' })),
    )
    const views = new Map<string, unknown>()
    await Promise.all(
      this.driver.graph.outputs.map(async (output) => {
        const rdd = this.driver.graph.rdd<unknown>(output.stream, batch.batchId)
        if (!rdd) return
        if (output.kind === 'foreachRDD') return await output.run(rdd, batch)
        views.set(output.name, viewRows(output.name, await rdd.collect()).rows)
      }),
    )
    this.#commit(batch)
    return views
  }

  /** The uids of the operators that have state. */
  stateUids(): ReadonlySet<string> {
    return new Set([...this.#databases.keys()].map((path) => path.split('/')[2]!))
  }

  #move(moved: readonly MovedState[]): void {
    for (const { from, to } of moved) {
      for (const [path, contents] of [...this.#databases]) {
        if (!path.startsWith(`/state/${from}/`)) continue
        this.#databases.set(path.replace(`/${from}/`, `/${to}/`), contents)
        this.#databases.delete(path)
      }
    }
  }

  #commit(batch: BatchInfo): void {
    const { batchId } = batch
    const specs = this.driver.graph.watermarks
    const before = this.#committedTimes[batchId - 1]
    const noted = this.eventTimes[batchId]!
    this.#committedTimes[batchId] = mergeEventTimes(
      ...([specs, before, batch, noted, this.batches[batchId - 1]?.timeMs] as const),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver.stop()
  }

  #createDriver(): Driver {
    const job = this.#job
    const clock = this.#clock
    return new Driver({
      runtime: { clock, random: seededRandom(1), scheduler: systemScheduler },
      logger: silentLogger,
      job,
      batchIntervalMs: intervalMs,
      executors: 2,
      startExecutor: this.#noting(
        inProcessExecutors({
          scheduler: systemScheduler,
          job,
          batchIntervalMs: intervalMs,
          createScanner: () => this.#scanner(),
          createStates: () =>
            new StateStores({
              clock,
              directory: '/state',
              open: (at, options) => this.#openState(at, options),
            }),
        }),
      ),
    })
  }

  /** Stores the event times that tasks report, as the commit log does. */
  #noting(start: StartExecutor): StartExecutor {
    return (slot, listener) =>
      start(slot, {
        onReport: (report) => {
          if (report.outcome.kind === 'finished') {
            this.eventTimes.at(-1)?.push(...report.eventTimes)
            this.rejected.push(...report.rejected)
          }
          listener.onReport(report)
        },
        onLost: (error) => listener.onLost(error),
      })
  }

  #openState(directory: string, options: StateStoreOptions): Promise<StateStore> {
    return StateStore.open(directory, {
      ...options,
      openDatabase: (at) => {
        const contents = this.#databases.get(at) ?? new Map<string, string>()
        this.#databases.set(at, contents)
        return Promise.resolve(new MemoryStateDatabase(contents))
      },
    })
  }

  #scanner(): Scanner {
    return {
      scan: async (scan, sink, { reject } = {}) => {
        this.scans++
        await Promise.resolve()
        const lines = this.#lines(scan.range)
        pushHeld(lineRecords(scan.range, lines), scan, sink, reject)
        return { oldestTimestampMs: undefined, records: lines.length }
      },
      close: () => {},
    }
  }

  #lines({ partition, from, until }: OffsetRange): string[] {
    return this.log[partition]!.slice(from, until)
  }
}

/** Parses lines that are a key and a time: `a 1500`. */
export function visits(stream: JobStream) {
  return stream.fromTopic('lines', StreamHarness.lines).map((line) => {
    const [key = '', time] = line.split(' ')
    return { key, time: Number(time) }
  })
}
