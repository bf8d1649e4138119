// Runs a job module: puts driver, executors, logs and status together and takes them apart again.

import { join } from 'node:path'
import { isRetriableFailure } from '../protocol/client/clientError.ts'
import { Cluster } from '../protocol/client/cluster.ts'
import type { DiskLock } from '../protocol/runtime/disk.ts'
import type { Address } from '../protocol/runtime/network.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logger.ts'
import type { JobStatus } from '../protocol/telemetry/status.ts'
import { CommitLog } from './checkpoint/commitLog.ts'
import { OffsetLog, type OffsetLogEntry } from './checkpoint/offsetLog.ts'
import { inProcessExecutors } from './executor/inProcessExecutor.ts'
import { StateStores } from './executor/stateStores.ts'
import type { StartExecutor } from './executor/task.ts'
import { workerExecutors } from './executor/workerExecutor.ts'
import { takeDirectory } from './jobDirectory.ts'
import { fingerprint, type LoadedJob, loadJob, pathOf } from './jobModule.ts'
import { JobStatusRecord, type ViewRows } from './jobStatus.ts'
import type { Key } from './rdd/key.ts'
import type { Pair } from './rdd/lineage.ts'
import { BatchLoop } from './scheduler/batchLoop.ts'
import { Driver } from './scheduler/driver.ts'
import { lagBehind, type PartitionEnds } from './scheduler/rangePlan.ts'
import { TopicOffsets } from './sources/topicOffsets.ts'
import { TopicScanner } from './sources/topicScanner.ts'
import { StatusPublisher } from './statusPublisher.ts'
import type { Output } from './stream/dstream.ts'
import { StreamGraph } from './stream/streamGraph.ts'
import { sortedRows } from './stream/view.ts'
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
  /** The most that a batch reads of one partition. */
  readonly maxRecordsPerPartition?: number
  /** Lets the TypeScript compiler look at the module first, where there is one. */
  readonly checkTypes?: boolean
}

export interface RunningJob {
  readonly name: string
  /** Resolves when the job was stopped; rejects when it failed. */
  readonly finished: Promise<void>
  /** Graceful, unless said otherwise: the batch that runs is finished first. */
  stop(options?: { readonly graceful?: boolean }): Promise<void>
  status(): JobStatus
  /** Called after each committed batch. Returns what ends that. */
  onBatch(listener: (status: JobStatus) => void): () => void
}

const clientId = 'millrace-engine'

/**
 * Starts the job and resolves once its executors are up; topics that are missing are waited for.
 * Fails with an EngineError for what is wrong with the module or the directory.
 */
export async function submitJob(options: SubmitOptions): Promise<RunningJob> {
  const { disk } = options.runtime
  const isThere = (await disk.stat(pathOf(options.module))) !== undefined
  // First of all: what the compiler says of a mistake is clearer than what the import would.
  if (options.checkTypes && isThere) await requireTypes(options.module)
  const loaded = await loadJob(disk, options.module)
  const lock = await takeDirectory(disk, options.directory, loaded.job)
  let running: SubmittedJob | undefined
  try {
    running = await SubmittedJob.open(options, loaded, lock)
    await running.start()
    return running
  } catch (error) {
    if (running) await running.abandon()
    else await lock.release()
    throw error
  }
}

class SubmittedJob implements RunningJob {
  readonly name: string
  readonly #options: SubmitOptions
  readonly #driver: Driver
  readonly #cluster: Cluster
  readonly #offsets: TopicOffsets
  readonly #offsetLog: OffsetLog
  readonly #commitLog: CommitLog
  readonly #lock: DiskLock
  readonly #record: JobStatusRecord
  readonly #publisher: StatusPublisher
  readonly #loop: BatchLoop
  readonly #listeners = new Set<(status: JobStatus) => void>()
  readonly #finished = Promise.withResolvers<void>()
  #rows = new Map<string, ViewRows>()
  /** As of when the newest batch was planned. */
  #logEnds: readonly PartitionEnds[] = []
  /** For topics that cannot be read; said once. */
  #isWaiting = false
  #isClosed = false

  static async open(options: SubmitOptions, loaded: LoadedJob, lock: DiskLock) {
    const checkpoint = join(options.directory, 'checkpoint')
    const offsetLog = await OffsetLog.open(options.runtime.disk, join(checkpoint, 'offsets'))
    const commitLog = await CommitLog.open(options.runtime.disk, join(checkpoint, 'commits'))
    return new SubmittedJob(options, loaded, lock, offsetLog, commitLog)
  }

