// Runs a job module: puts driver, executors, logs and status together and takes them apart again.

import { join } from 'node:path'
import { isRetriableFailure } from '../protocol/client/clientError.ts'
import { Cluster } from '../protocol/client/cluster.ts'
import type { Isolation } from '../protocol/client/partitionReader.ts'
import { sleep } from '../protocol/runtime/clock.ts'
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import type { JobStatus } from '../protocol/telemetry/status.ts'
import { CommitLog } from './checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from './checkpoint/offsetLog.ts'
import { EngineError } from './engineError.ts'
import { inProcessExecutors } from './executor/inProcessExecutor.ts'
import { StateStores } from './executor/stateStores.ts'
import type { StartExecutor } from './executor/task.ts'
import { workerExecutors } from './executor/workerExecutor.ts'
import { type JobDirectory, takeDirectory } from './jobDirectory.ts'
import { fingerprint, type LoadedJob, loadJob, pathOf } from './jobModule.ts'
import { JobOutputs } from './jobOutputs.ts'
import { JobStatusRecord, type ViewRows } from './jobStatus.ts'
import { NameClaim } from './nameClaim.ts'
import type { JobDescription, RunningJob, StopOptions } from './runningJob.ts'
import { type BatchAttempt, BatchLoop, type CommittedBatch } from './scheduler/batchLoop.ts'
import { describeProgress } from './scheduler/batchProgress.ts'
import { Driver } from './scheduler/driver.ts'
import { lagBehind, offsetsIn, type PartitionEnds } from './scheduler/rangePlan.ts'
import { RateLimits } from './scheduler/rateLimits.ts'
import { parseRateConf } from './scheduler/rateOptions.ts'
import { lostBetween } from './sources/lostOffsets.ts'
import { TopicOffsets } from './sources/topicOffsets.ts'
import { TopicScanner } from './sources/topicScanner.ts'
import { StatusPublisher } from './statusPublisher.ts'
import { StreamGraph } from './stream/streamGraph.ts'
import { requireTypes } from './typeCheck.ts'

export interface SubmitOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  /** A file's path or URL; it exports a job by default. */
  readonly module: URL | string
  readonly bootstrap: readonly Address[]
  /** Checkpoint and state of this job alone. */
  readonly directory: string
  /** Worker threads that run tasks, 2 unless given; 0 runs them in the calling thread. */
  readonly executors?: number
  readonly batchIntervalMs?: number
  /** The most that a batch reads of one partition, 1 million unless given. */
  readonly maxRecordsPerPartition?: number
  /** The most that a batch reads, about, in bytes as they lie in the log; 256 MiB unless given. */
  readonly maxBatchBytes?: number
  /**
   * After so long a batch is broken off and tried with fewer records, unless an output has begun; no limit
   * unless given. Not with 0 executors.
   */
  readonly maxBatchTimeMs?: number
  /** Heap of each executor, 2048 unless given: one that needs more dies alone, and its batch is split. */
  readonly executorMemoryMb?: number
  /** Options under Spark's key names (see rateOptions). */
  readonly conf?: Readonly<Record<string, string>>
  /**
   * Committed, unless given: an aborted transaction does not count, and a batch ends before the first
   * open one. Only that is exactly once.
   */
  readonly isolation?: Isolation
  /**
   * How long one attempt of a task may take, 5 minutes unless given; then its executor is ended and the
   * attempt has failed. Not with 0 executors: nothing can interrupt the thread that the caller is in.
   */
  readonly taskTimeoutMs?: number
  /** Name of this host, for the job's status. */
  readonly host?: string
  /** Lets the TypeScript compiler look at the module first, where there is one. */
  readonly checkTypes?: boolean
}

export type { RunningJob, StopOptions } from './runningJob.ts'

const clientId = 'millrace-engine'
const defaultExecutors = 2
const defaultRecordsPerPartition = 1_000_000
const defaultBatchBytes = 256 * 1024 * 1024
const defaultExecutorMemoryMb = 2048
const defaultTaskTimeoutMs = 300_000
const defaultStopTimeoutMs = 10_000
/** After this time a batch that runs is logged, once. */
const slowBatchMs = 30_000
/** For a batch that was broken off to come to its end. */
const letGoTimeoutMs = 3000

/**
 * Starts the job and resolves once its executors are up; topics that are missing are waited for.
 * Fails with an EngineError for what is wrong with the module or the directory.
 */
export async function submitJob(options: SubmitOptions): Promise<RunningJob> {
  requireOptions(options)
  const { disk } = options.runtime
  const isThere = (await disk.stat(pathOf(options.module))) !== undefined
  // First of all: what the compiler says of a mistake is clearer than what the import would.
  if (options.checkTypes && isThere) await requireTypes(options.module)
  const loaded = await loadJob(disk, options.module)
  const directory = await takeDirectory(options.runtime, options.directory, loaded.job)
  let running: SubmittedJob | undefined
  try {
    running = await SubmittedJob.open(options, loaded, directory)
    await running.start()
    return running
  } catch (error) {
    if (running) await running.abandon()
    else await directory.lock.release()
    throw error
  }
}

