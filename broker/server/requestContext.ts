// What a handler may use: the broker's parts, and who asked, how, and over which listener.

import type { Clock } from '../../protocol/runtime/clock.ts'
import type { Address } from '../../protocol/runtime/network.ts'
import type { Logger } from '../../protocol/telemetry/logger.ts'
import type { LogLevelControl } from '../../protocol/telemetry/logLevel.ts'
import type { BrokerConfig } from '../configuration.ts'
import type { Controller } from '../controller/controller.ts'
import type { ProducerIds } from '../controller/producerIds.ts'
import type { DynamicConfiguration } from '../dynamicConfiguration.ts'
import type { GroupService } from '../groups/groupService.ts'
import type { ReplicaManager } from '../replication/replicaManager.ts'
import type { TransactionService } from '../transactions/transactionService.ts'
import type { AnswerMemory } from './answerMemory.ts'
import type { FetchSessions } from './fetchSessions.ts'
import type { FollowedRequests } from './followedRequests.ts'
import type { RequestFigures, RequestRecord } from './requestFigures.ts'
import type { TestHooks } from './testHooks.ts'
import type { TrafficByTopic } from './topicTraffic.ts'
import type { TransactionalAppends } from './transactionalAppends.ts'

export interface BrokerParts {
  readonly nodeId: number
  /** What holds now: it may be another one at the next look. */
  readonly config: BrokerConfig
  readonly configuration: DynamicConfiguration
  readonly clock: Clock
  readonly logger: Logger
  /** Undefined: the level of the log is not changed by clients. */
  readonly logLevel: LogLevelControl | undefined
  readonly controller: Controller
  readonly replicas: ReplicaManager
  readonly groups: GroupService
  readonly transactions: TransactionService
  readonly transactionalAppends: TransactionalAppends
  readonly producerIds: ProducerIds
  readonly fetchSessions: FetchSessions
  readonly followedRequests: FollowedRequests
  readonly requestFigures: RequestFigures
  readonly traffic: TrafficByTopic
  /** Only in tests of clients. */
  readonly testHooks: TestHooks | undefined
}

/** The same for every request of a connection. */
export interface ConnectionContext {
  readonly broker: BrokerParts
  /** `/host`, as Kafka shows it. */
  readonly clientHost: string
  /** What this client is told to connect to: the address that its own listener advertises. */
  readonly advertised: Address
  /** What is read for an answer is reserved here first. */
  readonly answerMemory: AnswerMemory
  /** Aborted when nobody reads the answer any more, or the broker stops: long polls end. */
  readonly stopWaiting: AbortSignal
  /** Closes the connection because of a request that gets no answer. */
  readonly disconnect: (reason: string) => void
}

export interface RequestContext extends ConnectionContext {
  readonly apiVersion: number
  readonly clientId: string
  readonly record: RequestRecord
}
