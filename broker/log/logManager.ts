// All logs of a broker: opens those in the data directories, creates and deletes them, and closes
// them cleanly. Composes LogDirectories (which directories are usable) and LogMaintenance (periodic
// work). Knows topics only by name and id; who may create one is decided elsewhere.

import { join } from 'node:path'
import { PartitionMap } from '../../protocol/kafka/partitionMap.ts'
import type { TopicPartition } from '../../protocol/kafka/topicPartition.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { type DirectoryIdentity, partitionDirectoryName } from './directory/dataDirectory.ts'
import type { LogDirectoryDescription } from './directory/directoryDescription.ts'
import {
  type DirectoryFailure,
  type FailedDirectory,
  LogDirectories,
  unlessFailed,
} from './directory/logDirectories.ts'
import type {
  FoundPartition,
  Inherited,
  LogDirectory,
  ManagedLog,
  MissingPartition,
} from './directory/logDirectory.ts'
import { makeNewPartition, readTopicId } from './directory/partitionDirectory.ts'
import { removeUnusedTwins } from './directory/partitionTwins.ts'
import { defaultLogConfig, type LogConfig } from './logConfig.ts'
import { creationFailed, LogError } from './logError.ts'
import { LogMaintenance, type MaintenanceIntervals } from './logMaintenance.ts'
import { inParallel } from './maintenance/inParallel.ts'
import { PartitionLog } from './partitionLog.ts'
import { newLog } from './recovery/resumedLog.ts'
import { IndexCache } from './segment/indexes/indexCache.ts'
import { WriteBehind } from './segment/writeBehind.ts'

export type { DirectoryFailure, FailedDirectory } from './directory/logDirectories.ts'
export type { ManagedLog } from './directory/logDirectory.ts'

export interface LogManagerOptions extends MaintenanceIntervals {
  readonly disk: Disk
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Given by simulators only. */
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  /** log.dirs: the data directories, at least one; created if they do not exist. */
  readonly directories: readonly string[]
  /** Configuration of logs that are found, or created without one. */
  readonly config?: LogConfig
  /** Configuration of logs that are found, by topic. Without it, `config` for all. */
  readonly configOf?: (topic: string) => LogConfig
  /**
   * For logs that are found: whether the directory belongs to a topic other than the one that has
   * the name now, by the topic id in its partition.metadata. Such a log is not opened. Without it,
   * all logs are opened.
   */
  readonly isForeign?: (topic: string, topicId: string | undefined) => boolean
  /** Written to meta.properties; a directory with another identity is refused. */
  readonly identity?: DirectoryIdentity
  /** For segment.jitter.ms; no jitter without it. */
  readonly random?: Random
  /**
   * Lets partitions share syncs through a commit journal; without it, each log syncs its own
   * segments.
   */
  readonly journal?: { readonly random: Random; readonly fileBytes: number } | undefined
  /** log.dir.reserved.bytes: with less free space than this, clients' records are refused. */
  readonly reservedBytes?: number
}

export interface DeletedTopic {
  readonly name: string
  readonly id: string
  /** Limit on the number of its partitions. */
  readonly partitions: number
}

export class LogManager {
  readonly #options: LogManagerOptions
  readonly #indexCache: IndexCache
  readonly #logs = new PartitionMap<ManagedLog>()
  readonly #directories: LogDirectories
  readonly #maintenance: LogMaintenance
  /** By the name of the partition's directory. */
  readonly #creating = new Map<string, Promise<PartitionLog>>()
  /** Ids of topics whose deletion has started and not succeeded yet. */
  readonly #halfRemoved = new Set<string>()
  #isClosed = false

