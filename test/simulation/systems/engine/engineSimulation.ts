// One run of the system `engine`: a job with executors, its topic on a broker, and a database that
// it writes to, in a simulated world; a safety phase with faults and a liveness phase without.

import { Producer } from '../../../../protocol/client/producer/producer.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { LogLevel } from '../../../../protocol/telemetry/logging/logger.ts'
import type { Fault } from '../../plan/faults.ts'
import type { Outcome } from '../../plan/outcome.ts'
import type { Plan } from '../../plan/plan.ts'
import type { ProcessEnd, SimulatedProcess } from '../../world/simulatedProcess.ts'
import type { TraceOptions } from '../../world/trace.ts'
import { clientHost, clusterOf, messageOf, type Program, restartMs, Scene } from '../scene/scene.ts'
import { followPartition } from '../scene/topicFollower.ts'
import { Database } from './database.ts'
import { type DriverRun, driverProcess, runDriver, stopDriver } from './driverProgram.ts'
import { driverHost, type EngineParameters, inputTopic } from './engineParameters.ts'
import { checkResults, countedRecords } from './resultCheck.ts'

export type EngineSystemPlan = Plan<EngineParameters>

const checkMs = 100
/** How long nothing may change before the job is stopped in the end, in batches. */
const quietBatches = 3
/** Bound of an orderly stop: the running batch, what is cancelled, executors and connections. */
const stopBoundMs = 30_000

/** Errors of a start that no failed system call explains. */
const inexcusable: ReadonlySet<string> = new Set([
  ...['CHECKPOINT_DAMAGED', 'STATE_MISSING', 'STATE_DAMAGED', 'JOB_CHANGED', 'JOB_GRAPH_INVALID'],
  ...['OFFSETS_LOST', 'TOPIC_RECREATED', 'STATE_UNREACHABLE'],
])

export class EngineSimulation implements Program {
  readonly process = driverProcess
  readonly host = driverHost
  readonly #parameters: EngineParameters
  readonly #scene: Scene
  readonly #database: Database
  readonly #values: Random
  readonly #lines: string[] = []
  #run: DriverRun | undefined
  #written = 0
  #quietSinceMs = 0
  #seen = ''
  #isOver = false
  #isHealed = false

  constructor(plan: EngineSystemPlan, trace?: TraceOptions) {
    const { topicPartitions, broker } = plan.parameters
    this.#parameters = plan.parameters
    const topics = [{ name: inputTopic, partitions: topicPartitions }]
    this.#scene = new Scene(plan, { broker, topics }, trace)
    const { random } = this.#scene.world
    this.#database = new Database(random.fork('database'))
    this.#values = random.fork('values')
  }

  run(): Promise<Outcome> {
    return this.#scene.run(this)
  }

