// One data directory: takes it for this process, says whose partitions lie in it, and keeps Kafka's
// small files beside them. The logs themselves are the manager's.

import { dirname, join } from 'node:path'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Disk, DiskLock } from '../../../protocol/runtime/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduler.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import { CommitJournal } from '../journal/commitJournal.ts'
import { isOutOfSpace, isPassing, type LogError, passingFailure } from '../logError.ts'
import { LogFigures } from '../logFigures.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import type { PartitionLog } from '../partitionLog.ts'
import type { RestingLog } from '../recovery/restingLog.ts'
import { CleanerCheckpoint, cleanerCheckpointFile } from './cleanerCheckpoint.ts'
import {
  claimDirectory,
  type DirectoryIdentity,
  highWatermarksFile,
  isRemovedDirectory,
  logStartOffsetsFile,
  parsePartitionDirectory,
  partitionDirectoryName,
  recoveryPointsFile,
  removedDirectoryName,
  removedSuffix,
  type TopicPartition,
  takeCleanShutdown,
  writeCleanShutdown,
} from './dataDirectory.ts'
import { DirectoryHealth, type DirectoryPlace } from './directoryHealth.ts'
import { releaseReserve } from './diskReserve.ts'
import { DiskSpace } from './diskSpace.ts'
import { OffsetCheckpoint, type PartitionOffset, readOffsetCheckpoint } from './offsetCheckpoint.ts'
import { readTopicId } from './partitionDirectory.ts'
import { RestingLogs } from './restingLogs.ts'

/** A partition and its log. */
export interface ManagedLog extends TopicPartition {
  /** Undefined when the partition was created without one. */
  readonly topicId: string | undefined
  readonly log: PartitionLog
  readonly directory: LogDirectory
}

export interface LogDirectoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly path: string
  readonly identity: DirectoryIdentity | undefined
  /** Lets partitions share syncs through a commit journal; without it, each log syncs its own. */
  readonly journal: { readonly random: Random; readonly fileBytes: number } | undefined
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Told when the directory cannot be used any more. */
  readonly failed: (directory: LogDirectory, failure: LogError) => void
  /** For what the reserve is filled with. */
  readonly random: Random | undefined
}

/** A partition whose directory is there. */
export interface FoundPartition extends TopicPartition {
  /** When a name in the directory changed for the last time. */
  readonly modifiedMs: number
}

/** A deleted topic whose partitions are to be removed. */
export interface TopicRemoval {
  readonly topic: string
  readonly topicId: string
  /** How many it has at most. */
  readonly partitions: number
  /** Whether a directory with the topic's name is the topic's, by the id noted in it. */
  readonly owns: (topicId: string | undefined) => boolean
}

/** What the last holder of the directory knew of one partition. */
export interface Inherited {
  readonly recoveryPoint: number
  readonly logStartOffset: number
  /** Undefined without an entry in the checkpoint. */
  readonly highWatermark: number | undefined
  readonly wasClosed: boolean
  /** Whether the checkpoints have the partition at all. */
  readonly isKnown: boolean
  readonly resting: RestingLog | undefined
  /** By their base offsets: synced since the directory was opened, and not written to since. */
  readonly syncedSegments: ReadonlySet<number> | undefined
}

/** A partition that was here when the directory was used last, and whose own directory is gone. */
export interface MissingPartition extends TopicPartition {
  readonly path: string
  /** Of the topic that it belonged to, if that was written down. */
  readonly topicId: string | undefined
  readonly recoveryPoint: number
}

/** What the last holder of the directory left for the next one. */
interface Inheritance {
  readonly place: DirectoryPlace
  readonly space: DiskSpace
  readonly id: string | undefined
  readonly wasClosed: boolean
  readonly restingLogs: RestingLogs
  /** By the names of the partitions' directories. */
  readonly recoveryPoints: Map<string, number>
  readonly logStartOffsets: Map<string, number>
  readonly highWatermarks: Map<string, number>
  readonly cleanedOffsets: Map<string, number>
  readonly journal: CommitJournal | undefined
  /**
   * What bringing records back from the journal has synced: base offsets, by the names of the partitions'
   * directories.
   */
  readonly syncedSegments: Map<string, Set<number>>
}

