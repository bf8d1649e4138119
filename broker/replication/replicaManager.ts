// The partitions of this broker: opens, creates and removes their logs as the metadata says, finds them for
// requests, and turns errors of logs into error codes for clients. Knows no request.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { DynamicConfiguration } from '../configuration/configuration.ts'
import { logConfigOf } from '../configuration/topicSettings.ts'
import type { MetadataView, Topic } from '../controller/metadata/metadataView.ts'
import { isInternalTopic } from '../controller/topics/internalTopics.ts'
import type { PartitionLogs } from '../controller/topics/topicWork.ts'
import type { LogDirectoryDescription } from '../log/directory/directoryDescription.ts'
import {
  hiddenPartition,
  isDamage,
  isShortage,
  LogError,
  missingDirectory,
} from '../log/logError.ts'
import type { DirectoryFailure, LogManager } from '../log/logManager.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import { Partition } from './partition.ts'

/** Logs made at the same time: each takes a few syncs, which the disk can share. */
const createdAtOnce = 16

/** Errors of so many places in files are remembered as reported. */
const maxReported = 1000

export class ReplicaManager implements PartitionLogs {
  readonly #manager: LogManager
  readonly #state: MetadataView
  readonly #configuration: DynamicConfiguration
  readonly #logger: Logger
  /** Topics whose folders are there though the metadata does not know them. */
  readonly #strays = new Set<string>()
  /** By topic id, the partitions that are missing, or may be in a data folder that cannot be used now. */
  readonly #hidden = new Map<string, Set<number>>()
  /** By topic id, the partitions whose logs could not be created yet. */
  readonly #uncreated = new Map<string, ReadonlySet<number>>()
  /** The messages of errors that the log has been told of. */
  readonly #reported = new Set<string>()
  readonly #partitions = new WeakMap<PartitionLog, Partition>()

  constructor(
    manager: LogManager,
    state: MetadataView,
    configuration: DynamicConfiguration,
    logger: Logger,
  ) {
    this.#manager = manager
    this.#state = state
    this.#configuration = configuration
    this.#logger = logger
    this.#noteStrays(state)
    if (manager.hasFailedDirectory) this.#noteHidden(state)
    this.#noteMissing(state)
    manager.onDirectoryFailure((failure) => this.#noteLost(failure))
    configuration.onChange(() => {
      for (const topic of state.topics()) this.reconfigure(topic)
    })
  }

  log(topic: string, partition: number): PartitionLog | undefined {
    return this.#manager.get(topic, partition)
  }

  /** The partition, when its log is open here. */
  partition(topic: string, partition: number): Partition | undefined {
    const log = this.#manager.get(topic, partition)
    return log && this.#partitionOf(topic, partition, log)
  }

  /** The epoch of whoever leads the partition, whether this broker can reach its log or not. */
  leaderEpoch(topic: Topic, partition: number): number {
    return topic.partitions[partition]?.leaderEpoch ?? 0
  }

  /** The same, for reading: a coordinator's partition that has not been written to yet is empty. */
  async readable(topic: Topic, partition: number): Promise<Partition | undefined> {
    const known = this.partition(topic.name, partition)
    const isLazy =
      isInternalTopic(topic.name) && partition >= 0 && partition < topic.partitions.length
    if (known || !isLazy || this.isOffline(topic, partition)) return known
    try {
      return await this.open(topic, partition)
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      this.#report(error, topic.name, partition)
      return undefined
    }
  }

  /**
   * Whether this broker leads the partition: its log can be reached, and could be created. While it is being
   * created for the first time, clients are told so as in Kafka: some fail when any partition has no leader.
   */
  isLed(topic: Topic, partition: number): boolean {
    return !this.isOffline(topic, partition) && !this.#uncreated.get(topic.id)?.has(partition)
  }

  /** Whether the partition cannot be reached: its data folder has failed, or its own is missing. */
  isOffline(topic: Topic, partition: number): boolean {
    return this.#hidden.get(topic.id)?.has(partition) ?? false
  }

  /** The names of partitions that cannot be reached: `orders-3`. */
  offline(): string[] {
    return [...this.#hidden].flatMap(([topicId, partitions]) => {
      const name = this.#state.topicById(topicId)?.name
      return name === undefined ? [] : [...partitions].map((partition) => `${name}-${partition}`)
    })
  }

  /** What a client is told of a partition that has no log. */
  errorCodeOfMissing(topic: Topic | undefined, partition: number): number {
    const exists = topic && partition >= 0 && partition < topic.partitions.length
    if (!exists) return ErrorCode.unknownTopicOrPartition
    // Not created yet: clients ask for metadata until it has a leader.
    return this.isOffline(topic, partition)
      ? ErrorCode.kafkaStorageError
      : ErrorCode.notLeaderOrFollower
  }

  directories(): Promise<LogDirectoryDescription[]> {
    return this.#manager.describeDirectories()
  }

  /** Makes one log unless it is there. Throws LogError when it may be in a failed data folder. */
  async open(topic: Topic, partition: number): Promise<Partition> {
    const known = this.partition(topic.name, partition)
    if (known) return known
    if (this.isOffline(topic, partition)) throw hiddenPartition(topic.name, partition)
    const log = await this.#create(topic, partition)
    return this.#partitionOf(topic.name, partition, log)
  }

