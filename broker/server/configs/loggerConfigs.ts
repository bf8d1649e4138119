// The log level of the broker, as Kafka's tools read and change it: the configs of BROKER_LOGGER,
// one per logger. There is one logger, Kafka's `root`. As in Kafka, a change lasts until the broker
// stops.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  isLogLevel,
  type LogLevelControl,
  logLevels,
} from '../../../protocol/telemetry/logging/logLevel.ts'
import { ConfigOperation, type ConfigRequest } from '../../controller/configRequests.ts'
import type { ConfigOutcome } from '../../controller/controller.ts'
import type { BrokerParts } from '../request/requestContext.ts'

const rootLogger = 'root'
const shownLevels = logLevels.map((level) => level.toUpperCase()).join(', ')

type LoggingBroker = Pick<BrokerParts, 'nodeId' | 'logger' | 'logLevel'>

/** Returns why the loggers cannot be described or changed; undefined if they can. */
export function loggerProblem(
  resourceName: string,
  { nodeId, logLevel }: LoggingBroker,
): string | undefined {
  if (logLevel === undefined) return 'the log level of this broker cannot be changed while it runs'
  if (resourceName === String(nodeId)) return undefined
  return `this is broker ${nodeId}, not ${resourceName}`
}

/**
 * Returns the loggers and their levels. The caller has checked that `loggerProblem` is undefined.
 */
export function loggerLevels({ logLevel }: LoggingBroker): { name: string; value: string }[] {
  return [{ name: rootLogger, value: logLevel!.level.toUpperCase() }]
}

export function alterLoggers(
  { resourceName, changes, replacesAll }: ConfigRequest,
  validateOnly: boolean,
  broker: LoggingBroker,
): ConfigOutcome {
  const problem = loggerProblem(resourceName, broker)
  if (problem !== undefined) return refused(ErrorCode.invalidRequest, problem)
  if (replacesAll) {
    return refused(
      ErrorCode.invalidRequest,
      'levels of loggers are changed one by one, as in Kafka',
    )
  }
  let level: LogLevelControl['level'] | undefined
  for (const { name, operation, value } of changes) {
    if (name !== rootLogger) {
      return refused(ErrorCode.invalidConfig, `there is no logger ${name}, only ${rootLogger}`)
    }
    if (operation !== ConfigOperation.set || level !== undefined) {
      return refused(
        ErrorCode.invalidRequest,
        `the request must set the level of ${rootLogger}, exactly once`,
      )
    }
    const wanted = value?.toLowerCase()
    if (!isLogLevel(wanted)) {
      return refused(
        ErrorCode.invalidConfig,
        `${value} is not a log level of ${rootLogger}: expected one of ${shownLevels}`,
      )
    }
    level = wanted
  }
  if (level !== undefined && !validateOnly) {
    broker.logLevel!.level = level
    broker.logger.info({ level }, 'log level changed')
  }
  return { errorCode: ErrorCode.none, message: null }
}

function refused(errorCode: number, message: string): ConfigOutcome {
  return { errorCode, message }
}
