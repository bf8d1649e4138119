// All partitions of a broker: takes its data directories for this process, opens what is in them,
// creates and deletes, and does from time to time what keeps logs small and restarts short. It knows
// nothing of topics beyond their names; who may create one is decided elsewhere.

import { join } from 'node:path'
import type { Clock } from '../../protocol/runtime/clock.ts'
import { DirectoryInUseError, type Disk } from '../../protocol/runtime/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { Scheduler } from '../../protocol/runtime/scheduler.ts'
import { LastingCondition } from '../../protocol/telemetry/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import {
  type DirectoryIdentity,
  parsePartitionDirectory,
  partitionDirectoryName,
  type TopicPartition,
} from './directory/dataDirectory.ts'
import {
  describeDirectory,
  type LogDirectoryDescription,
} from './directory/directoryDescription.ts'
import {
  type FoundPartition,
  type Inherited,
  LogDirectory,
  type ManagedLog,
  type MissingPartition,
} from './directory/logDirectory.ts'
import { makeNewPartition, readTopicId } from './directory/partitionDirectory.ts'
import { inParallel } from './inParallel.ts'
import { defaultLogConfig, type LogConfig } from './logConfig.ts'
import { creationFailed, directoryFailed, isPassing, LogError } from './logError.ts'
import { PartitionLog } from './partitionLog.ts'
import { PeriodicTask } from './periodicTask.ts'
import { newLog } from './recovery/resumedLog.ts'
import { IndexCache } from './segment/indexCache.ts'
import { WriteBehind } from './segment/writeBehind.ts'

export type { ManagedLog } from './directory/logDirectory.ts'

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  /** The data directories (log.dirs), at least one; created when they are missing. */
  readonly directories: readonly string[]
  /** What logs have that are found on the disk, or are created without a configuration. */
  readonly config?: LogConfig
  /** For logs found on the disk: what their topic has set. Without it, `config` for all. */
  readonly configOf?: (topic: string) => LogConfig
  /**
   * For logs found on the disk: whether the directory belongs to another topic than the one that has the name
   * now, by the topic id noted in it. Then it is not opened. Without it, everything is opened.
   */
  readonly isForeign?: (topic: string, topicId: string | undefined) => boolean
  /** Written to meta.properties; an existing directory with another one is refused. */
  readonly identity?: DirectoryIdentity
  /** For segment.jitter.ms; without it, segments have their whole time. */
  readonly random?: Random
  /** Lets partitions share syncs through a commit journal; without it, each log syncs its own. */
  readonly journal?: { readonly random: Random; readonly fileBytes: number } | undefined
  /** log.flush.offset.checkpoint.interval.ms */
  readonly checkpointIntervalMs?: number
  /** log.retention.check.interval.ms */
  readonly retentionCheckIntervalMs?: number
  /** log.initial.task.delay.ms: until retention is applied for the first time. */
  readonly initialTaskDelayMs?: number
  /** log.dir.reserved.bytes: with less than this free, no records of clients are taken. */
  readonly reservedBytes?: number
}

export interface DeletedTopic {
  readonly name: string
  readonly id: string
  /** How many it has at most. */
  readonly partitions: number
}

/** A data directory that could not be used when the broker was started, or has failed since. */
export interface FailedDirectory {
  readonly path: string
  readonly error: LogError
  readonly sinceMs: number
}

/** That a data directory has failed while it was in use. */
export interface DirectoryFailure extends Omit<FailedDirectory, 'sinceMs'> {
  /** What lies in it, which cannot be reached any more. */
  readonly partitions: readonly LostPartition[]
}

export interface LostPartition extends TopicPartition {
  /** Undefined when it is not known. */
  readonly topicId: string | undefined
}

const defaultCheckpointIntervalMs = 60_000
const defaultRetentionCheckIntervalMs = 300_000
const defaultInitialTaskDelayMs = 30_000
/** How soon it is noticed that a disk is full, or has room again, without anything being written. */
const spaceCheckIntervalMs = 5_000
/** Soon, for a new directory has no reserve before; but not while the broker starts. */
const firstSpaceCheckMs = 1_000

