// All partitions of one data directory: takes the directory for this process, opens what is in it,
// creates and deletes, and writes down from time to time how much need not be looked at again. It
// knows nothing of topics beyond their names; who may create one is decided elsewhere.

import { dirname, join } from 'node:path'
import type { Clock, Timer } from '../../protocol/runtime/clock.ts'
import type { Disk, DiskLock } from '../../protocol/runtime/disk.ts'
import type { Random } from '../../protocol/runtime/random.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import {
  claimDirectory,
  type DirectoryIdentity,
  decodePartitionMetadata,
  encodePartitionMetadata,
  isRemovedDirectory,
  parsePartitionDirectory,
  partitionDirectoryName,
  readRecoveryPoints,
  type TopicPartition,
  takeCleanShutdown,
  writeCleanShutdown,
  writeRecoveryPoints,
} from './dataDirectory.ts'
import { IndexCache } from './indexCache.ts'
import { CommitJournal } from './journal/commitJournal.ts'
import { defaultLogConfig, type LogConfig } from './logConfig.ts'
import { LogError } from './logError.ts'
import { PartitionLog } from './partitionLog.ts'
import { partitionMetadataFileName } from './segmentFiles.ts'

export interface LogManagerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  /** The data directory; created when it is missing. */
  readonly directory: string
  /** What logs have that are found on the disk, or are created without a configuration. */
  readonly config?: LogConfig
  /** For logs found on the disk: what their topic has set. Without it, `config` for all. */
  readonly configOf?: (topic: string) => LogConfig
  /** Written to meta.properties; an existing directory with another one is refused. */
  readonly identity?: DirectoryIdentity
  /** Lets partitions share syncs through a commit journal; without it, each log syncs its own. */
  readonly journal?: { readonly random: Random; readonly fileBytes: number } | undefined
  /** log.flush.offset.checkpoint.interval.ms */
  readonly checkpointIntervalMs?: number
}

/** A partition and its log. */
export interface ManagedLog extends TopicPartition {
  /** Undefined when the partition was created without one. */
  readonly topicId: string | undefined
  readonly log: PartitionLog
}

/** How many partitions are opened, checkpointed or closed at the same time. */
const parallelPartitions = 8
const defaultCheckpointIntervalMs = 60_000

