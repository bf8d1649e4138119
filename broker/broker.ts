// A broker: starts the controller, the logs, the coordinators and the server, each after the
// components that it depends on, and closes them in reverse order. Clock, disk, network and
// randomness come in through the options. Must not listen before every component can serve.

import { join } from 'node:path'
import { ErrorCode, KafkaError } from '../protocol/kafka/errors.ts'
import type { ProgramHealth } from '../protocol/operations/health.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { type Random, randomUuid } from '../protocol/runtime/random.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { LogLevelControl } from '../protocol/telemetry/logging/logLevel.ts'
import type { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import { brokerHealth } from './brokerHealth.ts'
import { type BrokerConfig, dataDirectories } from './configuration/brokerOptions.ts'
import { DynamicConfiguration } from './configuration/configuration.ts'
import { addressText } from './configuration/listenerAddress.ts'
import type { BrokerListener } from './configuration/listeners.ts'
import { logConfigOf } from './configuration/topicSettings.ts'
import { Controller } from './controller/controller.ts'
import {
  type LevelMetadataLogOptions,
  openLevelMetadataLog,
} from './controller/metadata/levelMetadataLog.ts'
import type { MetadataLog } from './controller/metadata/metadataLog.ts'
import { ProducerIds } from './controller/producerIds.ts'
import { openGroups, openTransactions } from './coordinators.ts'
import { BrokerError } from './errors.ts'
import { LogCleaner } from './log/cleaner/logCleaner.ts'
import { releaseReserve } from './log/directory/diskReserve.ts'
import type { LogError } from './log/logError.ts'
import { LogManager } from './log/logManager.ts'
import { exposeBroker } from './metrics/exposeBroker.ts'
import { ReplicaManager } from './replication/replicaManager.ts'
import { BrokerServer } from './server/brokerServer.ts'
import { FetchSessions } from './server/fetch/fetchSessions.ts'
import { FollowedRequests } from './server/figures/followedRequests.ts'
import { RequestFigures } from './server/figures/requestFigures.ts'
import { TrafficByTopic } from './server/figures/topicTraffic.ts'
import { allowAll } from './server/gate/authorizer.ts'
import { RequestGate } from './server/gate/requestGate.ts'
import { noThrottle } from './server/gate/throttle.ts'
import { describeTopics, type TopicOverview } from './server/overview.ts'
import type { BrokerParts, TestHooks } from './server/request/requestContext.ts'
import { TransactionalAppends } from './server/transactions/transactionalAppends.ts'

export type { BrokerListener } from './configuration/listeners.ts'
export type { TopicOverview } from './server/overview.ts'

export interface BrokerOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  /** Lets clients see and change the level of `logger`. */
  readonly logLevel?: LogLevelControl
  readonly metrics?: Metrics
  /**
   * From brokerConfig(); `log.dirs` or `log.dir` are the data directories. `listeners` is read by
   * the command line only.
   */
  readonly config: BrokerConfig
  readonly listeners: readonly BrokerListener[]
  /** Opens the metadata log; by default one in LevelDB, in the first data directory. */
  readonly openMetadataLog?: (options: LevelMetadataLogOptions) => Promise<MetadataLog>
  /** Hooks for tests of clients (broker/testing). */
  readonly testHooks?: TestHooks
}

export interface Broker {
  readonly clusterId: string
  /**
   * The bound addresses, in the order of the options; addresses inside this process are left out.
   */
  readonly listeners: readonly { readonly name: string; readonly address: Address }[]
  /** The current topics, for the console. */
  topics(): TopicOverview[]
  /**
   * Resolves with the reason when the broker can no longer serve and should be closed: its last
   * data directory has failed, the one with the metadata log, or the metadata log itself.
   */
  readonly failed: Promise<Error>
  /** Reasons for being unhealthy, such as a failed data directory. Reads memory only. */
  readonly health: ProgramHealth
  /**
   * Answers pending requests, then closes all components. A second call returns the same promise.
   */
  close(): Promise<void>
}

