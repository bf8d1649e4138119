// The lifetime of a job: creates driver, executors, batches and status, and closes them in the
// right order, however the job ends. Invariant: the directory is released last, and always.

import { join } from 'node:path'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { sleep } from '../../protocol/runtime/time/clock.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { pathOfUrl } from '../contract/codeSnapshot.ts'
import { EngineError } from '../engineError.ts'
import { inProcessExecutors } from '../executor/inProcessExecutor.ts'
import { StateStores } from '../executor/stateStores.ts'
import type { StartExecutor } from '../executor/task.ts'
import { workerExecutors } from '../executor/workerExecutor.ts'
import { stateFolder } from '../jobDirectory.ts'
import { fingerprint, type LoadedJob } from '../jobModule.ts'
import type { JobFigures } from '../metrics/jobFigures.ts'
import { logsOf } from '../savepoint/jobLogs.ts'
import { savedJob, statesOf } from '../savepoint/saveJob.ts'
import { writeSavepoint } from '../savepoint/savepoint.ts'
import { defaultBounds } from '../scheduler/batchBounds.ts'
import { Driver } from '../scheduler/driver.ts'
import { RateLimits } from '../scheduler/rateLimits.ts'
import { parseRateConf } from '../scheduler/rateOptions.ts'
import { TopicScanner } from '../sources/topicScanner.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { JobBatches } from './jobBatches.ts'
import { closeJob, type OpenedJob } from './jobOpening.ts'
import { queryState } from './jobState.ts'
import { JobStatusRecord } from './jobStatus.ts'
import { NameClaim } from './nameClaim.ts'
import type {
  JobDescription,
  RunningJob,
  SavepointReport,
  StatePage,
  StateRequest,
  StopOptions,
} from './runningJob.ts'
import { StatusPublisher } from './statusPublisher.ts'
import {
  defaultBatchIntervalMs,
  defaultExecutors,
  defaultTaskTimeoutMs,
  type SubmitOptions,
} from './submitOptions.ts'

const clientId = 'millrace-engine'
const defaultStopTimeoutMs = 10_000
/** Grace period for a cancelled batch to end. */
const letGoTimeoutMs = 3000

export class SubmittedJob implements RunningJob {
  readonly name: string
  readonly #options: SubmitOptions
  readonly #loaded: LoadedJob
  readonly #opened: OpenedJob
  readonly #cluster: Cluster
  readonly #driver: Driver
  readonly #batches: JobBatches
  readonly #limits: RateLimits
  readonly #record: JobStatusRecord
  readonly #claim: NameClaim
  readonly #publisher: StatusPublisher
  readonly #listeners = new Set<(status: JobStatus) => void>()
  readonly #finished = Promise.withResolvers<void>()
  /** Rejects to end the running batch at once; never resolves. */
  readonly #brokenOff = Promise.withResolvers<never>()
  #isClosed = false