export class LogManager {
  readonly #options: LogManagerOptions
  readonly #disk: Disk
  readonly #config: LogConfig
  readonly #indexCache: IndexCache
  readonly #directories: LogDirectory[] = []
  readonly #failed: FailedDirectory[] = []
  /** Those that failed while they were in use, until they are given back. */
  readonly #abandoned: LogDirectory[] = []
  readonly #failureListeners: ((failure: DirectoryFailure) => void)[] = []
  /** The closing of logs whose directory has failed. */
  readonly #leaving: Promise<unknown>[] = []
  readonly #logs = new Map<string, ManagedLog>()
  /** The ids of topics of which something may be left that is not among `#logs` any more. */
  readonly #halfRemoved = new Set<string>()
  readonly #creating = new Map<string, Promise<PartitionLog>>()
  readonly #tasks: PeriodicTask[] = []
  #checkpointing: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(options: LogManagerOptions, indexCache: IndexCache) {
    this.#indexCache = indexCache
    this.#options = options
    this.#disk = options.disk
    this.#config = options.config ?? defaultLogConfig
  }

  /**
   * Throws DirectoryInUseError when another process has one of the directories, and LogError when
   * one belongs to another broker, or none can be used. Others go on without a directory that fails
   * (`describeDirectories`). A damaged partition is opened, offline (`PartitionLog.offline`).
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    // The other half is for connections.
    const maxOpenFiles = Math.floor((await options.disk.maxOpenFiles()) / 2)
    const writeBehind = options.journal && new WriteBehind(options.clock)
    const manager = new LogManager(options, new IndexCache({ maxOpenFiles, writeBehind }))
    try {
      for (const path of options.directories) await manager.#openDirectory(path)
      manager.#mustHaveDirectory()
      await manager.#openLogs()
      manager.#startTasks()
      return manager
    } catch (error) {
      await Promise.allSettled([...manager.#logs.values()].map(({ log }) => log.close()))
      await Promise.allSettled(manager.#directories.map((directory) => directory.release()))
      throw error
    }
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(partitionDirectoryName(topic, partition))?.log
  }

  /** Every partition there is, in no particular order. */
  partitions(): IterableIterator<ManagedLog> {
    return this.#logs.values()
  }

  /** The data directories that can be used. */
  get directories(): readonly LogDirectory[] {
    return this.#directories
  }

  /** Those that cannot be used until the next start. */
  get failedDirectories(): readonly FailedDirectory[] {
    return this.#failed
  }

  /** Whether partitions may be missing only because their data directory cannot be used. */
  get hasFailedDirectory(): boolean {
    return this.#failed.length > 0
  }

  /** Those that the checkpoints know of, though no data directory has them any more. */
  missing(): MissingPartition[] {
    return this.#directories.flatMap((directory) => directory.missing())
  }

  /** Called when a data directory fails, after its partitions have been taken out of the manager. */
  onDirectoryFailure(listener: (failure: DirectoryFailure) => void): void {
    this.#failureListeners.push(listener)
  }

  /** Whether the last holder of the directories ended in order. */
  get wasCleanShutdown(): boolean {
    return this.#directories.every((directory) => directory.wasCleanShutdown)
  }

  /** Bytes of segment indexes kept in memory for segments that are no longer appended to. */
  get indexCacheBytes(): number {
    return this.#indexCache.sizeInBytes
  }

  /** All data directories, in the order of the options. */
  async describeDirectories(): Promise<LogDirectoryDescription[]> {
    const usable = this.#directories.map((directory) => describeDirectory(this.#disk, directory))
    const failed = this.#failed.map(({ path, error }) => {
      return { path, error, totalBytes: -1, usableBytes: -1, partitions: [] }
    })
    const all = [...(await Promise.all(usable)), ...failed]
    const order = this.#options.directories
    return all.sort((a, b) => order.indexOf(a.path) - order.indexOf(b.path))
  }

  /**
   * Makes the partition's log, durably, in the directory with the fewest; an existing one is
   * returned as it is.
   */
  async create(
    topic: string,
    partition: number,
    config: LogConfig = this.#config,
    topicId?: string,
  ): Promise<PartitionLog> {
    this.#mustBeOpen()
    const name = partitionDirectoryName(topic, partition)
    const existing = this.#logs.get(name)
    if (existing) return existing.log
    const underWay = this.#creating.get(name)
    if (underWay) return await underWay
    const creating = this.#create({ topic, partition }, config, topicId)
    this.#creating.set(name, creating)
    try {
      return await creating
    } finally {
      this.#creating.delete(name)
    }
  }

  /**
   * Removes the partitions of a deleted topic from the disk, and nothing of another topic with the same name.
   * After a failure, or after a restart, another call goes on where the last one ended; until one has succeeded,
   * no topic may be created under the name. What lies in a failed data directory stays there.
   */
  async delete({ name: topic, id: topicId, partitions }: DeletedTopic): Promise<void> {
    this.#mustBeOpen()
    const isForeign = this.#options.isForeign ?? (() => true)
    const owns = (id: string | undefined) =>
      id === topicId || (id === undefined && isForeign(topic, undefined))
    const logs = await this.#takeOut(topic, owns)
    // Else a topic that gets the name later would begin with partitions that are missing.
    for (const partition of this.missing()) {
      if (partition.topic === topic && owns(partition.topicId)) this.#forgetMissing(partition)
    }
    const isWhole = logs.length === partitions && !this.#halfRemoved.has(topicId)
    this.#halfRemoved.add(topicId)
    await this.#eachDirectory(async (directory) => {
      const known = logs.filter((managed) => managed.directory === directory).map(nameOf)
      const removal = { topic, topicId, partitions, owns }
      if (!isWhole || known.length > 0) {
        await directory.removeTopic(removal, isWhole ? known : undefined)
      }
    })
    this.#halfRemoved.delete(topicId)
  }

  /** Nobody can reach these logs any more. */
  async #takeOut(topic: string, owns: (id: string | undefined) => boolean): Promise<ManagedLog[]> {
    const taken: ManagedLog[] = []
    for (const [name, managed] of this.#logs) {
      if (managed.topic !== topic || !owns(managed.topicId)) continue
      this.#logs.delete(name)
      managed.directory.logs.delete(name)
      taken.push(managed)
    }
    await inParallel(taken, async ({ log, directory }) => {
      // A file that could not be closed keeps no other from being removed.
      await log.retire().catch((error: unknown) => directory.health.noticed(error))
    })
    return taken
  }

  /** Releases the reserve of a data directory; whether it is released now (diskSpace.ts). */
  async makeRoom(path: string): Promise<boolean> {
    const directory = this.#directories.find((each) => each.path === path)
    return (await directory?.space.makeRoom()) ?? false
  }

  /** Lets every log save what a restart needs, then writes the recovery points. */
  checkpoint(): Promise<void> {
    // One that failed, for lack of space perhaps, was told of to its caller.
    const before = this.#checkpointing.catch(() => {})
    this.#checkpointing = before.then(async () => {
      // Most of thousands of logs have got nothing since the last time.
      const behind = [...this.#logs.values()].filter(
        ({ log }) => log.recoveryPoint !== log.logEndOffset,
      )
      await inParallel(behind, ({ log }) => log.checkpoint())
      await this.#eachDirectory(async (directory) => {
        await directory.saveRecoveryPoints()
        await directory.saveHighWatermarks()
        await directory.noteRestingLogs()
      })
    })
    return this.#checkpointing
  }

  /** Deletes in every log what its retention says. */
  async applyRetention(): Promise<void> {
    await inParallel([...this.#logs.values()], async ({ topic, partition, log }) => {
      try {
        await log.applyRetention()
      } catch (error) {
        this.#options.logger.error({ error, topic, partition }, 'old segments could not be deleted')
      }
    })
  }

  /** Syncs and closes every log, notes the orderly end, and gives the directories back. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await Promise.allSettled(this.#tasks.map((task) => task.stop()))
    await Promise.allSettled([this.#checkpointing, ...this.#creating.values()])
    const closing = inParallel([...this.#logs.values()], ({ log }) => log.close())
    const [closed] = await Promise.allSettled([closing])
    const isOrderly = closed.status === 'fulfilled'
    await this.#eachDirectory((directory) => directory.close(isOrderly))
    await Promise.all(this.#leaving)
    await Promise.allSettled(this.#abandoned.map((directory) => directory.release()))
    await closing
  }

  async #eachDirectory(task: (directory: LogDirectory) => Promise<void>): Promise<void> {
    await inParallel([...this.#directories], (directory) => unlessFailed(directory, task))
  }

  /** Takes the directory and all that lies in it out of use, at once. */
  #directoryFailed(directory: LogDirectory, error: LogError): void {
    const { path, logs, arriving } = directory
    const at = this.#directories.indexOf(directory)
    // Not in use yet: opening it fails.
    if (at < 0) return
    this.#directories.splice(at, 1)
    this.#abandoned.push(directory)
    this.#failed.push({ path, error, sinceMs: this.#options.clock.nowMs() })
    this.#options.logger.error({ error, partitions: logs.size }, 'a data directory has failed')
    for (const [name, { log }] of logs) {
      this.#logs.delete(name)
      this.#leaving.push(log.abandon(error).catch(() => {}))
    }
    const unborn = [...arriving].map((name) => ({
      ...parsePartitionDirectory(name)!,
      topicId: undefined,
    }))
    const failure = { path, error, partitions: [...logs.values(), ...unborn] }
    for (const listener of this.#failureListeners) listener(failure)
  }

  async #openDirectory(path: string): Promise<void> {
    const { clock, scheduler, logger, identity, journal, random, reservedBytes = 0 } = this.#options
    try {
      const failed = (directory: LogDirectory, error: LogError) =>
        this.#directoryFailed(directory, error)
      const place = { disk: this.#disk, path, identity, journal, random, reservedBytes }
      this.#directories.push(
        await LogDirectory.open({ ...place, clock, scheduler, logger, failed }),
      )
    } catch (cause) {
      // These are mistakes of whoever started the broker, not failures of the disk.
      if (cause instanceof DirectoryInUseError || cause instanceof LogError) throw cause
      const error = directoryFailed(path, cause)
      this.#failed.push({ path, error, sinceMs: clock.nowMs() })
      logger.error({ error }, 'a data directory cannot be used')
    }
  }

  async #openLogs(): Promise<void> {
    const configs = new Map<string, LogConfig>()
    const configOf = (topic: string) => {
      const known = configs.get(topic)
      if (known) return known
      const config = this.#options.configOf?.(topic) ?? this.#config
      configs.set(topic, config)
      return config
    }
    for (const directory of [...this.#directories]) {
      await unlessFailed(directory, () => this.#openLogsIn(directory, configOf))
    }
    this.#mustHaveDirectory()
    // Somebody may have moved a partition from one data directory to another.
    for (const partition of this.missing()) {
      if (this.#logs.has(nameOf(partition))) this.#forgetMissing(partition)
    }
  }

  #forgetMissing(partition: TopicPartition): void {
    for (const directory of this.#directories) directory.forgetMissing(partition)
  }

  async #openLogsIn(
    directory: LogDirectory,
    configOf: (topic: string) => LogConfig,
  ): Promise<void> {
    const found = await directory.findPartitions()
    await inParallel(found, (topicPartition) =>
      this.#openExisting(topicPartition, configOf(topicPartition.topic), directory),
    )
    await directory.saveRecoveryPoints()
  }

  #mustHaveDirectory(): void {
    const lastFailed = this.#failed.at(-1)
    if (this.#directories.length === 0 && lastFailed) throw lastFailed.error
  }

  #mustBeNew({ topic, partition }: TopicPartition, { path }: LogDirectory): void {
    const other = this.#logs.get(partitionDirectoryName(topic, partition))
    if (!other) return
    throw new LogError(
      'LOG_PARTITION_TWICE',
      `${topic}-${partition} is in ${other.directory.path} and in ${path}: look which one is ` +
        'complete, move the other one away, and start again',
    )
  }

  async #openExisting(
    found: FoundPartition,
    config: LogConfig,
    directory: LogDirectory,
  ): Promise<void> {
    const { topic, partition, modifiedMs } = found
    const name = nameOf(found)
    const inherited = await directory.takeInheritance(name, modifiedMs)
    const topicId = inherited.resting
      ? inherited.resting.topicId
      : await readTopicId(this.#disk, join(directory.path, name))
    if (this.#options.isForeign?.(topic, topicId)) {
      const { path } = directory
      this.#options.logger.warn(
        { path, name, topicId },
        'a partition of another topic is not opened',
      )
      return
    }
    this.#mustBeNew(found, directory)
    await this.#openLog({ topic, partition }, config, topicId, directory, inherited)
  }

  async #create(
    topicPartition: TopicPartition,
    config: LogConfig,
    topicId: string | undefined,
  ): Promise<PartitionLog> {
    const directory = this.#emptiestDirectory()
    const name = nameOf(topicPartition)
    directory.arriving.add(name)
    try {
      await makeNewPartition(this.#disk, join(directory.path, name), topicId)
      // What the last holder knew of one of this name means nothing any more.
      await directory.takeInheritance(name)
      const inherited = { wasClosed: true, resting: newLog }
      return await this.#openLog(topicPartition, config, topicId, directory, inherited)
    } catch (cause) {
      directory.health.noticed(cause)
      throw directory.health.failure ?? creationFailed(join(directory.path, name), cause)
    } finally {
      directory.arriving.delete(name)
    }
  }

  #emptiestDirectory(): LogDirectory {
    this.#mustHaveDirectory()
    const count = ({ logs, arriving }: LogDirectory) => logs.size + arriving.size
    return this.#directories.reduce((best, next) => (count(next) < count(best) ? next : best))
  }

  async #openLog(
    topicPartition: TopicPartition,
    config: LogConfig,
    topicId: string | undefined,
    directory: LogDirectory,
    inherited: Partial<Inherited>,
  ): Promise<PartitionLog> {
    const { disk, clock, scheduler, logger, random } = this.#options
    const name = nameOf(topicPartition)
    const log = await PartitionLog.open({
      disk,
      clock,
      scheduler,
      logger,
      random,
      directory: join(directory.path, name),
      config,
      ...inherited,
      indexCache: this.#indexCache,
      journal: directory.journal,
      space: directory.space,
      figures: directory.figures,
      noticed: directory.health.noticed,
      saveRecoveryPoint: directory.saveRecoveryPoints,
      saveLogStartOffset: directory.saveLogStartOffsets,
    })
    const { failure } = directory.health
    if (failure) {
      this.#leaving.push(log.abandon(failure).catch(() => {}))
      throw failure
    }
    const managed = { ...topicPartition, topicId, log, directory }
    directory.logs.set(name, managed)
    this.#logs.set(name, managed)
    return log
  }

  #startTasks(): void {
    const {
      checkpointIntervalMs = defaultCheckpointIntervalMs,
      initialTaskDelayMs = defaultInitialTaskDelayMs,
      retentionCheckIntervalMs = defaultRetentionCheckIntervalMs,
    } = this.#options
    const checkpoints = [checkpointIntervalMs, checkpointIntervalMs] as const
    const retentions = [initialTaskDelayMs, retentionCheckIntervalMs] as const
    const spaces = [firstSpaceCheckMs, spaceCheckIntervalMs] as const
    this.#repeat('checkpoints', checkpoints, () => this.checkpoint())
    this.#repeat('retention', retentions, () => this.applyRetention())
    this.#repeat('free space', spaces, () => this.checkSpace())
  }

  #repeat(
    what: string,
    [delayMs, intervalMs]: readonly [number, number],
    task: () => Promise<void>,
  ): void {
    const { clock, logger } = this.#options
    const fails = new LastingCondition({
      ...{ clock, logger, level: 'error' },
      over: `log maintenance works again: ${what}`,
    })
    const run = async () => {
      await task()
      fails.over()
    }
    const failed = (error: unknown) => {
      fails.met({ error, retryMs: intervalMs }, `log maintenance failed: ${what}; retried`)
    }
    this.#tasks.push(new PeriodicTask({ clock, delayMs, intervalMs, run, failed }))
  }

  /** Looks how much room the data directories have: what was refused for want of room is taken again. */
  async checkSpace(): Promise<void> {
    await this.#eachDirectory(async (directory) => {
      const { health, space, logs } = directory
      await health.check()
      if (health.failure) return
      await directory.removeLeftovers()
      await space.check()
      await space.restoreReserve()
      const full = [...logs.values()].filter(({ log }) => isPassing(log.offline))
      await inParallel(full, ({ log }) => log.regainSpace())
    })
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new LogError('LOG_CLOSED', 'the logs of this broker are closed')
  }
}

/** What fails with the whole directory is told of by that. */
async function unlessFailed(
  directory: LogDirectory,
  task: (directory: LogDirectory) => Promise<void>,
): Promise<void> {
  await directory.health
    .watch(() => task(directory))
    .catch((error: unknown) => {
      if (!directory.health.failure) throw error
    })
}

function nameOf({ topic, partition }: TopicPartition): string {
  return partitionDirectoryName(topic, partition)
}
