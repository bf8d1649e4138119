// The HTTP server of a starting broker: health and metrics are served from the first moment; the
// console is loaded on the first request.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BrokerHttp } from '../../broker/brokerHttp.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { MemoryLogger } from '../memoryLogger.ts'
import { plainOperations } from '../protocol/operations/plainOperations.ts'
import { MemoryBroker } from './server/memoryBroker.ts'

const opened = vi.hoisted(() => ({ count: 0, failures: 0 }))

vi.mock('../../broker/admin/console.ts', async (original) => {
  const actual = await original<typeof import('../../broker/admin/console.ts')>()
  return {
    openConsole(options: Parameters<typeof actual.openConsole>[0]) {
      opened.count++
      if (opened.failures-- > 0) throw new Error('a file of the package is missing')
      return actual.openConsole(options)
    },
  }
})

let broker: MemoryBroker
let logger: MemoryLogger
let http: BrokerHttp

beforeEach(async () => {
  Object.assign(opened, { count: 0, failures: 0 })
  broker = await MemoryBroker.start()
  logger = new MemoryLogger()
  const { health: _, ...operations } = plainOperations
  http = await BrokerHttp.start({
    ...{
      runtime: {
        clock: broker.clock,
        network: broker.network,
        random: seededRandom(1),
        scheduler: systemScheduler,
      },
      logger,
    },
    operations,
    plan: { console: { port: 0, isAsked: true }, metrics: undefined },
    inside: { host: 'broker', port: 9092 },
  })
})
afterEach(async () => {
  await http.leave()
  await http.close()
  await broker.stop()
})

const statusOf = async (path: string) => (await fetch(`${http.consoleUrl}${path}`)).status

test('health and metrics are served while the broker starts, and nothing else is loaded', async () => {
  expect(await statusOf('healthy')).toBe(200)
  expect(await statusOf('ready')).toBe(503)
  expect(await statusOf('metrics')).toBe(200)
  await broker.clock.advanceAndSettle(60_000)
  expect(opened.count).toBe(0)
})

test('the page and the API are loaded on request while the broker starts', async () => {
  expect(await statusOf('')).toBe(200)
  expect(await statusOf('openapi.json')).toBe(200)
  expect(opened.count).toBe(1)
})

describe('a broker that serves clients', () => {
  test('loads the console once, one second after the start', async () => {
    http.serves(broker.broker)
    expect(await statusOf('ready')).toBe(200)
    await broker.clock.advanceAndSettle(999)
    expect(opened.count).toBe(0)
    await broker.clock.advanceAndSettle(1)
    await expect.poll(() => opened.count).toBe(1)
    expect(await statusOf('')).toBe(200)
    expect(opened.count).toBe(1)
  })

  test('logs that the console cannot be loaded, and retries at the next request', async () => {
    opened.failures = 2
    http.serves(broker.broker)
    await broker.clock.advanceAndSettle(1_000)
    await expect.poll(() => logger.lines.length).toBe(1)
    expect(logger.lines[0]).toMatchObject({
      level: 'error',
      message: 'failed to load the console; the next request retries',
    })
    expect(await statusOf('')).toBe(500)
    expect(await statusOf('healthy')).toBe(200)
    expect(await statusOf('')).toBe(200)
  })

  test('stops without loading a console that was never requested', async () => {
    http.serves(broker.broker)
    await http.leave()
    await broker.clock.advanceAndSettle(10_000)
    expect(opened.count).toBe(0)
  })
})
