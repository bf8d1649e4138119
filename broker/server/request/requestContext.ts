// What a handler may use: the parts of the broker, and the connection and header of the request;
// and the hooks of tests, which get the same. A handler must not keep a context longer than it
// handles the request.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import type { Address } from '../../../protocol/runtime/network.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { LogLevelControl } from '../../../protocol/telemetry/logLevel.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'
import type { DynamicConfiguration } from '../../configuration/configuration.ts'
import type { Controller } from '../../controller/controller.ts'
import type { ProducerIds } from '../../controller/producerIds.ts'
import type { GroupService } from '../../groups/groupService.ts'
import type { LogManager } from '../../log/logManager.ts'
import type { ReplicaManager } from '../../replication/replicaManager.ts'
import type { TransactionService } from '../../transactions/transactionService.ts'
import type { FetchSessions } from '../fetch/fetchSessions.ts'
import type { FollowedRequests } from '../figures/followedRequests.ts'
import type { RequestFigures, RequestRecord } from '../figures/requestFigures.ts'
import type { TrafficByTopic } from '../figures/topicTraffic.ts'
import type { ConnectionAccess } from '../gate/connectionAccess.ts'
import type { RequestGate } from '../gate/requestGate.ts'
import type { AnswerMemory } from '../memory/answerMemory.ts'
import type { TransactionalAppends } from '../transactions/transactionalAppends.ts'

export interface BrokerParts {
  readonly nodeId: number
  /** The configuration in force: read it each time, it changes while the broker runs. */
  readonly config: BrokerConfig
  readonly configuration: DynamicConfiguration
  readonly clock: Clock
  readonly logger: Logger
  /** Undefined when clients may not change the log level. */
  readonly logLevel: LogLevelControl | undefined
  /** Checks every request before its handler. */
  readonly gate: RequestGate
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
  /** What the client may do; `access.principal` is the client. */
  readonly access: ConnectionAccess
  /** `/host`, as Kafka shows it. */
  readonly clientHost: string
  /** The address that the client's own listener advertises. */
  readonly advertised: Address
  /** Memory to reserve before anything is read for an answer. */
  readonly answerMemory: AnswerMemory
  /** Aborted when the connection ends or the broker stops: long polls end. */
  readonly stopWaiting: AbortSignal
  /** Closes the connection: the only way to report the failure of a request without an answer. */
  readonly disconnect: (reason: string) => void
}

export interface RequestContext extends ConnectionContext {
  readonly apiVersion: number
  readonly clientId: string
  readonly record: RequestRecord
}

/**
 * The hooks with which tests of clients influence the broker (broker/testing). The only seam for
 * them: a broker that is started without hooks runs no code of theirs.
 */
export interface TestHooks {
  /** Called once, before the first request is served. */
  opened(parts: BrokerParts, logs: LogManager): void
  /**
   * Called with each decoded request in the place of its handler. `handle` is the handler: what it
   * is called with is handled, and what this returns is answered; a promise, or what the handler
   * returns (`noResponse` included).
   */
  handle(
    api: Api,
    request: unknown,
    context: RequestContext,
    handle: (request: unknown) => unknown,
  ): unknown
}