export class LogDirectory {
  readonly path: string
  /** Tells the directory from others, wherever it is mounted; undefined without an identity. */
  readonly id: string | undefined
  /** Whether the last holder of the directory ended in order. */
  readonly wasCleanShutdown: boolean
  readonly health: DirectoryHealth
  readonly space: DiskSpace
  readonly journal: CommitJournal | undefined
  readonly figures: LogFigures
  readonly cleanerCheckpoint: CleanerCheckpoint
  /** By the names of the partitions' directories. */
  readonly logs = new Map<string, ManagedLog>()
  /** The names of partitions that are being made here and are not among `logs` yet. */
  readonly arriving = new Set<string>()
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #lock: DiskLock
  /** The names of directories of deleted partitions that have been renamed and not been removed yet. */
  readonly #leftovers = new Set<string>()
  /** Those of them whose failure was logged. */
  readonly #reported = new Set<string>()
  readonly #inherited: Inheritance
  readonly #recoveryPoints: OffsetCheckpoint
  readonly #logStartOffsets: OffsetCheckpoint
  readonly #highWatermarks: OffsetCheckpoint

  private constructor(options: LogDirectoryOptions, lock: DiskLock, inherited: Inheritance) {
    const { disk, path } = options
    this.path = path
    this.id = inherited.id
    this.wasCleanShutdown = inherited.wasClosed
    this.journal = inherited.journal
    const failed = (failure: LogError) => {
      this.journal?.abandon(failure)
      options.failed(this, failure)
    }
    this.space = inherited.space
    this.health = new DirectoryHealth(disk, inherited.place, failed)
    this.figures = new LogFigures(options.clock)
    if (this.journal) {
      this.journal.noticed = this.health.noticed
      this.journal.figures = this.figures.journal
    }
    this.space.noticed = this.health.noticed
    this.cleanerCheckpoint = new CleanerCheckpoint(disk, path, inherited.cleanedOffsets, () =>
      this.partitions(),
    )
    this.#disk = disk
    this.#logger = options.logger
    this.#lock = lock
    this.#inherited = inherited
    this.#recoveryPoints = new OffsetCheckpoint(disk, join(path, recoveryPointsFile), () =>
      this.#offsets((log) => log.recoveryPoint, inherited.recoveryPoints),
    )
    this.#logStartOffsets = new OffsetCheckpoint(disk, join(path, logStartOffsetsFile), () =>
      this.#offsets((log) => log.savedStartOffset, inherited.logStartOffsets).filter(
        ({ offset }) => offset > 0,
      ),
    )
    this.#highWatermarks = new OffsetCheckpoint(disk, join(path, highWatermarksFile), () =>
      this.#offsets((log) => log.highWatermark, inherited.highWatermarks),
    )
  }

  /**
   * Throws DirectoryInUseError when another process has the directory, LogError when it belongs to
   * another broker, and whatever the disk says when it cannot be used. On a full disk the reserve is released
   * for it.
   */
  static async open(options: LogDirectoryOptions): Promise<LogDirectory> {
    try {
      return await LogDirectory.#open(options)
    } catch (error) {
      if (!isOutOfSpace(error) || !(await releaseReserve(options.disk, options.path))) throw error
      return await LogDirectory.#open(options)
    }
  }

  static async #open(options: LogDirectoryOptions): Promise<LogDirectory> {
    const { disk, clock, path, identity } = options
    await disk.makeDirectory(path)
    await disk.syncDirectory(dirname(path))
    const lock = await disk.lock(path)
    const space = new DiskSpace({ ...options, directory: path })
    try {
      await space.open()
      const id = identity && (await claimDirectory(disk, path, identity))
      const recoveryPoints = await readOffsetCheckpoint(disk, join(path, recoveryPointsFile))
      const wasClosed = await takeCleanShutdown(disk, path)
      const nowMs = () => clock.nowMs()
      const stat = await disk.stat(path)
      assert(stat !== undefined, 'a directory that is locked is there')
      const directory = new LogDirectory(options, lock, {
        place: { path, device: stat.device, inode: stat.inode },
        space,
        id,
        wasClosed,
        restingLogs: await RestingLogs.open(disk, path, nowMs, wasClosed),
        recoveryPoints,
        logStartOffsets: await readOffsetCheckpoint(disk, join(path, logStartOffsetsFile)),
        highWatermarks: await readOffsetCheckpoint(disk, join(path, highWatermarksFile)),
        cleanedOffsets: await readOffsetCheckpoint(disk, join(path, cleanerCheckpointFile)),
        // Last: its files would stay open if something after it failed.
        ...(await openJournal(options, recoveryPoints)),
      })
      return directory
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** The partitions that lie here and are open. */
  partitions(): IterableIterator<ManagedLog> {
    return this.logs.values()
  }

  /** The partitions that lie here. Removes what is left of deleted ones, or notes it for `removeLeftovers`. */
  async findPartitions(): Promise<FoundPartition[]> {
    const names = await this.#disk.list(this.path)
    for (const name of names.filter(isRemovedDirectory)) this.#leftovers.add(name)
    await this.removeLeftovers()
    // What a killed process made here may not be durable yet, and will be relied upon.
    await this.#disk.syncDirectory(this.path)
    const found: FoundPartition[] = []
    await inParallel(names, async (name) => {
      const topicPartition = parsePartitionDirectory(name)
      if (!topicPartition) return
      const stat = await this.#disk.stat(join(this.path, name))
      if (stat?.isDirectory) found.push({ ...topicPartition, modifiedMs: stat.modifiedMs })
    })
    return found
  }

  /**
   * What the last holder knew of a partition; a partition that is made again begins anew. When names
   * in its directory have changed since, it is looked into as if nothing had been noted of it.
   */
  async takeInheritance(name: string, modifiedMs?: number): Promise<Inherited> {
    const { recoveryPoints, logStartOffsets, highWatermarks, restingLogs, syncedSegments } =
      this.#inherited
    const isKnown = recoveryPoints.has(name)
    const wasClosed = this.wasCleanShutdown && isKnown
    const recoveryPoint = recoveryPoints.get(name) ?? 0
    const logStartOffset = logStartOffsets.get(name) ?? 0
    const highWatermark = highWatermarks.get(name)
    recoveryPoints.delete(name)
    logStartOffsets.delete(name)
    highWatermarks.delete(name)
    const known = { recoveryPoint, logStartOffset, highWatermark, wasClosed, isKnown }
    const synced = syncedSegments.get(name)
    syncedSegments.delete(name)
    const resting = await restingLogs.take(name, modifiedMs)
    return { ...known, resting, syncedSegments: synced }
  }

  /** Once all that was found is open: the partitions of which only the checkpoints know. */
  missing(): MissingPartition[] {
    const { recoveryPoints, restingLogs } = this.#inherited
    return [...recoveryPoints].map(([name, recoveryPoint]) => {
      const topicId = restingLogs.topicIdOf(name)
      const path = join(this.path, name)
      return { ...parsePartitionDirectory(name)!, path, topicId, recoveryPoint }
    })
  }

  /** What the checkpoints say of a missing partition is no longer true, or no longer wanted. */
  forgetMissing({ topic, partition }: TopicPartition): void {
    const name = partitionDirectoryName(topic, partition)
    this.#inherited.recoveryPoints.delete(name)
    this.#inherited.logStartOffsets.delete(name)
    this.#inherited.highWatermarks.delete(name)
  }

  /** Makes durable what the logs say of themselves now. All of them are handed this as it is. */
  readonly saveRecoveryPoints = (): Promise<void> =>
    this.health.watch(async () => {
      await this.cleanerCheckpoint.follow()
      await this.#recoveryPoints.write()
    })

  /** Writes down what the logs are that rest, so that a start after a crash need not look into them. */
  async noteRestingLogs(): Promise<void> {
    await this.health.watch(() => this.#inherited.restingLogs.note(this.logs))
  }

  readonly saveLogStartOffsets = (): Promise<void> =>
    this.health.watch(() => this.#logStartOffsets.write())

  /** Makes the high watermarks of all logs durable: where replicas begin after a restart. */
  async saveHighWatermarks(): Promise<void> {
    await this.health.watch(() => this.#highWatermarks.write())
  }

  /**
   * Removes the directories of a deleted topic, whose logs are closed and not among `logs` any more. Those with
   * `names`, or all that are found by the topic's id when a call before this one has failed. Directories are
   * renamed first, so that nothing half removed is ever taken for a partition; their bytes go next, because what
   * follows may need the room; the topic's name may be used again when this resolves.
   */
  async removeTopic(removal: TopicRemoval, names?: readonly string[]): Promise<void> {
    const { topic, topicId, partitions } = removal
    const found = names ?? (await this.#findOf(removal))
    for (const name of found) {
      const removed = removedDirectoryName(name, topicId)
      await this.#disk.rename(join(this.path, name), join(this.path, removed))
      this.#leftovers.add(removed)
    }
    const removed = [...this.#leftovers].filter((name) => name.endsWith(removedSuffix(topicId)))
    if (removed.length > 0) await this.#disk.syncDirectory(this.path)
    await inParallel(removed, (name) => this.#removeLeftover(name))
    // Else a crash would bring its records, and what was known of them, back under the same name.
    const numbers = Array.from({ length: partitions }, (_, partition) => partition)
    const all = new Set([...found, ...numbers.map((each) => partitionDirectoryName(topic, each))])
    await inParallel([...all], async (name) => await this.journal?.cut(name, 0, 0))
    await this.saveHighWatermarks()
    await this.saveLogStartOffsets()
    await this.saveRecoveryPoints()
  }

  /** Removes what of deleted partitions could not be removed before; logged once for each. */
  async removeLeftovers(): Promise<void> {
    for (const name of [...this.#leftovers]) {
      await this.#removeLeftover(name).catch((error: unknown) => {
        this.health.noticed(error)
        if (this.#reported.has(name)) return
        this.#reported.add(name)
        const path = join(this.path, name)
        this.#logger.error({ error, path }, 'a deleted partition cannot be removed yet; retrying')
      })
    }
  }

  async #removeLeftover(name: string): Promise<void> {
    await this.#disk.remove(join(this.path, name))
    this.#leftovers.delete(name)
    this.#reported.delete(name)
  }

  /** The names of the topic's directories. Notes those that have been renamed already. */
  async #findOf({ topic, topicId, owns }: TopicRemoval): Promise<string[]> {
    const found: string[] = []
    for (const name of await this.#disk.list(this.path)) {
      if (name.endsWith(removedSuffix(topicId))) this.#leftovers.add(name)
      if (parsePartitionDirectory(name)?.topic !== topic || this.logs.has(name)) continue
      const path = join(this.path, name)
      if (!(await this.#disk.stat(path))?.isDirectory) continue
      if (owns(await readTopicId(this.#disk, path))) found.push(name)
    }
    return found
  }

  /** Notes the end, as an orderly one when all logs are closed in order, and gives the directory back. */
  async close(isOrderly: boolean): Promise<void> {
    try {
      await this.saveHighWatermarks()
      await this.saveLogStartOffsets()
      await this.saveRecoveryPoints()
      await this.journal?.close()
      const logs = [...this.logs.values()]
      if (isOrderly && logs.every(({ log }) => log.offline === undefined)) {
        await this.#inherited.restingLogs.noteClosed(this.logs)
        await writeCleanShutdown(this.#disk, this.path)
      }
    } catch (cause) {
      throw isPassing(cause) ? passingFailure(this.path, cause) : cause
    } finally {
      await this.#lock.release()
    }
  }

  /** Gives the directory back as it is. */
  async release(): Promise<void> {
    try {
      await this.journal?.close()
    } finally {
      await this.#lock.release()
    }
  }

  /** Of logs that are not open, because they are missing or were not opened yet, what was said before. */
  #offsets(
    offsetOf: (log: PartitionLog) => number,
    inherited: ReadonlyMap<string, number>,
  ): PartitionOffset[] {
    const offsets = [...this.logs.values()].map(({ topic, partition, log }) => {
      return { topic, partition, offset: offsetOf(log) }
    })
    for (const [name, offset] of inherited) {
      offsets.push({ ...parsePartitionDirectory(name)!, offset })
    }
    return offsets
  }
}

/** Before any log is opened: what a crash has left in the journal belongs to them. */
async function openJournal(
  { disk, scheduler, logger, path, journal }: LogDirectoryOptions,
  recoveryPoints: ReadonlyMap<string, number>,
): Promise<Pick<Inheritance, 'journal' | 'syncedSegments'>> {
  const syncedSegments = new Map<string, Set<number>>()
  const recoveryPointOf = (name: string) => recoveryPoints.get(name) ?? 0
  const synced = (name: string, baseOffset: number) => {
    syncedSegments.set(name, (syncedSegments.get(name) ?? new Set()).add(baseOffset))
  }
  const options = { disk, logger, directory: path, recoveryPointOf, synced }
  if (journal) {
    const opened = await CommitJournal.open({ ...options, ...journal, scheduler })
    return { journal: opened, syncedSegments }
  }
  await CommitJournal.replayLeftover(options)
  return { journal: undefined, syncedSegments }
}