  begin(): void {
    const client = this.#scene.host(clientHost)
    for (let partition = 0; partition < this.#parameters.topicPartitions; partition++) {
      client.start(`writer-${partition}`, (process) => this.#write(process, partition))
    }
  }

  start(): void {
    const host = this.#scene.host(driverHost)
    if (!host.isOn || host.process(driverProcess) !== undefined || this.#isOver) return
    const onEnd = (end: ProcessEnd, error: unknown) => {
      this.#scene.note(host.name, `the driver process ended: ${end}${messageOf(error)}`)
      if (end === 'failed') this.#failed(error)
      if (end !== 'killed' && end !== 'power') this.#scene.later(restartMs, () => this.start())
    }
    this.#scene.note(host.name, 'the driver process starts')
    const process = host.start(
      driverProcess,
      async (process) => {
        const logger = this.#scene.logger(process)
        try {
          await runDriver(run, this.#parameters, this.#database, logger)
        } catch (error) {
          this.#scene.refusedStart(process, error, isInexcusable(error))
        }
      },
      { rarePoints: this.#scene.rarePoints(host.name), onEnd },
    )
    const run: DriverRun = {
      ...{ process, job: undefined, isStopRequested: false, isHealed: this.#isHealed },
    }
    this.#run = run
  }

  stop(): void {
    const run = this.#run
    if (!run?.process.isAlive) return
    if (run.job === undefined) {
      run.process.exit()
      return
    }
    stopDriver(run)
    this.#scene.later(stopBoundMs, () => {
      if (!run.process.isAlive || run.process.isPaused) return
      this.#scene.violate('stop not bounded', `the job has not stopped within ${stopBoundMs} ms`)
    })
  }

  healed(): void {
    this.#isHealed = true
    this.#quietSinceMs = this.#scene.world.nowMs
    this.#scene.host(clientHost).start('reader', (process) => {
      const cluster = clusterOf(process)
      for (let partition = 0; partition < this.#parameters.topicPartitions; partition++) {
        void followPartition(cluster, inputTopic, partition, (line) => this.#lines.push(line))
      }
    })
    this.#scene.later(checkMs, () => void this.#watch())
  }

  onFault(_fault: Fault): void {}

  onLog(_process: SimulatedProcess, _level: LogLevel, _message: string): void {}

  missing(): string {
    const counted = countedRecords(this.#database)
    return `${this.#expected} records to write, ${this.#written} written, ${this.#lines.length} read, ${counted} counted`
  }

  get #expected(): number {
    return this.#parameters.records * this.#parameters.topicPartitions
  }

  /** Records in the order of their times, each written once. */
  async #write(process: SimulatedProcess, partition: number): Promise<void> {
    const { records, thinkMs } = this.#parameters
    const cluster = clusterOf(process)
    const producer = new Producer(cluster, process.runtime, {
      deliveryTimeoutMs: Number.POSITIVE_INFINITY,
    })
    for (let at = 0; at < records; at++) {
      const key = 'abcde'[this.#values.below(5)]
      const line = `${partition}.${at} ${key} ${this.#values.below(100)} ${at * 130}`
      producer.send(inputTopic, { value: Buffer.from(line), partition }).then(() => this.#written++)
      await sleep(process.runtime.clock, 2 * thinkMs * this.#values.float())
    }
    await producer.flush()
    await cluster.close()
    process.exit()
  }

  #failed(error: unknown): void {
    this.#scene.world.marks.reached(`job failed: ${(error as { code?: string }).code}`)
    if (!isInexcusable(error)) return
    this.#scene.violate('job failed', error instanceof Error ? error.stack! : String(error))
  }

  /** Waits until every record is counted and nothing changes, then compares and stops. */
  async #watch(): Promise<void> {
    const { world } = this.#scene
    const seen = JSON.stringify([this.#lines.length, countedRecords(this.#database), this.#written])
    const isComplete =
      this.#written === this.#expected &&
      this.#lines.length >= this.#expected &&
      countedRecords(this.#database) >= new Set(this.#lines).size &&
      // Outputs are written before their batch is committed.
      (this.#run?.job?.status().recordsTotal ?? 0) >= this.#lines.length
    const run = this.#run
    const isUp = run?.process.isAlive && run.job !== undefined && !run.isStopRequested
    if (seen !== this.#seen || !isComplete || !isUp) {
      this.#quietSinceMs = world.nowMs
    }
    this.#seen = seen
    const quietMs = quietBatches * this.#parameters.batchIntervalMs
    if (world.nowMs - this.#quietSinceMs < quietMs) {
      this.#scene.later(checkMs, () => void this.#watch())
      return
    }
    await this.#compare(run!)
  }

  async #compare({ job, process }: DriverRun): Promise<void> {
    const page = await job!.queryState!({ operator: 'totals', limit: 1000 }).catch(() => undefined)
    if (page === undefined) {
      // The job is stopping: a query is answered again by the next one, or the run never ends.
      this.#scene.later(checkMs, () => void this.#watch())
      return
    }
    const totals = new Map(page.entries.map(({ key, value }) => [key, value]))
    const { lateRows = 0 } = job!.status()
    const results = {
      ...{ lines: this.#lines, database: this.#database, totals, lateRows },
      partitions: this.#parameters.topicPartitions,
    }
    checkResults(results, (name, message) => this.#scene.violate(name, message))
    this.#isOver = true
    this.stop()
    this.#awaitEnd(process)
  }

  #awaitEnd(process: SimulatedProcess): void {
    this.#scene.later(checkMs, () => {
      if (process.isAlive) this.#awaitEnd(process)
      else this.#scene.done()
    })
  }
}

function isInexcusable(error: unknown): boolean {
  return inexcusable.has((error as { code?: string }).code ?? '')
}