export class LogManager {
  readonly directory: string
  /** Whether the last holder of the directory ended in order. */
  readonly wasCleanShutdown: boolean
  readonly #options: LogManagerOptions
  readonly #disk: Disk
  readonly #lock: DiskLock
  readonly #config: LogConfig
  readonly #indexCache = new IndexCache()
  #journal: CommitJournal | undefined
  readonly #recoveryPoints: Map<string, number>
  readonly #logs = new Map<string, ManagedLog>()
  readonly #creating = new Map<string, Promise<PartitionLog>>()
  #timer: Timer | undefined
  #checkpointing: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(
    options: LogManagerOptions,
    lock: DiskLock,
    wasCleanShutdown: boolean,
    recoveryPoints: Map<string, number>,
  ) {
    this.#options = options
    this.directory = options.directory
    this.#disk = options.disk
    this.#config = options.config ?? defaultLogConfig
    this.#lock = lock
    this.wasCleanShutdown = wasCleanShutdown
    this.#recoveryPoints = recoveryPoints
  }

  /**
   * Throws DirectoryInUseError when another process has the directory, and LogError when it belongs
   * to another broker. A damaged partition is opened, offline (`PartitionLog.offline`).
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const { disk, directory } = options
    await disk.makeDirectory(directory)
    await disk.syncDirectory(dirname(directory))
    const lock = await disk.lock(directory)
    try {
      if (options.identity) await claimDirectory(disk, directory, options.identity)
      const recoveryPoints = await readRecoveryPoints(disk, directory)
      const clean = await takeCleanShutdown(disk, directory)
      const manager = new LogManager(options, lock, clean, recoveryPoints)
      await manager.#openJournal()
      await manager.#openAll()
      return manager
    } catch (error) {
      await lock.release()
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

  /** Bytes of segment indexes kept in memory for segments that are no longer appended to. */
  get indexCacheBytes(): number {
    return this.#indexCache.sizeInBytes
  }

  /** Makes the partition's log, durably; an existing one is returned as it is. */
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

  /** Removes all partitions of the topic from the disk; nothing happens when there are none. */
  async delete(topic: string): Promise<void> {
    this.#mustBeOpen()
    const found = [...this.#logs].filter(([, managed]) => managed.topic === topic)
    for (const [name] of found) this.#logs.delete(name)
    // First, so that a topic created again under this name does not inherit a recovery point.
    if (found.length > 0) await this.#writeRecoveryPoints()
    await inParallel(found, ([, { log }]) => log.delete())
  }

  /** Lets every log save what a restart needs, then writes the recovery points. */
  checkpoint(): Promise<void> {
    this.#checkpointing = this.#checkpointing.then(async () => {
      await inParallel([...this.#logs.values()], ({ log }) => log.checkpoint())
      await this.#writeRecoveryPoints()
    })
    return this.#checkpointing
  }

  /** Syncs and closes every log, notes the orderly end, and gives the directory back. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    try {
      await Promise.allSettled([this.#checkpointing, ...this.#creating.values()])
      const all = [...this.#logs.values()]
      await inParallel(all, ({ log }) => log.close())
      await this.#writeRecoveryPoints()
      await this.#journal?.close()
      if (all.every(({ log }) => log.offline === undefined)) {
        await writeCleanShutdown(this.#disk, this.directory)
      }
    } finally {
      await this.#lock.release()
    }
  }

  /** Before any log is opened: what a crash has left in the journal belongs to them. */
  async #openJournal(): Promise<void> {
    const { disk, logger, journal } = this.#options
    if (!journal) return
    this.#journal = await CommitJournal.open({
      ...journal,
      disk,
      logger,
      directory: this.directory,
      recoveryPointOf: (name) => this.#recoveryPoints.get(name) ?? 0,
    })
  }

  async #openAll(): Promise<void> {
    const names = await this.#disk.list(this.directory)
    for (const name of names.filter(isRemovedDirectory)) {
      await this.#disk.remove(join(this.directory, name))
    }
    // What a killed process made here may not be durable yet, and will be relied upon.
    await this.#disk.syncDirectory(this.directory)
    const found: TopicPartition[] = []
    for (const name of names) {
      const topicPartition = parsePartitionDirectory(name)
      if (topicPartition && (await this.#isDirectory(name))) found.push(topicPartition)
    }
    try {
      await inParallel(found, (topicPartition) => this.#openExisting(topicPartition))
      await this.#writeRecoveryPoints()
    } catch (error) {
      await Promise.allSettled([...this.#logs.values()].map(({ log }) => log.close()))
      throw error
    }
    this.#scheduleCheckpoint()
  }

  async #isDirectory(name: string): Promise<boolean> {
    return (await this.#disk.stat(join(this.directory, name)))?.isDirectory ?? false
  }

  async #openExisting(topicPartition: TopicPartition): Promise<void> {
    const config = this.#options.configOf?.(topicPartition.topic) ?? this.#config
    const name = partitionDirectoryName(topicPartition.topic, topicPartition.partition)
    const path = join(this.directory, name, partitionMetadataFileName)
    const metadata = await this.#disk.readFile(path)
    await this.#openLog(topicPartition, config, metadata && decodePartitionMetadata(metadata))
  }

  async #create(
    topicPartition: TopicPartition,
    config: LogConfig,
    topicId: string | undefined,
  ): Promise<PartitionLog> {
    const { topic, partition } = topicPartition
    const path = join(this.directory, partitionDirectoryName(topic, partition))
    await this.#disk.makeDirectory(path)
    if (topicId !== undefined) {
      const metadata = encodePartitionMetadata(topicId)
      await this.#disk.writeFileAtomic(join(path, partitionMetadataFileName), metadata)
    }
    const log = await this.#openLog(topicPartition, config, topicId)
    await this.#disk.syncDirectory(this.directory)
    return log
  }

  async #openLog(
    topicPartition: TopicPartition,
    config: LogConfig,
    topicId: string | undefined,
  ): Promise<PartitionLog> {
    const { disk, clock, logger } = this.#options
    const name = partitionDirectoryName(topicPartition.topic, topicPartition.partition)
    const log = await PartitionLog.open({
      disk,
      clock,
      logger,
      directory: join(this.directory, name),
      config,
      recoveryPoint: this.#recoveryPoints.get(name) ?? 0,
      indexCache: this.#indexCache,
      journal: this.#journal,
      lowerRecoveryPoint: (offset) => this.#lowerRecoveryPoint(name, offset),
    })
    this.#logs.set(name, { ...topicPartition, topicId, log })
    return log
  }

  async #lowerRecoveryPoint(name: string, offset: number): Promise<void> {
    this.#recoveryPoints.set(name, offset)
    const points = [...this.#logs].map(([other, { topic, partition, log }]) => ({
      topic,
      partition,
      offset: other === name ? offset : log.recoveryPoint,
    }))
    await writeRecoveryPoints(this.#disk, this.directory, points)
  }

  async #writeRecoveryPoints(): Promise<void> {
    let changed = this.#recoveryPoints.size !== this.#logs.size
    for (const [name, { log }] of this.#logs) {
      if (this.#recoveryPoints.get(name) !== log.recoveryPoint) changed = true
    }
    if (!changed) return
    const points = [...this.#logs.values()].map(({ topic, partition, log }) => {
      return { topic, partition, offset: log.recoveryPoint }
    })
    await writeRecoveryPoints(this.#disk, this.directory, points)
    this.#recoveryPoints.clear()
    for (const { topic, partition, offset } of points) {
      this.#recoveryPoints.set(partitionDirectoryName(topic, partition), offset)
    }
  }

  #scheduleCheckpoint(): void {
    const delayMs = this.#options.checkpointIntervalMs ?? defaultCheckpointIntervalMs
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.checkpoint()
        .catch((error: unknown) => {
          this.#options.logger.error({ error }, 'the recovery points could not be written')
        })
        .finally(() => {
          if (!this.#isClosed) this.#scheduleCheckpoint()
        })
    })
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new LogError('LOG_CLOSED', `${this.directory} is closed`)
  }
}

/** Runs `work` on every item, a few at a time; the first failure ends it. */
async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: Math.min(parallelPartitions, items.length) }, worker))
}
