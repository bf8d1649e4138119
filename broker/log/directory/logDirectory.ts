// One data directory: locks it for this process, finds the partitions in it, and writes Kafka's
// checkpoints.
//
// Contract: the logs themselves belong to the LogManager. A checkpoint keeps the entries of
// partitions that are not open. Must never take a directory that another broker or process uses,
// nor open a half removed partition.

import { dirname, join } from 'node:path'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { Disk, DiskLock } from '../../../protocol/runtime/disk/disk.ts'
import type { Random } from '../../../protocol/runtime/random.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Scheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
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
  /** Undefined if the partition was created without one. */
  readonly topicId: string | undefined
  readonly log: PartitionLog
  readonly directory: LogDirectory
}

export interface LogDirectoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly rarePoints?: RarePoints | undefined
  readonly logger: Logger
  readonly path: string
  readonly identity: DirectoryIdentity | undefined
  /** Lets partitions share syncs through a commit journal; without it, each log syncs its own. */
  readonly journal: { readonly random: Random; readonly fileBytes: number } | undefined
  /** log.dir.reserved.bytes */
  readonly reservedBytes: number
  /** Called when the directory has failed. */
  readonly onFailure: (directory: LogDirectory, failure: LogError) => void
  /** Fills the disk reserve. */
  readonly random: Random | undefined
}

/** A partition whose directory exists. */
export interface FoundPartition extends TopicPartition {
  /** Time of the last change of a name in the directory. */
  readonly modifiedMs: number
}

/** A deleted topic whose partitions are removed. */
export interface TopicRemoval {
  readonly topic: string
  readonly topicId: string
  /** The number of its partitions, at most. */
  readonly partitions: number
  /** Whether a directory with the topic's name belongs to it, by the topic id in it. */
  readonly owns: (topicId: string | undefined) => boolean
}

/** The checkpoints' entries for one partition. */
export interface Inherited {
  readonly recoveryPoint: number
  readonly logStartOffset: number
  /** Undefined without an entry in the checkpoint. */
  readonly highWatermark: number | undefined
  readonly wasClosed: boolean
  /** Whether the checkpoints list the partition. */
  readonly isKnown: boolean
  readonly resting: RestingLog | undefined
  /**
   * Base offsets of segments that were synced when the directory was opened, and not written since.
   */
  readonly syncedSegments: ReadonlySet<number> | undefined
}

/** A partition that the checkpoints list, and whose directory does not exist. */
export interface MissingPartition extends TopicPartition {
  readonly path: string
  /** Id of its topic, if it is known. */
  readonly topicId: string | undefined
  readonly recoveryPoint: number
}

/** The state of the directory that was saved when it was last in use. */
interface Inheritance {
  readonly place: DirectoryPlace
  readonly space: DiskSpace
  readonly id: string | undefined
  readonly wasClosed: boolean
  readonly restingLogs: RestingLogs
  /** By the name of the partition's directory. */
  readonly recoveryPoints: Map<string, number>
  readonly logStartOffsets: Map<string, number>
  readonly highWatermarks: Map<string, number>
  readonly cleanedOffsets: Map<string, number>
  readonly journal: CommitJournal | undefined
  /**
   * Segments that the journal replay has synced: base offsets by the names of the partitions'
   * directories.
   */
  readonly syncedSegments: Map<string, Set<number>>
}

