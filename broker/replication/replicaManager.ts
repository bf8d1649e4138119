// The partitions of this broker: creates and removes them by the metadata, finds them for requests,
// and translates errors of logs into error codes for clients. Knows no requests. Invariant: a
// partition is found only while its log is open and belongs to the topic that has the name now.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { DynamicConfiguration } from '../configuration/configuration.ts'
import { logConfigOf, topicConfigValue } from '../configuration/topicSettings.ts'
import type { MetadataView, Topic } from '../controller/metadata/metadataView.ts'
import type { PartitionRegistration } from '../controller/partitionRegistration.ts'
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

/** Number of logs created concurrently: each takes a few syncs, which the disk can combine. */
const createdAtOnce = 16

/** Number of different error messages that are remembered as logged. */
const maxReported = 1000

/** The open partitions of one topic. */
interface TopicPartitions {
  readonly topicId: string
  /** By partition number; with holes. */
  readonly partitions: (Partition | undefined)[]
}

export class ReplicaManager implements PartitionLogs {
  readonly #manager: LogManager
  readonly #state: MetadataView
  readonly #configuration: DynamicConfiguration
  readonly #logger: Logger
  /** By topic name. */
  readonly #topics = new Map<string, TopicPartitions>()
  /** Names of topics with partition directories that do not exist in the metadata. */
  readonly #strays = new Set<string>()
  /**
   * By topic id: partitions that are missing, or may be in a data directory that cannot be used.
   */
  readonly #hidden = new Map<string, Set<number>>()
  /** By topic id: partitions whose logs could not be created yet. */
  readonly #uncreated = new Map<string, ReadonlySet<number>>()
  /** Messages of errors that were logged. */
  readonly #reported = new Set<string>()
  readonly #followListeners = new Set<(topic: string) => void>()

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
    for (const managed of manager.partitions()) {
      const topic = state.topic(managed.topic)
      const isTopics = topic && (managed.topicId === undefined || managed.topicId === topic.id)
      if (isTopics && managed.partition < topic.partitions.length) {
        this.#add(topic, managed.partition, managed.log)
      }
    }
    this.#noteStrays(state)
    if (manager.hasFailedDirectory) this.#noteHidden(state)
    this.#noteMissing(state)
    manager.onDirectoryFailure((failure) => this.#noteLost(failure))
    configuration.onChange(() => {
      for (const topic of state.topics()) this.reconfigure(topic)
    })
    state.onChange((change) => {
      if (change.type === 'topic') this.#follow(change.id)
    })
  }

  /** The log of the partition, if it is open. */
  log(topic: string, partition: number): PartitionLog | undefined {
    return this.partition(topic, partition)?.log
  }

  /** The partition, if its log is open. */
  partition(topic: string, partition: number): Partition | undefined {
    return this.#topics.get(topic)?.partitions[partition]
  }

  /** The registration that the partition follows, whether or not its log is open. */
  registrationOf(topic: Topic, partition: number): PartitionRegistration {
    return this.partition(topic.name, partition)?.registration ?? registered(topic, partition)
  }

  /** The partition, for reading. Creates the log of an internal topic, which is created lazily. */
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
   * Whether the log of the partition can be used, or can be created. True while it is created for
   * the first time, as in Kafka: some clients fail if any partition has no leader.
   */
  isLed(topic: Topic, partition: number): boolean {
    return !this.isOffline(topic, partition) && !this.#uncreated.get(topic.id)?.has(partition)
  }

  /**
   * Whether the partition is offline: its data directory has failed, or its own directory is
   * missing.
   */
  isOffline(topic: Topic, partition: number): boolean {
    return this.#hidden.get(topic.id)?.has(partition) ?? false
  }