  /** See PartitionLogs. */
  async create(topic: Topic): Promise<void> {
    // These are created by the first append of their coordinator (coordinators/coordinatorTopic.ts).
    if (isInternalTopic(topic.name)) return
    const missing = Array.from(topic.partitions.keys()).filter(
      (partition) => !this.log(topic.name, partition) && !this.isOffline(topic, partition),
    )
    const uncreated = new Set(missing)
    const failures: unknown[] = []
    for (let first = 0; first < missing.length; first += createdAtOnce) {
      const some = missing.slice(first, first + createdAtOnce)
      const open = async (partition: number) => {
        await this.open(topic, partition)
        uncreated.delete(partition)
      }
      const noteFailure = (error: unknown) => failures.push(error)
      await Promise.all(some.map((partition) => open(partition).catch(noteFailure)))
      // The others would fail as well.
      if (failures.some(isShortage)) break
    }
    if (uncreated.size > 0) this.#uncreated.set(topic.id, uncreated)
    else this.#uncreated.delete(topic.id)
    if (failures.length > 0) throw failures[0]
  }

  async remove(topic: Topic): Promise<void> {
    await this.#manager.delete({ ...topic, partitions: topic.partitions.length })
    this.#hidden.delete(topic.id)
    this.#uncreated.delete(topic.id)
  }

  reconfigure(topic: Topic): void {
    const config = logConfigOf(topic.configs, this.#configuration.current)
    for (let partition = 0; partition < topic.partitions.length; partition++) {
      this.log(topic.name, partition)?.updateConfig(config)
    }
  }

  obstacle(name: string): string | undefined {
    if (!this.#strays.has(name)) return undefined
    return `folders of an older topic ${name} are in the data folders: move them away`
  }

  /** What a client is told when a log has failed; rethrows what is not the log's. */
  errorCodeOf(error: unknown, topic: string, partition: number): number {
    if (!(error instanceof LogError)) throw error
    // Deleted, or the broker is closing: there will be another answer elsewhere or later.
    if (error.code === 'LOG_CLOSED') return ErrorCode.notLeaderOrFollower
    this.#report(error, topic, partition)
    // As Kafka: a consumer that is told of a storage error would look for another leader for ever.
    return isDamage(error) ? ErrorCode.corruptMessage : ErrorCode.kafkaStorageError
  }

  #partitionOf(topic: string, partition: number, log: PartitionLog): Partition {
    const known = this.#partitions.get(log)
    if (known) return known
    const { nodeId } = this.#configuration
    const made = new Partition({ topic, partition, nodeId, log })
    this.#partitions.set(log, made)
    return made
  }

  /** Once, however often a client asks again; `error` says which file, and where in it. */
  #report(error: LogError, topic: string, partition: number): void {
    if (this.#reported.has(error.message)) return
    if (this.#reported.size >= maxReported) this.#reported.clear()
    this.#reported.add(error.message)
    this.#logger.error({ error, topic, partition }, 'a partition has failed')
  }

  async #create(topic: Topic, partition: number): Promise<PartitionLog> {
    const config = logConfigOf(topic.configs, this.#configuration.current)
    const log = await this.#manager.create(topic.name, partition, config, topic.id)
    // What was set meanwhile has only been told to the logs that were there.
    const now = this.#state.topicById(topic.id)
    if (now) log.updateConfig(logConfigOf(now.configs, this.#configuration.current))
    return log
  }

  /** An empty log in place of one that cannot be seen would give out its offsets a second time. */
  #noteHidden(state: MetadataView): void {
    for (const topic of state.topics()) {
      for (let partition = 0; partition < topic.partitions.length; partition++) {
        if (!this.log(topic.name, partition)) this.#hide(topic.id, partition)
      }
    }
  }

  /** The same, when somebody has removed the partition's own folder while the broker was down. */
  #noteMissing(state: MetadataView): void {
    for (const missing of this.#manager.missing()) {
      const { topic, partition, topicId, path, recoveryPoint } = missing
      const known = state.topic(topic)
      const isSame = known && (topicId === undefined || topicId === known.id)
      if (!isSame || partition >= known.partitions.length) continue
      this.#hide(known.id, partition)
      const error = missingDirectory(path, recoveryPoint)
      this.#logger.error({ error, topic, partition }, 'a partition is offline')
    }
  }

  #noteLost({ partitions }: DirectoryFailure): void {
    for (const { topic, topicId, partition } of partitions) {
      const id = topicId ?? this.#state.topic(topic)?.id
      if (id !== undefined) this.#hide(id, partition)
    }
  }

  #hide(topicId: string, partition: number): void {
    const hidden = this.#hidden.get(topicId) ?? new Set()
    this.#hidden.set(topicId, hidden.add(partition))
  }

  /**
   * A log without its topic is what remains when metadata was lost. It is left alone, because it may
   * be the last copy, and its name is not given away, because a new topic would begin with old data.
   */
  #noteStrays(state: MetadataView): void {
    const deleting = new Set(state.deleting().map(({ name }) => name))
    for (const { topic, partition, topicId } of this.#manager.partitions()) {
      const known = state.topic(topic)
      const isKnown = known && (topicId === undefined || topicId === known.id)
      if (isKnown || deleting.has(topic)) continue
      this.#strays.add(topic)
      this.#logger.warn(
        { topic, partition, topicId },
        'a partition of no known topic is left alone',
      )
    }
  }
}