  constructor(
    options: SubmitOptions,
    loaded: LoadedJob,
    lock: DiskLock,
    offsetLog: OffsetLog,
    commitLog: CommitLog,
  ) {
    const { runtime, logger, bootstrap } = options
    const batchIntervalMs = options.batchIntervalMs ?? 1000
    const executors = options.executors ?? 2
    this.name = loaded.job.name
    this.#options = options
    this.#lock = lock
    this.#offsetLog = offsetLog
    this.#commitLog = commitLog
    this.#cluster = new Cluster(runtime, { bootstrap, clientId })
    this.#driver = new Driver({
      runtime,
      logger,
      job: loaded.job,
      batchIntervalMs,
      executors: Math.max(1, executors),
      startExecutor: startExecutors(options, loaded, batchIntervalMs, this.#cluster),
    })
    const { graph } = this.#driver
    const latest = offsetLog.latest()
    for (const batch of offsetLog.range(0, (latest?.batchId ?? -1) + 1)) graph.addBatch(batch)
    const committed = offsetLog.get(commitLog.latest())
    this.#record = new JobStatusRecord(graph, committed?.recordsTotal ?? 0)
    this.#offsets = new TopicOffsets(this.#cluster, graph.topics)
    this.#publisher = new StatusPublisher(this.#cluster, runtime, logger, () => this.status())
    this.#loop = new BatchLoop({
      clock: runtime.clock,
      batchIntervalMs,
      maxRecordsPerPartition: options.maxRecordsPerPartition ?? 1_000_000,
      offsetLog,
      commitLog,
      ends: () => this.#ends(),
      run: (batch) => this.#runBatch(batch),
      oldestRemembered: () => graph.history.upTo(Infinity)[0]!.batchId,
      onCommitted: (batch, startedMs) => this.#committed(batch, startedMs),
    })
  }

  get finished(): Promise<void> {
    return this.#finished.promise
  }

  async start(): Promise<void> {
    // Who never asks must not be ended by an unhandled rejection; the status says it, too.
    this.#finished.promise.catch(() => {})
    await this.#driver.start()
    void this.#run()
  }

  /** Lets go of everything, for a job that did not start. */
  async abandon(): Promise<void> {
    this.#isClosed = true
    await this.#release()
  }

  status(): JobStatus {
    return this.#record.at(this.#options.runtime.clock.nowMs())
  }

  onBatch(listener: (status: JobStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async stop({ graceful = true }: { readonly graceful?: boolean } = {}): Promise<void> {
    this.#loop.stop()
    if (!graceful) await this.#driver.stop()
    await this.#finished.promise
  }

  async #run(): Promise<void> {
    this.#publisher.publish()
    const batches = this.#loop.run()
    try {
      await Promise.race([batches, this.#driver.failed])
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
    // The logs may be closed only when the batch that was running has let go of them.
    await Promise.allSettled([batches])
    await this.#close()
    if (isStopped) this.#finished.resolve()
    else this.#finished.reject(error)
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#publisher.close()
    await this.#release()
  }

  async #release(): Promise<void> {
    await this.#driver.stop()
    await this.#cluster.close()
    await this.#offsetLog.close()
    await this.#commitLog.close()
    await this.#lock.release()
  }

  async #ends(): Promise<readonly PartitionEnds[] | undefined> {
    const { logger } = this.#options
    try {
      this.#logEnds = await this.#offsets.ends()
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

  async #runBatch(batch: OffsetLogEntry): Promise<void> {
    this.#driver.addBatch(batch)
    this.#rows = new Map()
    // All at once, so that outputs of the same stream share one pass over its records.
    await Promise.all(this.#driver.graph.outputs.map((output) => this.#runOutput(output, batch)))
    await this.#driver.idle()
  }

  async #runOutput(output: Output, batch: OffsetLogEntry): Promise<void> {
    const rdd = this.#driver.graph.rdd<unknown>(output.stream, batch.batchId)
    if (!rdd) return
    if (output.kind === 'foreachRDD') return await output.run(rdd, batch)
    const pairs = (await rdd.collect()) as Pair<Key, number>[]
    this.#rows.set(output.name, sortedRows(pairs))
  }

  #committed(batch: OffsetLogEntry, startedMs: number): void {
    this.#record.batchCommitted({
      batch,
      startedMs,
      finishedMs: this.#options.runtime.clock.nowMs(),
      oldestTimestampMs: this.#driver.oldestTimestampMs,
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
  { job, moduleUrl, contentHash }: LoadedJob,
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
  const setup = { moduleUrl, batchIntervalMs, bootstrap, clientId, stateDirectory }
  return workerExecutors({ ...setup, runtime, fingerprint: fingerprint(graph, contentHash) })
}
