// A broker: starts the storage, the coordinators and the server, each after the components that it
// depends on, and closes them in reverse order. Clock, disk, network and randomness come in through
// the options. Must not listen before every component can serve.

import { Registration, registrationGroups } from '../protocol/coordination/recipes/registration.ts'
import { ErrorCode, KafkaError } from '../protocol/kafka/errors.ts'
import type { ProgramHealth } from '../protocol/operations/health.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { randomUuid, uuidText } from '../protocol/runtime/random.ts'
import { noRarePoints } from '../protocol/runtime/rarePoints.ts'
import type { LogLevelControl } from '../protocol/telemetry/logging/logLevel.ts'
import type { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import { brokerHealth } from './brokerHealth.ts'
import {
  type BrokerStorage,
  openStorage,
  type StorageOptions,
  startCleaner,
} from './brokerStorage.ts'
import { ClosingSteps } from './closingSteps.ts'
import { dataDirectories } from './configuration/brokerOptions.ts'
import { addressText } from './configuration/listenerAddress.ts'
import type { BrokerListener } from './configuration/listeners.ts'
import { ProducerIds } from './controller/producerIds.ts'
import { openGroups, openTransactions } from './coordinators.ts'
import type { LogCleaner } from './log/cleaner/logCleaner.ts'
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

/** `listeners` of the configuration is read by the command line only. */
export interface BrokerOptions extends StorageOptions {
  /** Lets clients see and change the level of `logger`. */
  readonly logLevel?: LogLevelControl
  readonly metrics?: Metrics
  readonly listeners: readonly BrokerListener[]
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
  const closing = new ClosingSteps()
  try {
    return await start(options, closing)
  } catch (error) {
    // The failure of the start matters more than a failure to close after it.
    await closing.run().catch(() => {})
    throw error
  }
}

async function start(options: BrokerOptions, closing: ClosingSteps): Promise<Broker> {
  const { runtime, config, logger } = options
  const nodeId = config['node.id']
  const startedMs = runtime.clock.monotonicMs()
  const elapsedMs = () => Math.round(runtime.clock.monotonicMs() - startedMs)
  logger.info({ nodeId, directories: dataDirectories(config) }, 'broker starting')
  const storage = await openStorage(options, closing)
  const parts = await startParts(options, storage, closing)
  const cleaner = startCleaner(options, storage)
  closing.add(() => cleaner.close())
  options.testHooks?.opened(parts, storage.manager)
  const server = await startServer(options, parts, closing)
  register(options, storage, server, closing)
  const startSeconds = elapsedMs() / 1000
  exposeMetrics(options, { parts, server, storage, cleaner, startSeconds }, closing)
  const listeners = server.listeners.map(({ name, address }) => `${name}://${addressText(address)}`)
  logger.info({ nodeId, listeners, logs: storage.logs, elapsedMs: elapsedMs() }, 'broker started')
  const { controller, coordination, manager, failed, metadataFailure } = storage
  const { replicas, traffic } = parts
  let closed: Promise<void> | undefined
  const closeOnce = async () => {
    const stoppingMs = runtime.clock.monotonicMs()
    logger.info({ nodeId, ranMs: elapsedMs() }, 'broker stopping')
    await closing.run()
    const tookMs = Math.round(runtime.clock.monotonicMs() - stoppingMs)
    logger.info({ nodeId, elapsedMs: tookMs }, 'broker stopped')
  }
  return {
    clusterId: controller.clusterId,
    listeners: server.listeners,
    topics: () => describeTopics(controller.state, replicas, traffic),
    failed,
    health: brokerHealth({
      ...{ manager, replicas, coordination, reservedBytes: config['log.dir.reserved.bytes'] },
      metadataFailure,
      isStopping: () => closed !== undefined,
    }),
    close() {
      closed ??= closeOnce()
      return closed
    },
  }
}

/** Starts what answers requests: the replicas, the controller's work, both coordinators. */
async function startParts(
  options: BrokerOptions,
  { configuration, controller, manager, isCoordinationShared }: BrokerStorage,
  closing: ClosingSteps,
): Promise<BrokerParts> {
  const { runtime, config, logger, logLevel, testHooks } = options
  const { state } = controller
  const replicas = new ReplicaManager(manager, state, configuration, logger)
  const producerIds = new ProducerIds((count) => controller.reserveProducerIds(count))
  const dependencies = { runtime, config, logger, controller, replicas }
  const groupRandom = runtime.random.fork('groups')
  const newId = () => uuidText(randomUuid(groupRandom))
  const groups = await openGroups({ ...dependencies, configuration, newId })
  closing.add(() => groups.close())
  const transactions = await openTransactions({ ...dependencies, producerIds, groups })
  closing.add(() => transactions.close())
  const traffic = new TrafficByTopic()
  controller.onTopicDeleted(async ({ name }) => {
    traffic.forget(name)
    const errorCode = await groups.forgetTopic(name)
    if (errorCode === ErrorCode.none) return
    throw new KafkaError(errorCode, `failed to delete the offsets committed for topic ${name}`)
  })
  await controller.start(replicas)
  // Coordination that is elsewhere may be out of reach when the first producer comes.
  if (isCoordinationShared) producerIds.prefetch()
  closing.add(() => controller.stop())
  transactions.start()
  const sessionRandom = runtime.random.fork('fetch sessions')
  const rarePoints = runtime.rarePoints ?? noRarePoints
  return {
    nodeId: config['node.id'],
    configuration,
    get config() {
      return configuration.current
    },
    clock: runtime.clock,
    rarePoints,
    ...{ logger, logLevel, controller, replicas, groups, transactions, producerIds, traffic },
    gate: new RequestGate({ authorizer: allowAll, throttle: noThrottle, topics: state }),
    transactionalAppends: new TransactionalAppends(transactions),
    fetchSessions: new FetchSessions({
      maxSessions: config['max.incremental.fetch.session.cache.slots'],
      newId: () => sessionRandom.uint32() >>> 1,
      rarePoints,
    }),
    followedRequests: new FollowedRequests(logger),
    requestFigures: new RequestFigures(),
    testHooks,
  }
}

/** Only others could read it: a broker with embedded coordination is alone. */
function register(
  { runtime, config, logger }: BrokerOptions,
  { controller, coordination, isCoordinationShared }: BrokerStorage,
  server: BrokerServer,
  closing: ClosingSteps,
): void {
  if (coordination === undefined || !isCoordinationShared) return
  const { clock } = runtime
  const id = config['node.id']
  const registration = new Registration({
    ...{ coordination, clock, logger, group: registrationGroups.brokers, name: String(id) },
    about: {
      ...{ id, clusterId: controller.clusterId },
      listeners: server.listeners.map(({ name, advertised }) => ({ name, ...advertised })),
    },
  })
  closing.add(() => registration.close())
}

async function startServer(
  { config, listeners }: BrokerOptions,
  parts: BrokerParts,
  closing: ClosingSteps,
): Promise<BrokerServer> {
  const server = new BrokerServer(parts)
  closing.add(() => server.close(config['shutdown.drain.timeout.ms']))
  // Requests that wait for a group or a transaction keep their connections open, so they are
  // answered first.
  closing.add(() => parts.groups.close())
  closing.add(() => parts.transactions.close())
  // The removal of a topic also deletes its committed offsets, which closed groups refuse.
  closing.add(() => parts.controller.stop())
  closing.add(() => server.drain())
  for (const listener of listeners) await server.listen(listener)
  return server
}

interface Exposed {
  readonly parts: BrokerParts
  readonly server: BrokerServer
  readonly storage: BrokerStorage
  readonly cleaner: LogCleaner
  readonly startSeconds: number
}

function exposeMetrics(
  { runtime, metrics }: BrokerOptions,
  { parts, server, storage, cleaner, startSeconds }: Exposed,
  closing: ClosingSteps,
): void {
  if (!metrics) return
  const { manager: logs, recoverySeconds, coordination } = storage
  const start = { recoverySeconds, startSeconds }
  closing.add(exposeBroker(metrics, { runtime, parts, server, logs, cleaner, start, coordination }))
}