function requireOptions({ executors, taskTimeoutMs }: SubmitOptions): void {
  if (taskTimeoutMs === undefined) return
  if (!Number.isSafeInteger(taskTimeoutMs) || taskTimeoutMs < 1) {
    throw new EngineError(
      'JOB_OPTION_INVALID',
      `taskTimeoutMs is ${taskTimeoutMs}; give a whole number of milliseconds of at least 1`,
    )
  }
  if (executors !== 0) return
  throw new EngineError(
    'JOB_OPTION_INVALID',
    'taskTimeoutMs needs executors: with 0, tasks run in the thread of the caller, which nothing can ' +
      'interrupt; give at least 1 executor, or no limit',
  )
}

class SubmittedJob implements RunningJob {
  readonly name: string
  readonly #options: SubmitOptions
  readonly #driver: Driver
  readonly #cluster: Cluster
  readonly #offsets: TopicOffsets
  readonly #offsetLog: OffsetLog
  readonly #commitLog: CommitLog
  readonly #directory: JobDirectory
  readonly #loaded: LoadedJob
  readonly #record: JobStatusRecord
  readonly #claim: NameClaim
  readonly #publisher: StatusPublisher
  readonly #loop: BatchLoop
  readonly #listeners = new Set<(status: JobStatus) => void>()
  readonly #finished = Promise.withResolvers<void>()
  /** Rejects when the batch that runs is to end now; never resolves. */
  readonly #brokenOff = Promise.withResolvers<never>()
  readonly #outputs: JobOutputs
  #rows: ReadonlyMap<string, ViewRows> = new Map()
  /** The batch that runs, with when it began. */
  #batch: { readonly batchId: number; readonly sinceMs: number } | undefined
  /** As of when the newest batch was planned. */
  #logEnds: readonly PartitionEnds[] = []
  /** For topics that cannot be read; logged once. */
  #isWaiting = false
  #isClosed = false

  static async open(options: SubmitOptions, loaded: LoadedJob, directory: JobDirectory) {
    const checkpoint = join(options.directory, 'checkpoint')
    const offsetLog = await OffsetLog.open(options.runtime.disk, join(checkpoint, 'offsets'))
    const commitLog = await CommitLog.open(options.runtime.disk, join(checkpoint, 'commits'))
    return new SubmittedJob(options, loaded, directory, offsetLog, commitLog)
  }

