// Opens what a broker stores: the metadata, the values in force, and the logs, in this order,
// because each needs the one before. Says when the broker can no longer store anything and must
// stop. Must never serve a client.

import type { Coordination } from '../protocol/coordination/coordination.ts'
import { randomUuid, uuidText } from '../protocol/runtime/random.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { OpenKeyValueStore } from '../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../protocol/runtime/store/levelStore.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import {
  type BrokerCoordination,
  type CoordinationOptions,
  openBrokerCoordination,
} from './brokerCoordination.ts'
import type { ClosingSteps } from './closingSteps.ts'
import { type BrokerConfig, dataDirectories } from './configuration/brokerOptions.ts'
import { DynamicConfiguration } from './configuration/configuration.ts'
import { logConfigOf } from './configuration/topicSettings.ts'
import { Controller } from './controller/controller.ts'
import type { MetadataLog } from './controller/metadata/metadataLog.ts'
import { openMetadataLog } from './controller/metadata/openMetadata.ts'
import { BrokerError } from './errors.ts'
import { LogCleaner } from './log/cleaner/logCleaner.ts'
import { releaseReserve } from './log/directory/diskReserve.ts'
import type { LogError } from './log/logError.ts'
import { LogManager } from './log/logManager.ts'

export interface StorageOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  /** From brokerConfig(); `log.dirs` or `log.dir` are the data directories. */
  readonly config: BrokerConfig
  /** Opens the stores of the first data directory; LevelDB unless given. */
  readonly openStore?: OpenKeyValueStore
  /** Opens coordination; unless given, what the configuration says. */
  readonly openCoordination?: (options: CoordinationOptions) => Promise<BrokerCoordination>
  /** Opens a metadata log without coordination, for tests of what is above it. */
  readonly openMetadataLog?: (makeRoom: () => Promise<boolean>) => Promise<MetadataLog>
}

export interface BrokerStorage {
  readonly configuration: DynamicConfiguration
  readonly controller: Controller
  /** Undefined if the metadata log was opened without it. */
  readonly coordination: Coordination | undefined
  /** Whether other brokers, agents and jobs are part of it. */
  readonly isCoordinationShared: boolean
  readonly manager: LogManager
  /** Number of logs that were opened. */
  readonly logs: number
  readonly recoverySeconds: number
  /** Resolves with the reason when the broker must stop. */
  readonly failed: Promise<Error>
  /** The reason why the metadata log cannot be used any more. */
  metadataFailure(): Error | undefined
}

/** Rejects with a DirectoryInUseError, a LogError or a BrokerError. */
export async function openStorage(
  options: StorageOptions,
  closing: ClosingSteps,
): Promise<BrokerStorage> {
  const { runtime, config, logger } = options
  const [metadataIn] = dataDirectories(config)
  if (metadataIn === undefined) {
    throw new BrokerError(
      'CONFIGURATION_INVALID',
      'log.dir is not set: set it to the data directory',
    )
  }
  await runtime.disk.makeDirectory(metadataIn)
  const configuration = new DynamicConfiguration(config)
  const metadataFailed = Promise.withResolvers<Error>()
  let metadataError: Error | undefined
  let makeRoom = () => releaseReserve(runtime.disk, metadataIn)
  const { controller, ...metadata } = await openController(options, {
    metadataIn,
    configuration,
    makeRoom: () => makeRoom(),
    onFailure: (error) => {
      metadataError = error
      metadataFailed.resolve(error)
    },
  })
  closing.add(() => controller.close())
  const startedMs = runtime.clock.monotonicMs()
  const manager = await openLogs(options, configuration, controller)
  closing.add(() => manager.close())
  makeRoom = () => manager.makeRoom(metadataIn)
  const elapsedMs = Math.round(runtime.clock.monotonicMs() - startedMs)
  const logs = [...manager.partitions()].length
  if (logs > 0 && !manager.wasCleanShutdown) {
    logger.info({ logs, elapsedMs }, 'broker was not stopped cleanly: logs recovered')
  }
  const failures = [metadataFailed.promise, directoryFailure(manager, metadataIn, logger)]
  return {
    ...{ configuration, controller, ...metadata, manager, logs, recoverySeconds: elapsedMs / 1000 },
    failed: Promise.race(failures),
    metadataFailure: () => metadataError,
  }
}