  private constructor(options: LogManagerOptions, indexCache: IndexCache) {
    const { disk, clock, scheduler, logger, identity, journal, random } = options
    const { reservedBytes = 0, directories: paths, rarePoints } = options
    const logs = this.#logs
    this.#options = options
    this.#indexCache = indexCache
    this.#directories = new LogDirectories({
      ...{ disk, clock, scheduler, logger, identity, journal, random, reservedBytes, paths, logs },
      rarePoints,
    })
    this.#maintenance = new LogMaintenance({ ...options, logs, directories: this.#directories })
  }

  /**
   * Throws DirectoryInUseError if another process uses one of the directories, and LogError if one
   * belongs to another broker, or none can be used. Continues without a directory that fails
   * (`describeDirectories`). A damaged log is opened offline (`PartitionLog.offline`).
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    // The other half is for connections.
    const maxOpenFiles = Math.floor((await options.disk.maxOpenFiles()) / 2)
    const { clock, journal, rarePoints } = options
    const writeBehind = journal && new WriteBehind(clock, { rarePoints })
    const cache = new IndexCache({ maxOpenFiles, writeBehind, rarePoints })
    const manager = new LogManager(options, cache)
    try {
      await manager.#directories.open()
      await manager.#openLogs()
      manager.#maintenance.start()
      return manager
    } catch (error) {
      await Promise.allSettled([...manager.#logs.values()].map(({ log }) => log.close()))
      await manager.#directories.release()
      throw error
    }
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(topic, partition)?.log
  }

  /** All open logs, in no particular order. */
  partitions(): IterableIterator<ManagedLog> {
    return this.#logs.values()
  }

  /** The data directories in use. */
  get directories(): readonly LogDirectory[] {
    return this.#directories.usable
  }

  /** The data directories that cannot be used until the next start. */
  get failedDirectories(): readonly FailedDirectory[] {
    return this.#directories.failed
  }

  /** Whether partitions may be missing because their data directory cannot be used. */
  get hasFailedDirectory(): boolean {
    return this.#directories.failed.length > 0
  }

  /** Partitions that the checkpoints list, and that no data directory has. */
  missing(): MissingPartition[] {
    return this.#directories.missing()
  }

  /** Called when a data directory fails, after its logs were taken out of use. */
  onDirectoryFailure(listener: (failure: DirectoryFailure) => void): void {
    this.#directories.onFailure(listener)
  }

  /** Whether the directories were closed cleanly when they were last in use. */
  get wasCleanShutdown(): boolean {
    return this.directories.every((directory) => directory.wasCleanShutdown)
  }

  /** Bytes of indexes cached for sealed segments. */
  get indexCacheBytes(): number {
    return this.#indexCache.sizeInBytes
  }

  /** Bytes of memory for appends that are durable and not yet written to their segments. */
  get stagedBytes(): number {
    return this.#indexCache.writeBehind?.usedBytes ?? 0
  }

  /** All data directories, in the order of the options. */
  describeDirectories(): Promise<LogDirectoryDescription[]> {
    return this.#directories.describe()
  }

  /**
   * Creates the log of a partition, durably, in the data directory with the fewest partitions.
   * Returns the open log if there is one.
   */
  async create(
    topic: string,
    partition: number,
    config: LogConfig = this.#config,
    topicId?: string,
  ): Promise<PartitionLog> {
    this.#mustBeOpen()
    const existing = this.get(topic, partition)
    if (existing) return existing
    const name = partitionDirectoryName(topic, partition)
    const pending = this.#creating.get(name)
    if (pending) return await pending
    const creating = this.#create({ topic, partition }, config, topicId)
    this.#creating.set(name, creating)
    try {
      return await creating
    } finally {
      this.#creating.delete(name)
    }
  }

  /**
   * Removes the partitions of a deleted topic from the disk, but not those of another topic with
   * the same name. After a failure, or a restart, another call continues where the last one ended;
   * until one succeeds, no topic may be created under the name. Partitions in a failed data
   * directory stay there.
   */
  async delete({ name: topic, id: topicId, partitions }: DeletedTopic): Promise<void> {
    this.#mustBeOpen()
    const isForeign = this.#options.isForeign ?? (() => true)
    const owns = (id: string | undefined) =>
      id === topicId || (id === undefined && isForeign(topic, undefined))
    const logs = await this.#takeOut(topic, owns)
    // Otherwise a later topic with the name would begin with missing partitions.
    for (const partition of this.missing()) {
      const isTopics = partition.topic === topic && owns(partition.topicId)
      if (isTopics) this.#directories.forgetMissing(partition)
    }
    const isWhole = logs.length === partitions && !this.#halfRemoved.has(topicId)
    this.#halfRemoved.add(topicId)
    await this.#directories.each(async (directory) => {
      const known = logs.filter((managed) => managed.directory === directory).map(nameOf)
      const removal = { topic, topicId, partitions, owns }
      if (!isWhole || known.length > 0) {
        await directory.removeTopic(removal, isWhole ? known : undefined)
      }
    })
    this.#halfRemoved.delete(topicId)
  }

  /**
   * Releases the reserve of a data directory. Returns whether it is released now (diskSpace.ts).
   */
  async makeRoom(path: string): Promise<boolean> {
    const directory = this.directories.find((each) => each.path === path)
    return (await directory?.space.makeRoom()) ?? false
  }

  /** Advances the recovery point of every log and writes the checkpoints. */
  checkpoint(): Promise<void> {
    return this.#maintenance.checkpoint()
  }

  /** Deletes the segments that the retention of each log no longer keeps. */
  applyRetention(): Promise<void> {
    return this.#maintenance.applyRetention()
  }

  /**
   * Checks the free space of the data directories. Logs that were stopped by a full disk are
   * resumed.
   */
  checkSpace(): Promise<void> {
    return this.#maintenance.checkSpace()
  }

  /** Syncs and closes all logs, writes the checkpoints, and releases the directories. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#maintenance.stop()
    await Promise.allSettled(this.#creating.values())
    const closing = inParallel([...this.#logs.values()], ({ log }) => log.close())
    const [closed] = await Promise.allSettled([closing])
    await this.#directories.close(closed.status === 'fulfilled')
    await closing
  }

  get #config(): LogConfig {
    return this.#options.config ?? defaultLogConfig
  }

  /** Closes the logs of a topic and removes them from the open logs immediately. */
  async #takeOut(topic: string, owns: (id: string | undefined) => boolean): Promise<ManagedLog[]> {
    const taken = [...this.#logs.ofTopic(topic).values()].filter(({ topicId }) => owns(topicId))
    for (const managed of taken) {
      this.#logs.delete(managed.topic, managed.partition)
      managed.directory.logs.delete(nameOf(managed))
    }
    await inParallel(taken, async ({ log, directory }) => {
      // A file that cannot be closed does not prevent the removal of the others.
      await log.retire().catch((error: unknown) => directory.health.report(error))
    })
    return taken
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
    const paths = this.directories.map(({ path }) => path)
    await removeUnusedTwins(this.#options.disk, paths, this.#options.logger)
    for (const directory of [...this.directories]) {
      await unlessFailed(directory, () => this.#openLogsIn(directory, configOf))
    }
    this.#directories.mustHaveOne()
    // A partition may have been moved from one data directory to another.
    for (const partition of this.missing()) {
      const isOpen = this.get(partition.topic, partition.partition) !== undefined
      if (isOpen) this.#directories.forgetMissing(partition)
    }
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

  #mustBeNew({ topic, partition }: TopicPartition, { path }: LogDirectory): void {
    const other = this.#logs.get(topic, partition)
    if (!other) return
    throw new LogError(
      'LOG_PARTITION_TWICE',
      `${topic}-${partition} exists both in ${other.directory.path} and in ${path}: find out which one is ` +
        'complete, move the other one away, then restart the broker',
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
      : await readTopicId(this.#options.disk, join(directory.path, name))
    if (this.#options.isForeign?.(topic, topicId)) {
      const { path } = directory
      this.#options.logger.warn(
        { path, name, topicId },
        'the log of another topic with the same name is not opened',
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
    const name = nameOf(topicPartition)
    const { begunIn, occupied } = await this.#directories.placesFor(name, topicId)
    const directory = begunIn ?? this.#directories.emptiest(occupied)
    directory.arriving.add(name)
    try {
      await makeNewPartition(this.#options.disk, join(directory.path, name), topicId)
      // The checkpoints may list an earlier partition with the name.
      await directory.takeInheritance(name)
      const inherited = { wasClosed: true, resting: newLog }
      return await this.#openLog(topicPartition, config, topicId, directory, inherited)
    } catch (cause) {
      directory.health.report(cause)
      throw directory.health.failure ?? creationFailed(join(directory.path, name), cause)
    } finally {
      directory.arriving.delete(name)
    }
  }

  async #openLog(
    topicPartition: TopicPartition,
    config: LogConfig,
    topicId: string | undefined,
    directory: LogDirectory,
    inherited: Partial<Inherited>,
  ): Promise<PartitionLog> {
    const { disk, clock, scheduler, rarePoints, logger, random } = this.#options
    const name = nameOf(topicPartition)
    const log = await PartitionLog.open({
      disk,
      clock,
      scheduler,
      rarePoints,
      logger,
      random,
      directory: join(directory.path, name),
      config,
      ...inherited,
      indexCache: this.#indexCache,
      journal: directory.journal,
      space: directory.space,
      figures: directory.figures,
      onFailure: directory.health.report,
      saveRecoveryPoint: directory.saveRecoveryPoints,
      saveLogStartOffset: directory.saveLogStartOffsets,
    })
    const { failure } = directory.health
    if (failure) {
      this.#directories.abandon(log, failure)
      throw failure
    }
    const managed = { ...topicPartition, topicId, log, directory }
    directory.logs.set(name, managed)
    this.#logs.set(managed.topic, managed.partition, managed)
    return log
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new LogError('LOG_CLOSED', 'the logs of this broker are closed')
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return partitionDirectoryName(topic, partition)
}