  /** `opened` is closed with the job. */
  constructor(options: SubmitOptions, loaded: LoadedJob, opened: OpenedJob) {
    const { runtime, logger, bootstrap, isolation = 'committed' } = options
    const { offsetLog, commitLog } = opened
    const bounds = { ...defaultBounds, ...options }
    this.name = loaded.job.name
    this.#options = options
    this.#loaded = loaded
    this.#opened = opened
    // A topic that is deleted while the job runs must not be recreated by the job's requests.
    const clientOptions = { bootstrap, clientId, allowAutoTopicCreation: false }
    this.#cluster = new Cluster(runtime, clientOptions)
    this.#driver = this.#createDriver()
    const { graph } = this.#driver
    const latest = offsetLog.latest()
    for (const batch of offsetLog.range(0, (latest?.batchId ?? -1) + 1)) graph.addBatch(batch)
    this.#publisher = new StatusPublisher(this.#cluster, runtime, logger, () => this.status())
    this.#limits = new RateLimits({
      batchIntervalMs: graph.batchIntervalMs,
      maxRecordsPerPartition: bounds.maxRecordsPerPartition,
      maxBatchBytes: bounds.maxBatchBytes,
      conf: parseRateConf(options.conf),
    })
    this.#batches = new JobBatches({
      ...{ runtime, logger, driver: this.#driver, cluster: this.#cluster, offsetLog, commitLog },
      isolation,
      limits: this.#limits,
      maxBatchTimeMs: options.maxBatchTimeMs,
      code: loaded.code.version,
      record: () => this.#record,
      onCommitted: () => this.#committed(),
    })
    const { total } = this.#batches.loop.counts
    const startedMs = runtime.clock.nowMs()
    this.#record = new JobStatusRecord(graph, opened.directory.instance, total, {
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
    // Callers may never await these; the status reports the failure, too.
    this.#finished.promise.catch(() => {})
    this.#brokenOff.promise.catch(() => {})
    await Promise.all([this.#driver.start(), this.#claim.check(), this.#batches.start()])
    void this.#run()
  }

  /** Releases everything, for a job that failed to start. */
  async abandon(): Promise<void> {
    this.#isClosed = true
    await this.#release()
  }

  status(): JobStatus {
    return this.#record.at(this.#options.runtime.clock.nowMs(), this.#batches.running())
  }

  figures(): JobFigures {
    const { runtime } = this.#options
    const { offsetLog, commitLog } = this.#opened
    const nowMs = runtime.clock.nowMs()
    const status = this.status()
    const { lagRecords, startedMs = nowMs, lateRows = 0, lostRecords = 0 } = status
    return {
      ...this.#batches.counts.figures(nowMs, lagRecords),
      ...{ name: this.name, state: status.state, timeMs: nowMs, startedMs },
      ...{ batchIntervalMs: status.batchIntervalMs, isWaiting: status.waiting !== undefined },
      runningSinceMs: status.running?.sinceMs,
      ...{ recordsTotal: status.recordsTotal, lagRecords, lateRows, lostRecords },
      watermarks: status.watermarks ?? {},
      tasks: this.#driver.counts,
      recordsPerSecond: this.#limits.rate,
      checkpointBytes: offsetLog.sizeBytes + commitLog.sizeBytes,
    }
  }

  announce(address: string | undefined): void {
    this.#record.announce(address)
    this.#publisher.publish()
  }

  describe(): JobDescription {
    const { directory } = this.#options
    const { graph } = this.#driver
    const { job, code } = this.#loaded
    const { partitions } = job
    return {
      ...{ name: this.name, instance: this.#opened.directory.instance, directory, partitions },
      code: code.version,
      ...{ topics: graph.topics, batchIntervalMs: graph.batchIntervalMs },
      operators: graph.operators.map(({ uid, isNamed, kind, shape, codec }) => {
        return { uid, isNamed, kind, shape, codec, partitions }
      }),
      files: [...code.files.keys()].map(pathOfUrl),
    }
  }

  onBatch(listener: (status: JobStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async queryState(request: StateRequest): Promise<StatePage> {
    const options = {
      operators: this.#driver.graph.operators,
      partitions: this.#loaded.job.partitions,
      committed: () => this.#opened.commitLog.latest(),
      query: this.#driver.queryState.bind(this.#driver),
    }
    return await queryState(options, request)
  }

  /** Batches wait while it is written. */
  async savepoint(target: string): Promise<SavepointReport> {
    return await this.#batches.loop.between(() =>
      this.#driver.withReleasedStates(() => this.#save(target)),
    )
  }

  async #save(target: string): Promise<SavepointReport> {
    const { runtime, directory, version = 'unknown' } = this.#options
    const { offsetLog, commitLog, states } = this.#opened
    const { partitions } = this.#loaded.job
    const logs = logsOf(offsetLog, commitLog)
    const saved = savedJob(directory, { millrace: version, job: this.name, partitions }, logs)
    const { batchId } = saved.commit
    const found = statesOf(directory, saved, states)
    const { manifest } = await writeSavepoint(runtime.disk, target, saved, found)
    const bytes = manifest.states.reduce((sum, state) => sum + state.bytes, 0)
    this.#options.logger.info({ job: this.name, target, batchId, bytes }, 'savepoint written')
    return { target, batchId, bytes }
  }

  async stop({ graceful = true, timeoutMs = defaultStopTimeoutMs }: StopOptions = {}) {
    this.#batches.loop.stop()
    if (graceful) await this.#endOfBatch(timeoutMs)
    if (!this.#isClosed) await this.#breakOff()
    await this.#finished.promise
  }

  /** Cancels the running batch, even if it waits for the job's own code. */
  async #breakOff(): Promise<void> {
    this.#batches.loop.abandon()
    await this.#driver.stop()
    this.#brokenOff.reject(new EngineError('EXECUTOR_FAILED', 'the job is stopping'))
  }

  /** Resolves when the job has ended, or after the timeout. */
  async #endOfBatch(timeoutMs: number): Promise<void> {
    const { logger, runtime } = this.#options
    const ended = new AbortController()
    const end = () => ended.abort()
    this.#finished.promise.then(end, end)
    await sleep(runtime.clock, timeoutMs, ended.signal)
    if (ended.signal.aborted || this.#isClosed) return
    const fields = { job: this.name, timeoutMs, running: this.#batches.running() }
    logger.warn(fields, 'the batch was cancelled: it did not end within the stop timeout')
  }

  async #run(): Promise<void> {
    this.#publisher.publish()
    const batches = this.#batches.loop.run()
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

  /** A batch cancelled by a stop is not a failure. */
  async #fail(error: Error, batches: Promise<void>): Promise<void> {
    const isStopped = this.#driver.isStopped
    if (!isStopped) this.#options.logger.error({ job: this.name, error }, 'the job has failed')
    this.#record.ended(isStopped ? 'stopped' : 'failed', isStopped ? undefined : error)
    this.#batches.loop.stop()
    await this.#driver.stop()
    // The logs are closed after the running batch has ended. A batch that waits forever in
    // foreachRDD does not touch them any more, because the loop was abandoned.
    this.#batches.loop.abandon()
    await this.#settled(batches)
    await this.#close()
    if (isStopped) this.#finished.resolve()
    else this.#finished.reject(error)
  }

  /** Resolves when the work has settled, or after the grace period. */
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
    try {
      await this.#driver.stop()
      this.#claim.stop()
      await this.#batches.close()
      await this.#cluster.close()
    } finally {
      // Even after another failure, the directory must be free for the next start, in this process
      // too.
      await closeJob(this.#opened)
    }
  }

  #committed(): void {
    this.#publisher.publish()
    const status = this.status()
    for (const listener of this.#listeners) listener(status)
  }

  #createDriver(): Driver {
    const { runtime, logger, directory, executors = defaultExecutors } = this.#options
    const { batchIntervalMs = defaultBatchIntervalMs, taskTimeoutMs } = this.#options
    const bounds = { ...defaultBounds, ...this.#options }
    return new Driver({
      ...{
        runtime: { ...runtime, random: runtime.random.fork('driver') },
        logger,
        job: this.#loaded.job,
        batchIntervalMs,
      },
      executors: Math.max(1, executors),
      startExecutor:
        this.#options.startExecutor ?? startExecutors(this.#options, this.#loaded, this.#cluster),
      taskTimeoutMs: executors === 0 ? undefined : (taskTimeoutMs ?? defaultTaskTimeoutMs),
      shuffles: {
        maxBytes: bounds.maxShuffleBytes,
        spill: {
          ...{ disk: runtime.disk, directory: join(directory, 'shuffle') },
          maxBytes: bounds.maxSpillBytes,
        },
      },
      onTaskFinished: (report) => this.#batches.loop.taskFinished(report),
    })
  }
}

function startExecutors(
  options: SubmitOptions,
  { job, code }: LoadedJob,
  cluster: Cluster,
): StartExecutor {
  const { runtime, bootstrap, batchIntervalMs = defaultBatchIntervalMs } = options
  const stateDirectory = join(options.directory, stateFolder)
  if (options.executors === 0) {
    return inProcessExecutors({
      scheduler: runtime.scheduler,
      ...{ job, batchIntervalMs },
      createScanner: () => new TopicScanner(cluster),
      createStates: () => new StateStores({ clock: runtime.clock, directory: stateDirectory }),
    })
  }
  const memoryMb = options.executorMemoryMb ?? defaultBounds.executorMemoryMb
  return workerExecutors({
    ...{ code, batchIntervalMs, bootstrap, clientId, stateDirectory, runtime, memoryMb },
    fingerprint: fingerprint(new StreamGraph(job, { batchIntervalMs }), code.version),
  })
}