export class LogDirectory {
  readonly path: string
  /** directory.id, which identifies it wherever it is mounted; undefined without an identity. */
  readonly id: string | undefined
  /** Whether the directory was closed cleanly when it was last in use. */
  readonly wasCleanShutdown: boolean
  readonly health: DirectoryHealth
  readonly space: DiskSpace
  readonly journal: CommitJournal | undefined
  readonly figures: LogFigures
  readonly cleanerCheckpoint: CleanerCheckpoint
  /** By the names of the partitions' directories. */
  readonly logs = new Map<string, ManagedLog>()
  /** Names of partitions that are being created here and are not in `logs` yet. */
  readonly arriving = new Set<string>()
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #lock: DiskLock
  /** Names of directories of deleted partitions that were renamed and are not removed yet. */
  readonly #leftovers = new Set<string>()
  /** Leftovers whose failure was logged. */
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
    const onFailure = (failure: LogError) => {
      this.journal?.abandon(failure)
      options.onFailure(this, failure)
    }
    this.space = inherited.space
    this.health = new DirectoryHealth(disk, inherited.place, onFailure)
    this.figures = new LogFigures(options.clock)
    if (this.journal) {
      this.journal.noticed = this.health.report
      this.journal.figures = this.figures.journal
    }
    this.space.onFailure = this.health.report
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
   * Throws DirectoryInUseError if another process has the directory, LogError if it belongs to
   * another broker, and the error of the disk if it cannot be used. On a full disk, retries with
   * the reserve released.
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
      assert(stat !== undefined, 'a locked directory exists')
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
        // Last: its files would stay open if a later step failed.
        ...(await openJournal(options, recoveryPoints)),
      })
      return directory
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** The open partitions in the directory. */
  partitions(): IterableIterator<ManagedLog> {
    return this.logs.values()
  }

  /**
   * Finds the partitions in the directory. Removes deleted ones, or leaves them to
   * `removeLeftovers`.
   */
  async findPartitions(): Promise<FoundPartition[]> {
    const names = await this.#disk.list(this.path)
    for (const name of names.filter(isRemovedDirectory)) this.#leftovers.add(name)
    await this.removeLeftovers()
    // Directories created by a killed process may not be durable yet.
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
   * What the checkpoints say about a partition when it is opened; a partition that is created again
   * starts anew. The saved state is ignored if names in its directory have changed since.
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

  /** Partitions that only the checkpoints know. Called when all partitions found are open. */
  missing(): MissingPartition[] {
    const { recoveryPoints, restingLogs } = this.#inherited
    return [...recoveryPoints].map(([name, recoveryPoint]) => {
      const topicId = restingLogs.topicIdOf(name)
      const path = join(this.path, name)
      return { ...parsePartitionDirectory(name)!, path, topicId, recoveryPoint }
    })
  }

  /**
   * Drops the checkpoint entries of a missing partition that is outdated or not wanted any more.
   */
  forgetMissing({ topic, partition }: TopicPartition): void {
    const name = partitionDirectoryName(topic, partition)
    this.#inherited.recoveryPoints.delete(name)
    this.#inherited.logStartOffsets.delete(name)
    this.#inherited.highWatermarks.delete(name)
  }

  /** Makes the current recovery points of all logs durable. Passed to logs as a function. */
  readonly saveRecoveryPoints = (): Promise<void> =>
    this.health.watch(async () => {
      await this.cleanerCheckpoint.follow()
      await this.#recoveryPoints.write()
    })

  /** Saves the state of idle logs, so that recovery after a crash need not read them. */
  async noteRestingLogs(): Promise<void> {
    await this.health.watch(() => this.#inherited.restingLogs.note(this.logs))
  }

  readonly saveLogStartOffsets = (): Promise<void> =>
    this.health.watch(() => this.#logStartOffsets.write())

  /** Makes the high watermarks of all logs durable; replicas start from them after a restart. */
  async saveHighWatermarks(): Promise<void> {
    await this.health.watch(() => this.#highWatermarks.write())
  }

  /**
   * Removes the directories of a deleted topic, whose logs are closed and not among `logs` any
   * more: those in `names`, or all that have the topic's id if an earlier call failed. Directories
   * are renamed first, so that a half removed one is never taken for a partition. Their bytes are
   * removed next, because later steps may need the space. When this resolves, the name of the topic
   * may be used again.
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
    // Otherwise a crash would restore its records and checkpoints under the same name.
    const numbers = Array.from({ length: partitions }, (_, partition) => partition)
    const all = new Set([...found, ...numbers.map((each) => partitionDirectoryName(topic, each))])
    await inParallel([...all], async (name) => await this.journal?.cut(name, 0, 0))
    await this.saveHighWatermarks()
    await this.saveLogStartOffsets()
    await this.saveRecoveryPoints()
  }

  /** Removes deleted partitions whose removal failed before. Each failure is logged once. */
  async removeLeftovers(): Promise<void> {
    for (const name of [...this.#leftovers]) {
      await this.#removeLeftover(name).catch((error: unknown) => {
        this.health.report(error)
        if (this.#reported.has(name)) return
        this.#reported.add(name)
        const path = join(this.path, name)
        this.#logger.error(
          { error, path },
          'failed to remove the log of a deleted partition; retrying',
        )
      })
    }
  }

  async #removeLeftover(name: string): Promise<void> {
    await this.#disk.remove(join(this.path, name))
    this.#leftovers.delete(name)
    this.#reported.delete(name)
  }

  /** The names of the topic's directories; those already renamed become leftovers. */
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

  /**
   * Writes the checkpoints, records a clean shutdown if all logs were closed cleanly, and releases
   * the lock.
   */
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

  /** Releases the lock without writing. */
  async release(): Promise<void> {
    try {
      await this.journal?.close()
    } finally {
      await this.#lock.release()
    }
  }

  /**
   * The offsets of open logs and, of logs that are missing or not opened yet, the previous entries.
   */
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

/** Opened before any log, because it may hold records of logs after a crash. */
async function openJournal(
  { disk, scheduler, rarePoints, logger, path, journal }: LogDirectoryOptions,
  recoveryPoints: ReadonlyMap<string, number>,
): Promise<Pick<Inheritance, 'journal' | 'syncedSegments'>> {
  const syncedSegments = new Map<string, Set<number>>()
  const recoveryPointOf = (name: string) => recoveryPoints.get(name) ?? 0
  const synced = (name: string, baseOffset: number) => {
    syncedSegments.set(name, (syncedSegments.get(name) ?? new Set()).add(baseOffset))
  }
  const options = { disk, logger, directory: path, recoveryPointOf, synced }
  if (journal) {
    const opened = await CommitJournal.open({ ...options, ...journal, scheduler, rarePoints })
    return { journal: opened, syncedSegments }
  }
  await CommitJournal.replayLeftover(options)
  return { journal: undefined, syncedSegments }
}
