// The data directories of a broker: which can be used, and which have failed. A directory that
// fails is taken out of use at once, with the logs in it, until the next start. Invariant: a
// directory is either in use or among the failed ones.

import { join } from 'node:path'
import type { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'
import type { TopicPartition } from '../../../protocol/kafka/topicPartition.ts'
import { DirectoryInUseError, type Disk } from '../../../protocol/runtime/disk/disk.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { directoryFailed, LogError } from '../logError.ts'
import { inParallel } from '../maintenance/inParallel.ts'
import type { PartitionLog } from '../partitionLog.ts'
import { parsePartitionDirectory } from './dataDirectory.ts'
import { describeDirectory, type LogDirectoryDescription } from './directoryDescription.ts'
import {
  LogDirectory,
  type LogDirectoryOptions,
  type ManagedLog,
  type MissingPartition,
} from './logDirectory.ts'
import { pathUse } from './partitionDirectory.ts'

/** A data directory that could not be used at the start, or has failed since. */
export interface FailedDirectory {
  readonly path: string
  readonly error: LogError
  readonly sinceMs: number
}

/** The failure of a data directory that was in use. */
export interface DirectoryFailure extends Omit<FailedDirectory, 'sinceMs'> {
  /** The partitions in it, which are offline now. */
  readonly partitions: readonly LostPartition[]
}

export interface LostPartition extends TopicPartition {
  /** Undefined if it is not known. */
  readonly topicId: string | undefined
}

export interface LogDirectoriesOptions extends Omit<LogDirectoryOptions, 'path' | 'onFailure'> {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  /** log.dirs */
  readonly paths: readonly string[]
  readonly logs: PartitionMap<ManagedLog>
}

/** What stands at the path of a new partition in each data directory. */
export interface NewPartitionPlaces {
  /** The directory in which an earlier attempt has begun to create the partition. */
  readonly begunIn: LogDirectory | undefined
  readonly occupied: ReadonlySet<LogDirectory>
}

export class LogDirectories {
  readonly #options: LogDirectoriesOptions
  readonly #usable: LogDirectory[] = []
  readonly #failed: FailedDirectory[] = []
  /** Directories that failed while in use; released at the end. */
  readonly #abandoned: LogDirectory[] = []
  readonly #listeners: ((failure: DirectoryFailure) => void)[] = []
  /** Logs being closed because their directory failed. */
  readonly #leaving: Promise<unknown>[] = []

  constructor(options: LogDirectoriesOptions) {
    this.#options = options
  }

  get usable(): readonly LogDirectory[] {
    return this.#usable
  }

  get failed(): readonly FailedDirectory[] {
    return this.#failed
  }

  /**
   * Opens all directories. Throws DirectoryInUseError or LogError if one must not be used, or none
   * can be.
   */
  async open(): Promise<void> {
    for (const path of this.#options.paths) await this.#open(path)
    this.mustHaveOne()
  }

  /** Throws the last failure if no directory can be used. */
  mustHaveOne(): void {
    const lastFailed = this.#failed.at(-1)
    if (this.#usable.length === 0 && lastFailed) throw lastFailed.error
  }

  /** Called when a directory fails, after its logs were taken out of use. */
  onFailure(listener: (failure: DirectoryFailure) => void): void {
    this.#listeners.push(listener)
  }

  /** Partitions that the checkpoints list, and that no directory has. */
  missing(): MissingPartition[] {
    return this.#usable.flatMap((directory) => directory.missing())
  }

  forgetMissing(partition: TopicPartition): void {
    for (const directory of this.#usable) directory.forgetMissing(partition)
  }

  /** The directory with the fewest partitions, not one of `avoided` if there are others. */
  emptiest(avoided: ReadonlySet<LogDirectory> = new Set()): LogDirectory {
    this.mustHaveOne()
    const free = this.#usable.filter((directory) => !avoided.has(directory))
    const count = ({ logs, arriving }: LogDirectory) => logs.size + arriving.size
    const choices = free.length > 0 ? free : this.#usable
    return choices.reduce((best, next) => (count(next) < count(best) ? next : best))
  }

  /**
   * Where a new partition with this directory name can be created: where an earlier attempt has
   * begun to, or not where a directory of that name has records or belongs to another topic.
   */
  async placesFor(name: string, topicId: string | undefined): Promise<NewPartitionPlaces> {
    const occupied = new Set<LogDirectory>()
    // With one directory there is no choice.
    if (this.#usable.length < 2) return { begunIn: undefined, occupied }
    for (const directory of [...this.#usable]) {
      const path = join(directory.path, name)
      // A directory that cannot be read is not chosen for this; what uses it reports that.
      const use = await pathUse(this.#options.disk, path, topicId).catch(() => 'free')
      if (use === 'begun') return { begunIn: directory, occupied }
      if (use === 'occupied') occupied.add(directory)
    }
    return { begunIn: undefined, occupied }
  }

  /**
   * Runs `task` on all usable directories. A failure that takes a directory out of use is not
   * thrown.
   */
  async each(task: (directory: LogDirectory) => Promise<void>): Promise<void> {
    await inParallel([...this.#usable], (directory) => unlessFailed(directory, task))
  }

  /** All directories, in the order of the options. */
  async describe(): Promise<LogDirectoryDescription[]> {
    const { disk, paths } = this.#options
    const usable = this.#usable.map((directory) => describeDirectory(disk, directory))
    const failed = this.#failed.map(({ path, error }) => {
      return { path, error, totalBytes: -1, usableBytes: -1, partitions: [] }
    })
    const all = [...(await Promise.all(usable)), ...failed]
    return all.sort((a, b) => paths.indexOf(a.path) - paths.indexOf(b.path))
  }

  /** Closes a log whose directory has failed. */
  abandon(log: PartitionLog, failure: LogError): void {
    this.#leaving.push(log.abandon(failure).catch(() => {}))
  }

  /** Closes the directories; as a clean shutdown if all logs were closed cleanly. */
  async close(isOrderly: boolean): Promise<void> {
    await this.each((directory) => directory.close(isOrderly))
    await Promise.all(this.#leaving)
    await Promise.allSettled(this.#abandoned.map((directory) => directory.release()))
  }

  /** Releases the directories unchanged after a failed start. */
  async release(): Promise<void> {
    await Promise.allSettled(this.#usable.map((directory) => directory.release()))
  }

  async #open(path: string): Promise<void> {
    const { clock, logger } = this.#options
    const onFailure = (directory: LogDirectory, error: LogError) => this.#fail(directory, error)
    try {
      this.#usable.push(await LogDirectory.open({ ...this.#options, path, onFailure }))
    } catch (cause) {
      // Mistakes in the configuration, not failures of the disk.
      if (cause instanceof DirectoryInUseError || cause instanceof LogError) throw cause
      const error = directoryFailed(path, cause)
      this.#failed.push({ path, error, sinceMs: clock.nowMs() })
      logger.error({ error }, 'a data directory cannot be used')
    }
  }

  #fail(directory: LogDirectory, error: LogError): void {
    const { clock, logger, logs: open } = this.#options
    const { path, logs, arriving } = directory
    const at = this.#usable.indexOf(directory)
    // The directory is not in use yet: opening it fails.
    if (at < 0) return
    this.#usable.splice(at, 1)
    this.#abandoned.push(directory)
    this.#failed.push({ path, error, sinceMs: clock.nowMs() })
    logger.error({ error, partitions: logs.size }, 'a data directory has failed')
    for (const managed of logs.values()) {
      open.delete(managed.topic, managed.partition)
      this.abandon(managed.log, error)
    }
    const unborn = [...arriving].map((name) => ({
      ...parsePartitionDirectory(name)!,
      topicId: undefined,
    }))
    const failure = { path, error, partitions: [...logs.values(), ...unborn] }
    for (const listener of this.#listeners) listener(failure)
  }
}

/** The failure of a whole directory is reported by the directory. */
export async function unlessFailed(
  directory: LogDirectory,
  task: (directory: LogDirectory) => Promise<void>,
): Promise<void> {
  await directory.health
    .watch(() => task(directory))
    .catch((error: unknown) => {
      if (!directory.health.failure) throw error
    })
}