/**
 * Starts a broker; resolves when clients are served. Rejects with a DirectoryInUseError, a
 * LogError, a BrokerError or a NetworkError, after closing the components that were started.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const undo: (() => Promise<void>)[] = []
  const closeAll = async () => {
    const failures: unknown[] = []
    const failed = (error: unknown) => failures.push(error)
    for (let step = undo.pop(); step; step = undo.pop()) await step().catch(failed)
    // Thrown last: a component that fails to close must not keep the others from releasing their
    // locks.
    if (failures.length > 0) throw failures[0]
  }
  try {
    return await start(options, undo, closeAll)
  } catch (error) {
    // The failure of the start matters more than a failure to close after it.
    await closeAll().catch(() => {})
    throw error
  }
}

async function start(
  options: BrokerOptions,
  undo: (() => Promise<void>)[],
  closeAll: () => Promise<void>,
): Promise<Broker> {
  const { runtime, config, logger } = options
  const directories = dataDirectories(config)
  if (directories.length === 0) {
    throw new BrokerError(
      'CONFIGURATION_INVALID',
      'log.dir is not set: set it to the data directory',
    )
  }
  const startedMs = runtime.clock.monotonicMs()
  const elapsedMs = () => Math.round(runtime.clock.monotonicMs() - startedMs)
  const nodeId = config['node.id']
  logger.info({ nodeId, directories }, 'broker starting')
  await runtime.disk.makeDirectory(directories[0]!)
  const configuration = new DynamicConfiguration(config)
  const metadataFailure = Promise.withResolvers<Error>()
  let metadataError: Error | undefined
  let makeRoom = () => releaseReserve(runtime.disk, directories[0]!)
  const controller = await openController(options, {
    configuration,
    makeRoom: () => makeRoom(),
    onFailure: (error) => {
      metadataError = error
      metadataFailure.resolve(error)
    },
  })
  undo.push(() => controller.close())
  const recoveryStartedMs = elapsedMs()
  const manager = await LogManager.open({
    disk: runtime.disk,
    clock: runtime.clock,
    scheduler: runtime.scheduler,
    random: runtime.random.fork('logs'),
    logger,
    directories,
    identity: {
      nodeId: config['node.id'],
      clusterId: controller.clusterId,
      newDirectoryId: () => randomUuid(runtime.random).toString('base64url'),
    },
    checkpointIntervalMs: config['log.flush.offset.checkpoint.interval.ms'],
    retentionCheckIntervalMs: config['log.retention.check.interval.ms'],
    initialTaskDelayMs: config['log.initial.task.delay.ms'],
    reservedBytes: config['log.dir.reserved.bytes'],
    journal: journalOf(options),
    configOf: (topic) =>
      logConfigOf(controller.state.topic(topic)?.configs ?? {}, configuration.current),
    isForeign: (topic, topicId) => controller.state.isForeign(topic, topicId),
  })
  undo.push(() => manager.close())
  const recoverySeconds = (elapsedMs() - recoveryStartedMs) / 1000
  makeRoom = () => manager.makeRoom(directories[0]!)
  const logs = [...manager.partitions()].length
  if (logs > 0 && !manager.wasCleanShutdown) {
    logger.info({ logs, elapsedMs: elapsedMs() }, 'broker was not stopped cleanly: logs recovered')
  }
  const directoryFailure = fatalFailure(manager, directories[0]!, logger)
  const failed = Promise.race([metadataFailure.promise, directoryFailure])
  const replicas = new ReplicaManager(manager, controller.state, configuration, logger)
  const producerIds = new ProducerIds((count) => controller.reserveProducerIds(count))
  const dependencies = { runtime, config, logger, controller, replicas }
  const groupRandom = runtime.random.fork('groups')
  const groups = await openGroups({
    ...dependencies,
    configuration,
    newId: () => randomText(groupRandom),
  })
  undo.push(() => groups.close())
  const transactions = await openTransactions({ ...dependencies, producerIds, groups })
  undo.push(() => transactions.close())
  const traffic = new TrafficByTopic()
  controller.onTopicDeleted(async ({ name }) => {
    traffic.forget(name)
    const errorCode = await groups.forgetTopic(name)
    if (errorCode === ErrorCode.none) return
    throw new KafkaError(errorCode, `failed to delete the offsets committed for topic ${name}`)
  })
  await controller.start(replicas)
  undo.push(() => controller.stop())
  transactions.start()
  const cleaner = startCleaner(options, configuration, manager)
  undo.push(() => cleaner.close())
  const sessionRandom = runtime.random.fork('fetch sessions')
  const parts: BrokerParts = {
    nodeId: config['node.id'],
    configuration,
    get config() {
      return configuration.current
    },
    clock: runtime.clock,
    logger,
    logLevel: options.logLevel,
    gate: new RequestGate({
      authorizer: allowAll,
      throttle: noThrottle,
      topics: controller.state,
    }),
    controller,
    replicas,
    groups,
    transactions,
    transactionalAppends: new TransactionalAppends(transactions),
    producerIds,
    fetchSessions: new FetchSessions({
      maxSessions: config['max.incremental.fetch.session.cache.slots'],
      newId: () => sessionRandom.uint32() >>> 1,
    }),
    followedRequests: new FollowedRequests(logger),
    requestFigures: new RequestFigures(),
    traffic,
    testHooks: options.testHooks,
  }
  options.testHooks?.opened(parts, manager)
  const server = new BrokerServer(parts)
  undo.push(() => server.close(config['shutdown.drain.timeout.ms']))
  // Requests that wait for a group or a transaction keep their connections open, so they are
  // answered first.
  undo.push(() => groups.close())
  undo.push(() => transactions.close())
  undo.push(() => server.drain())
  for (const listener of options.listeners) await server.listen(listener)
  if (options.metrics) {
    const started = { recoverySeconds, startSeconds: elapsedMs() / 1000 }
    const sources = { runtime, parts, server, logs: manager, cleaner, start: started }
    undo.push(exposeBroker(options.metrics, sources))
  }
  const listeners = server.listeners.map(({ name, address }) => `${name}://${addressText(address)}`)
  logger.info({ nodeId, listeners, logs, elapsedMs: elapsedMs() }, 'broker started')
  let closing: Promise<void> | undefined
  const closeOnce = async () => {
    const stoppingMs = runtime.clock.monotonicMs()
    const ranMs = elapsedMs()
    logger.info({ nodeId, ranMs }, 'broker stopping')
    await closeAll()
    const tookMs = Math.round(runtime.clock.monotonicMs() - stoppingMs)
    logger.info({ nodeId, elapsedMs: tookMs }, 'broker stopped')
  }
  return {
    clusterId: controller.clusterId,
    listeners: server.listeners,
    topics: () => describeTopics(controller.state, replicas, traffic),
    failed,
    health: brokerHealth({
      ...{ manager, replicas, reservedBytes: config['log.dir.reserved.bytes'] },
      metadataFailure: () => metadataError,
      isStopping: () => closing !== undefined,
    }),
    close() {
      closing ??= closeOnce()
      return closing
    },
  }
}

/**
 * Resolves when the last data directory, or the one with the metadata log, has failed: as in Kafka,
 * the broker stops then.
 */
