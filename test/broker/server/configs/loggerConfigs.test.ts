// The log level of the broker, as Kafka's tools change it.

import { beforeEach, describe, expect, test } from 'vitest'
import { ConfigOperation, ResourceType } from '../../../../broker/controller/configRequests.ts'
import {
  alterLoggers,
  loggerLevels,
  loggerProblem,
} from '../../../../broker/server/configs/loggerConfigs.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import type { LogLevelControl } from '../../../../protocol/telemetry/logging/logLevel.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

let logLevel: LogLevelControl
let logger: MemoryLogger
const broker = () => ({ nodeId: 1, logger, logLevel })

beforeEach(() => {
  logLevel = { level: 'info' }
  logger = new MemoryLogger()
})

function wish(name: string, value: string | null, operation: number = ConfigOperation.set) {
  return {
    ...{ resourceType: ResourceType.brokerLogger, resourceName: '1', replacesAll: false },
    changes: [{ name, operation, value }],
  }
}

test('the level is described in capitals and can be set', () => {
  expect(loggerLevels(broker())).toEqual([{ name: 'root', value: 'INFO' }])
  const outcome = alterLoggers(wish('root', 'DEBUG'), false, broker())
  expect(outcome).toEqual({ errorCode: ErrorCode.none, message: null })
  expect(logLevel.level).toBe('debug')
  expect(loggerLevels(broker())).toEqual([{ name: 'root', value: 'DEBUG' }])
  expect(logger.messages('info')).toEqual(['log level changed'])
})

test('validateOnly changes nothing', () => {
  expect(alterLoggers(wish('root', 'ERROR'), true, broker()).errorCode).toBe(ErrorCode.none)
  expect(logLevel.level).toBe('info')
})

describe('refuses', () => {
  test.each([
    ['another logger', wish('kafka.server', 'DEBUG'), ErrorCode.invalidConfig],
    ['a level that there is not', wish('root', 'TRACE'), ErrorCode.invalidConfig],
    ['no level', wish('root', null), ErrorCode.invalidConfig],
    ['to remove the level', wish('root', null, ConfigOperation.delete), ErrorCode.invalidRequest],
    ['to replace all levels', { ...wish('root', 'INFO'), replacesAll: true }, 42],
    ['another broker', { ...wish('root', 'INFO'), resourceName: '2' }, ErrorCode.invalidRequest],
  ])('%s', (_, change, errorCode) => {
    expect(alterLoggers(change, false, broker()).errorCode).toBe(errorCode)
    expect(logLevel.level).toBe('info')
  })

  test('every change when the level cannot be changed', () => {
    expect(loggerProblem('1', { ...broker(), logLevel: undefined })).toMatch(/cannot be changed/)
  })
})