  /** The names of offline partitions: `orders-3`. */
  offline(): string[] {
    return [...this.#hidden].flatMap(([topicId, partitions]) => {
      const name = this.#state.topicById(topicId)?.name
      return name === undefined ? [] : [...partitions].map((partition) => `${name}-${partition}`)
    })
  }

  /** The error code for a partition that is not open. */
  errorCodeOfMissing(topic: Topic | undefined, partition: number): number {
    const exists = topic && partition >= 0 && partition < topic.partitions.length
    if (!exists) return ErrorCode.unknownTopicOrPartition
    // Not created yet: clients refresh their metadata until it has a leader.
    return this.isOffline(topic, partition)
      ? ErrorCode.kafkaStorageError
      : ErrorCode.notLeaderOrFollower
  }

  /** Appends of all partitions that are durable here and wait for the high watermark. */
  get waitingAppends(): number {
    let waiting = 0
    for (const { partitions } of this.#topics.values()) {
      for (const partition of partitions) waiting += partition?.waitingAppends ?? 0
    }
    return waiting
  }

  /**
   * Calls `listener` with the name of a topic whose partitions here have followed a change of the
   * metadata. A partition that is being truncated follows after the truncation.
   */
  onFollowed(listener: (topic: string) => void): void {
    this.#followListeners.add(listener)
  }

  directories(): Promise<LogDirectoryDescription[]> {
    return this.#manager.describeDirectories()
  }

  /**
   * Returns the partition; creates its log if it does not exist. Throws LogError if the log may be
   * in a failed data directory.
   */
  async open(topic: Topic, partition: number): Promise<Partition> {
    const known = this.partition(topic.name, partition)
    if (known) return known
    if (this.isOffline(topic, partition)) throw hiddenPartition(topic.name, partition)
    const log = await this.#create(topic, partition)
    // A concurrent call may have created it.
    return this.partition(topic.name, partition) ?? this.#add(topic, partition, log)
  }

  /** See PartitionLogs. */
  async create(topic: Topic): Promise<void> {
    // Created when their coordinator first writes to them.
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
      // The other logs would fail, too.
      if (failures.some(isShortage)) break
    }
    if (uncreated.size > 0) this.#uncreated.set(topic.id, uncreated)
    else this.#uncreated.delete(topic.id)
    if (failures.length > 0) throw failures[0]
  }

  async remove(topic: Topic): Promise<void> {
    const found = this.#topics.get(topic.name)
    if (found?.topicId === topic.id) {
      this.#topics.delete(topic.name)
      for (const partition of found.partitions) partition?.close()
    }
    await this.#manager.delete({ ...topic, partitions: topic.partitions.length })
    this.#hidden.delete(topic.id)
    this.#uncreated.delete(topic.id)
  }

  reconfigure(topic: Topic): void {
    const config = logConfigOf(topic.configs, this.#configuration.current)
    const minInSyncReplicas = this.#minInSyncReplicas(topic)
    for (const partition of this.#topics.get(topic.name)?.partitions ?? []) {
      partition?.log.updateConfig(config)
      partition?.reconfigure(minInSyncReplicas)
    }
  }

  obstacle(name: string): string | undefined {
    if (!this.#strays.has(name)) return undefined
    return `the data directories have logs of an older topic ${name}: move their directories away`
  }

  /**
   * The error code for a client whose request failed with this LogError; other errors are rethrown.
   */
  errorCodeOf(error: unknown, topic: string, partition: number): number {
    if (!(error instanceof LogError)) throw error
    // Deleted, or the broker is shutting down: the client refreshes its metadata.
    if (error.code === 'LOG_CLOSED') return ErrorCode.notLeaderOrFollower
    this.#report(error, topic, partition)
    // As in Kafka: on a storage error a consumer would search for another leader endlessly.
    return isDamage(error) ? ErrorCode.corruptMessage : ErrorCode.kafkaStorageError
  }

  #add(topic: Topic, partition: number, log: PartitionLog): Partition {
    let found = this.#topics.get(topic.name)
    if (found?.topicId !== topic.id) {
      found = { topicId: topic.id, partitions: [] }
      this.#topics.set(topic.name, found)
    }
    const made = new Partition({
      topic: topic.name,
      partition,
      nodeId: this.#configuration.nodeId,
      log,
      registration: registered(topic, partition),
      minInSyncReplicas: this.#minInSyncReplicas(topic),
      onDeferredApplied: () => this.#followed(topic.name),
    })
    found.partitions[partition] = made
    return made
  }

  /** Applies the current registrations in the metadata to the open partitions of the topic. */
  #follow(topicId: string): void {
    const topic = this.#state.topicById(topicId)
    if (!topic) return
    const open = this.#topics.get(topic.name)
    if (open?.topicId === topicId) {
      for (const [number, partition] of open.partitions.entries()) {
        partition?.apply(registered(topic, number))
      }
    }
    this.#followed(topic.name)
  }

  #followed(topic: string): void {
    for (const listener of this.#followListeners) listener(topic)
  }

  #minInSyncReplicas({ configs }: Topic): number {
    return topicConfigValue('min.insync.replicas', configs, this.#configuration.current)
  }

  /** Logs an error once, however often clients retry; `error` names the file and the position. */
  #report(error: LogError, topic: string, partition: number): void {
    if (this.#reported.has(error.message)) return
    if (this.#reported.size >= maxReported) this.#reported.clear()
    this.#reported.add(error.message)
    this.#logger.error({ error, topic, partition }, 'a partition has failed')
  }

  async #create(topic: Topic, partition: number): Promise<PartitionLog> {
    const config = logConfigOf(topic.configs, this.#configuration.current)
    const log = await this.#manager.create(topic.name, partition, config, topic.id)
    // A configuration change in the meantime was applied to open logs only.
    const now = this.#state.topicById(topic.id)
    if (now) log.updateConfig(logConfigOf(now.configs, this.#configuration.current))
    return log
  }

  /** Partitions in an unusable data directory: a new empty log would assign their offsets again. */
  #noteHidden(state: MetadataView): void {
    for (const topic of state.topics()) {
      for (let partition = 0; partition < topic.partitions.length; partition++) {
        if (!this.log(topic.name, partition)) this.#hide(topic.id, partition)
      }
    }
  }

  /** Partitions whose directory was removed while the broker was stopped. */
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
      const open = this.#topics.get(topic)?.partitions
      open?.[partition]?.close()
      if (open) open[partition] = undefined
      const id = topicId ?? this.#state.topic(topic)?.id
      if (id !== undefined) this.#hide(id, partition)
    }
  }

  #hide(topicId: string, partition: number): void {
    const hidden = this.#hidden.get(topicId) ?? new Set()
    this.#hidden.set(topicId, hidden.add(partition))
  }

  /**
   * A log without a topic remains after a loss of metadata. The log is kept, because it may be the
   * last copy, and no topic may be created under the name, because it would start with old records.
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
        'the log of a topic that is not in the metadata is ignored',
      )
    }
  }
}

function registered(topic: Topic, partition: number): PartitionRegistration {
  const registration = topic.partitions[partition]
  assert(registration, `the metadata registers partition ${partition} of ${topic.name}`)
  return registration
}