  constructor(
    options: SubmitOptions,
    loaded: LoadedJob,
    directory: JobDirectory,
    offsetLog: OffsetLog,
    commitLog: CommitLog,
  ) {
    const { runtime, logger, bootstrap, isolation = 'committed' } = options
    const batchIntervalMs = options.batchIntervalMs ?? 1000
    const executors = options.executors ?? defaultExecutors
    this.name = loaded.job.name
    this.#options = options
    this.#loaded = loaded
    this.#directory = directory
    this.#offsetLog = offsetLog
    this.#commitLog = commitLog
    // A topic that was deleted while the job runs must not come back because the job asks for it.
    const clientOptions = { bootstrap, clientId, allowAutoTopicCreation: false }
    this.#cluster = new Cluster(runtime, clientOptions)
    this.#driver = new Driver({
      runtime,
      logger,
      job: loaded.job,
      batchIntervalMs,
      executors: Math.max(1, executors),
      startExecutor: startExecutors(options, loaded, batchIntervalMs, this.#cluster),
      taskTimeoutMs: executors === 0 ? undefined : (options.taskTimeoutMs ?? defaultTaskTimeoutMs),
      shuffles: { spill: { disk: runtime.disk, directory: join(options.directory, 'shuffle') } },
      onTaskFinished: (report) => this.#loop.taskFinished(report),
    })
    this.#outputs = new JobOutputs(this.#driver, logger, runtime.clock)
    const { graph } = this.#driver
    const latest = offsetLog.latest()
    for (const batch of offsetLog.range(0, (latest?.batchId ?? -1) + 1)) graph.addBatch(batch)
    this.#offsets = new TopicOffsets(this.#cluster, graph.topics, isolation, graph.sources)
    this.#publisher = new StatusPublisher(this.#cluster, runtime, logger, () => this.status())
    this.#loop = new BatchLoop({
      clock: runtime.clock,
      batchIntervalMs,
      limits: new RateLimits({
        batchIntervalMs,
        maxRecordsPerPartition: options.maxRecordsPerPartition ?? defaultRecordsPerPartition,
        maxBatchBytes: options.maxBatchBytes ?? defaultBatchBytes,
        conf: parseRateConf(options.conf),
      }),
      maxBatchTimeMs: options.maxBatchTimeMs,
      canSplitRerun: graph.outputs.every(({ kind }) => kind === 'view'),
      watermarks: graph.watermarks,
      isolation,
      offsetLog,
      commitLog,
      ends: () => this.#ends(),
      run: (batch, attempt) => this.#runBatch(batch, attempt),
      breakOff: (error) => this.#driver.breakOff(error),
      onSplit: (batch, smaller, error) => this.#split(batch, smaller, error),
      oldestRemembered: () => graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch, done) => this.#committed(batch, done),
    })
    const startedMs = runtime.clock.nowMs()
    this.#record = new JobStatusRecord(graph, directory.instance, this.#loop.counts.total, {
      ...{ startedMs, host: options.host, code: loaded.code.version },
      partitions: loaded.job.partitions,
    })
    const { name } = this
    const { id } = this.status()
    this.#claim = new NameClaim({
      ...{ cluster: this.#cluster, clock: runtime.clock, logger, name, id, startedMs },
    })
  }

  get finished(): Promise<void> {
    return this.#finished.promise
  }

  async start(): Promise<void> {
    // Who never asks must not be ended by an unhandled rejection; the status says it, too.
    this.#finished.promise.catch(() => {})
    this.#brokenOff.promise.catch(() => {})
    await Promise.all([this.#driver.start(), this.#claim.check()])
    void this.#run()
  }

  /** Lets go of everything, for a job that did not start. */
  async abandon(): Promise<void> {
    this.#isClosed = true
    await this.#release()
  }

  status(): JobStatus {
    const running = this.#batch && { ...this.#batch, tasks: this.#driver.running() }
    return this.#record.at(this.#options.runtime.clock.nowMs(), running)
  }

  announce(address: string | undefined): void {
    this.#record.announce(address)
    this.#publisher.publish()
  }

  describe(): JobDescription {
    const { directory } = this.#options
    const { graph } = this.#driver
    const { partitions } = this.#loaded.job
    return {
      ...{ name: this.name, instance: this.#directory.instance, directory, partitions },
      ...{ topics: graph.topics, batchIntervalMs: graph.batchIntervalMs },
      operators: graph.operators.map(({ uid, isNamed, kind, shape, codec }) => {
        return { uid, isNamed, kind, shape, codec, partitions }
      }),
    }
  }

  onBatch(listener: (status: JobStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async stop({ graceful = true, timeoutMs = defaultStopTimeoutMs }: StopOptions = {}) {
    this.#loop.stop()
    if (graceful) await this.#endOfBatch(timeoutMs)
    if (!this.#isClosed) await this.#breakOff()
    await this.#finished.promise
  }

  /** Ends the batch that runs, even when it waits for something of the job's own. */
  async #breakOff(): Promise<void> {
    this.#loop.abandon()
    await this.#driver.stop()
    this.#brokenOff.reject(new EngineError('EXECUTOR_FAILED', 'the job is being stopped'))
  }

  /** Resolves when the job has ended, or after the time. */
  async #endOfBatch(timeoutMs: number): Promise<void> {
    const { logger, runtime } = this.#options
    const ended = new AbortController()
    const end = () => ended.abort()
    this.#finished.promise.then(end, end)
    await sleep(runtime.clock, timeoutMs, ended.signal)
    if (ended.signal.aborted || this.#isClosed) return
    const running = this.#batch && { ...this.#batch, tasks: this.#driver.running() }
    logger.warn(
      { job: this.name, timeoutMs, running },
      'the batch is broken off: it takes too long',
    )
  }

  async #run(): Promise<void> {
    this.#publisher.publish()
    const batches = this.#loop.run()
    try {
      const { failed } = this.#driver
      await Promise.race([batches, failed, this.#brokenOff.promise, this.#claim.lost])
      this.#record.ended('stopped')
      await this.#close()
      this.#finished.resolve()
    } catch (error) {
      await this.#fail(error as Error, batches)
    }
  }

  /** What a stop that does not wait breaks off is no failure. */
  async #fail(error: Error, batches: Promise<void>): Promise<void> {
    const isStopped = this.#driver.isStopped
    if (!isStopped) this.#options.logger.error({ job: this.name, error }, 'the job has failed')
    this.#record.ended(isStopped ? 'stopped' : 'failed', isStopped ? undefined : error)
    this.#loop.stop()
    await this.#driver.stop()
    // The logs are closed after the batch that was running has let go of them. One that waits in
    // foreachRDD for what never comes does not touch them any more: the loop is abandoned.
    this.#loop.abandon()
    await this.#settled(batches)
    await this.#close()
    if (isStopped) this.#finished.resolve()
    else this.#finished.reject(error)
  }

  /** Resolves when the work has settled, or after a while. */
  async #settled(work: Promise<unknown>): Promise<void> {
    const settled = new AbortController()
    const end = () => settled.abort()
    work.then(end, end)
    await sleep(this.#options.runtime.clock, letGoTimeoutMs, settled.signal)
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#publisher.close()
    await this.#release()
  }

  async #release(): Promise<void> {
    await this.#driver.stop()
    this.#claim.stop()
    await this.#cluster.close()
    await this.#offsetLog.close()
    await this.#commitLog.close()
    await this.#directory.lock.release()
  }

  async #ends(): Promise<readonly PartitionEnds[] | undefined> {
    const { logger } = this.#options
    try {
      this.#logEnds = await this.#offsets.ends(this.#offsetLog.latest()?.ranges)
      this.#isWaiting = false
      return this.#logEnds
    } catch (error) {
      if (!isRetriableFailure(error)) throw error
      const { topics } = this.#driver.graph
      const fields = { job: this.name, topics, reason: (error as Error).message }
      if (!this.#isWaiting) logger.warn(fields, 'the topics cannot be read; trying until they can')
      this.#isWaiting = true
      return undefined
    }
  }

  async #runBatch(batch: OffsetLogEntry, attempt: BatchAttempt): Promise<void> {
    this.#driver.addBatch(batch)
    this.#batch = { batchId: batch.batchId, sinceMs: this.#options.runtime.clock.nowMs() }
    this.#record.batchStarted(this.#lagBefore(batch))
    this.#logLost(batch)
    const slow = this.#options.runtime.clock.setTimer(slowBatchMs, () => this.#logSlowBatch())
    try {
      const changed = await this.#driver.advance(batch)
      this.#rows = await this.#outputs.run(batch, attempt, changed)
    } finally {
      slow.cancel()
      this.#batch = undefined
    }
  }

  #logLost({ batchId, ranges }: OffsetLogEntry): void {
    const before = this.#offsetLog.get(batchId - 1)?.ranges ?? []
    for (const lost of lostBetween(before, ranges)) {
      this.#options.logger.warn({ job: this.name, batchId, ...lost }, 'offsets of a topic are lost')
    }
  }

  #logSlowBatch(): void {
    const { logger, runtime } = this.#options
    const where = describeProgress(this.#driver.progress(), runtime.clock.nowMs())
    const fields = { job: this.name, ...this.#batch, tasks: this.#driver.running() }
    logger.warn(fields, `the batch takes long: ${where}`)
  }

  #split(batch: OffsetLogEntry, smaller: OffsetLogEntry, error: EngineError): void {
    const { batchId, ranges } = batch
    const offsets = { before: offsetsIn(ranges), now: offsetsIn(smaller.ranges) }
    const fields = { job: this.name, batchId, offsets, reason: error.message }
    this.#options.logger.warn(
      fields,
      'the batch is too large and runs again with half of its offsets',
    )
  }

  /** Records beyond the newest committed batch: those of the batch that starts, too. */
  #lagBefore({ ranges }: OffsetLogEntry): number {
    // A batch that is run again was planned by an earlier process.
    if (this.#logEnds.length === 0) return offsetsIn(ranges)
    const committed = this.#offsetLog.get(this.#commitLog.latest())
    return lagBehind(this.#logEnds, committed?.ranges ?? [])
  }

  #committed(batch: OffsetLogEntry, done: CommittedBatch): void {
    this.#record.batchCommitted({
      ...done,
      batch,
      finishedMs: this.#options.runtime.clock.nowMs(),
      rows: this.#rows,
      lagRecords: lagBehind(this.#logEnds, batch.ranges),
    })
    this.#publisher.publish()
    const status = this.status()
    for (const listener of this.#listeners) listener(status)
  }
}

function startExecutors(
  options: SubmitOptions,
  { job, code }: LoadedJob,
  batchIntervalMs: number,
  cluster: Cluster,
): StartExecutor {
  const { runtime, bootstrap } = options
  const stateDirectory = join(options.directory, 'state')
  if (options.executors === 0) {
    return inProcessExecutors({
      job,
      batchIntervalMs,
      createScanner: () => new TopicScanner(cluster),
      createStates: () => new StateStores({ clock: runtime.clock, directory: stateDirectory }),
    })
  }
  const graph = new StreamGraph(job, { batchIntervalMs })
  const setup = { code, batchIntervalMs, bootstrap, clientId, stateDirectory }
  const memoryMb = options.executorMemoryMb ?? defaultExecutorMemoryMb
  const version = fingerprint(graph, code.version)
  return workerExecutors({ ...setup, runtime, memoryMb, fingerprint: version })
}