function fatalFailure(manager: LogManager, metadataIn: string, logger: Logger): Promise<LogError> {
  return new Promise((resolve) => {
    manager.onDirectoryFailure(({ path, error }) => {
      const isLast = manager.directories.length === 0
      if (!isLast && path !== metadataIn) return
      const reason = isLast
        ? 'no data directory is left'
        : 'the data directory with the metadata failed'
      logger.error({ path, reason }, 'the broker must stop')
      resolve(error)
    })
  })
}

function metadataFailed(cause: unknown, logger: Logger): Error {
  const error = new BrokerError(
    'METADATA_FAILED',
    `the metadata log failed (${(cause as Error).message}): check the disk, then restart the broker`,
    cause,
  )
  logger.error({ error, reason: 'the metadata log has failed' }, 'the broker must stop')
  return error
}

/** Starts log compaction, until the cleaner is closed. */
function startCleaner(
  { runtime, config, logger }: BrokerOptions,
  configuration: DynamicConfiguration,
  manager: LogManager,
) {
  const cleaner = new LogCleaner({
    disk: runtime.disk,
    clock: runtime.clock,
    logger,
    directories: manager.directories,
    get backoffMs() {
      return configuration.current['log.cleaner.backoff.ms']
    },
    get dedupeBufferBytes() {
      return configuration.current['log.cleaner.dedupe.buffer.size']
    },
    get ioBufferBytes() {
      return configuration.current['log.cleaner.io.buffer.size']
    },
    get ioMaxBytesPerSecond() {
      return configuration.current['log.cleaner.io.max.bytes.per.second']
    },
  })
  configuration.onChange(() => cleaner.settingsChanged())
  if (config['log.cleaner.enable']) cleaner.start()
  return cleaner
}

function journalOf({ runtime, config }: BrokerOptions) {
  const fileBytes = config['flush.journal.file.bytes']
  return fileBytes === 0 ? undefined : { random: runtime.random.fork('journal'), fileBytes }
}

interface MetadataOptions {
  readonly configuration: DynamicConfiguration
  readonly makeRoom: () => Promise<boolean>
  readonly onFailure: (reason: Error) => void
}

async function openController(
  { runtime, config, logger, openMetadataLog = openLevelMetadataLog }: BrokerOptions,
  { configuration, makeRoom, onFailure }: MetadataOptions,
): Promise<Controller> {
  const directory = join(dataDirectories(config)[0]!, '__metadata')
  const log = await openMetadataLog({ directory, makeRoom })
  try {
    return await Controller.open({
      log,
      clock: runtime.clock,
      logger,
      configuration,
      onFailure: (cause) => onFailure(metadataFailed(cause, logger)),
      incarnation: uuidText(randomUuid(runtime.random)),
      newTopicId: () => uuidText(randomUuid(runtime.random)),
      newClusterId: () => randomUuid(runtime.random).toString('base64url'),
    })
  } catch (error) {
    await log.close()
    throw error
  }
}

function randomText(random: Random): string {
  return uuidText(randomUuid(random))
}

function uuidText(uuid: Buffer): string {
  const hex = uuid.toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