/** Starts log compaction, until the cleaner is closed. */
export function startCleaner(
  { runtime, config, logger }: StorageOptions,
  { configuration, manager }: BrokerStorage,
): LogCleaner {
  const cleaner = new LogCleaner({
    disk: runtime.disk,
    clock: runtime.clock,
    rarePoints: runtime.rarePoints,
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

interface ControllerOptions {
  /** The first data directory. */
  readonly metadataIn: string
  readonly configuration: DynamicConfiguration
  readonly makeRoom: () => Promise<boolean>
  readonly onFailure: (reason: Error) => void
}

interface OpenedMetadata {
  readonly log: MetadataLog
  readonly coordination: Coordination | undefined
  readonly isCoordinationShared: boolean
}

interface OpenedController extends Omit<OpenedMetadata, 'log'> {
  readonly controller: Controller
}

async function openController(
  storage: StorageOptions,
  options: ControllerOptions,
): Promise<OpenedController> {
  const { runtime, logger } = storage
  const { configuration, onFailure } = options
  const { log, ...metadata } = await openMetadata(storage, options)
  try {
    const controller = await Controller.open({
      log,
      clock: runtime.clock,
      rarePoints: runtime.rarePoints,
      logger,
      configuration,
      onFailure: (cause) => onFailure(metadataFailure(cause, logger)),
      incarnation: uuidText(randomUuid(runtime.random)),
      newTopicId: () => uuidText(randomUuid(runtime.random)),
      newClusterId: () => randomUuid(runtime.random).toString('base64url'),
    })
    return { controller, ...metadata }
  } catch (error) {
    await log.close()
    throw error
  }
}

async function openMetadata(
  storage: StorageOptions,
  { metadataIn, makeRoom, onFailure }: ControllerOptions,
): Promise<OpenedMetadata> {
  const { runtime, logger, config, openStore = openLevelStore, openCoordination } = storage
  if (storage.openMetadataLog) {
    const log = await storage.openMetadataLog(makeRoom)
    return { log, coordination: undefined, isCoordinationShared: false }
  }
  const open = openCoordination ?? openBrokerCoordination
  const { coordination, others, isShared } = await open({
    ...{ runtime, logger, config, metadataIn, makeRoom, openStore },
  })
  const random = runtime.random.fork('metadata')
  try {
    const opening = { coordination, isShared, others, logger, random, onGap: onFailure }
    const log = await openMetadataLog(opening)
    return { log, coordination, isCoordinationShared: isShared }
  } catch (error) {
    await coordination.close()
    throw error
  }
}

async function openLogs(
  { runtime, config, logger }: StorageOptions,
  configuration: DynamicConfiguration,
  controller: Controller,
): Promise<LogManager> {
  const fileBytes = config['flush.journal.file.bytes']
  return await LogManager.open({
    disk: runtime.disk,
    clock: runtime.clock,
    scheduler: runtime.scheduler,
    rarePoints: runtime.rarePoints,
    random: runtime.random.fork('logs'),
    logger,
    directories: dataDirectories(config),
    identity: {
      nodeId: config['node.id'],
      clusterId: controller.clusterId,
      newDirectoryId: () => randomUuid(runtime.random).toString('base64url'),
    },
    checkpointIntervalMs: config['log.flush.offset.checkpoint.interval.ms'],
    retentionCheckIntervalMs: config['log.retention.check.interval.ms'],
    initialTaskDelayMs: config['log.initial.task.delay.ms'],
    reservedBytes: config['log.dir.reserved.bytes'],
    journal: fileBytes === 0 ? undefined : { random: runtime.random.fork('journal'), fileBytes },
    configOf: (topic) =>
      logConfigOf(controller.state.topic(topic)?.configs ?? {}, configuration.current),
    isForeign: (topic, topicId) => controller.state.isForeign(topic, topicId),
  })
}

/**
 * Resolves when the last data directory, or the one with the metadata log, has failed: as in Kafka,
 * the broker stops then.
 */
function directoryFailure(
  manager: LogManager,
  metadataIn: string,
  logger: Logger,
): Promise<LogError> {
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

function metadataFailure(cause: unknown, logger: Logger): Error {
  const error = new BrokerError(
    'METADATA_FAILED',
    `the metadata log failed (${(cause as Error).message}): check the disk, then restart the broker`,
    cause,
  )
  logger.error({ error, reason: 'the metadata log has failed' }, 'the broker must stop')
  return error
}
