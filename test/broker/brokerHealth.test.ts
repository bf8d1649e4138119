// The health of a broker: each code is reported when its condition begins, and removed when the
// condition ends.

import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BrokerHttp } from '../../broker/brokerHttp.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { ManualClock, settle } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { plainOperations } from '../protocol/operations/plainOperations.ts'
import { AdminRequests } from './failures/adminRequests.ts'
import { FaultyDisk, type Verdict } from './failures/faultyDisk.ts'
import { FaultyMetadataLog } from './failures/faultyMetadataLog.ts'
import { MemoryBroker } from './server/memoryBroker.ts'

const mebibyte = 1024 * 1024
let broker: MemoryBroker
let verdict: Verdict

beforeEach(() => {
  verdict = () => undefined
})

afterEach(async () => {
  verdict = () => undefined
  // A failed disk may prevent the close, which these tests do not check.
  await broker.stop().catch(() => {})
})

async function start(
  config: Parameters<typeof MemoryBroker.start>[0] = {},
  disk = new MemoryDisk(),
): Promise<AdminRequests> {
  broker = await MemoryBroker.start(config)
  await broker.stop()
  broker.disk = disk
  broker.metadataLog.entries = []
  broker.wrapDisk = (each) => new FaultyDisk(each, (operation, path) => verdict(operation, path))
  broker.wrapMetadataLog = (log) => new FaultyMetadataLog(log, (...call) => verdict(...call))
  await broker.start()
  await seconds(6)
  return new AdminRequests(await broker.client())
}

async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    await broker.clock.advanceAndSettle(1000)
    await settle()
  }
}

function told() {
  const { health } = broker.broker
  const kinds = {
    unhealthy: health.unhealthy(),
    notReady: health.notReady(),
    warnings: health.warnings!(),
  }
  const some = Object.entries(kinds).filter(([, reasons]) => reasons.length > 0)
  return Object.fromEntries(some.map(([kind, reasons]) => [kind, reasons.map(({ code }) => code)]))
}

describe('the free space of a data directory', () => {
  test('DISK_NEARLY_FULL is reported below ten times log.dir.reserved.bytes', async () => {
    await start(
      { 'log.dir.reserved.bytes': mebibyte },
      new MemoryDisk({ freeBytes: 10 * mebibyte }),
    )
    expect(told()).toEqual({ warnings: ['DISK_NEARLY_FULL'] })
    const [reason] = broker.broker.health.warnings!()
    expect(reason!.message).toMatch(
      /^\/data is nearly full: produces are refused after 9 MiB more.*retention\.bytes/,
    )
  })

  test('DISK_NEARLY_FULL is not reported with more free space', async () => {
    const freeBytes = 10 * mebibyte + 1
    await start({ 'log.dir.reserved.bytes': mebibyte }, new MemoryDisk({ freeBytes }))
    expect(told()).toEqual({})
  })

  test('DISK_FULL is reported while produces are refused, with the time since when', async () => {
    const config = { 'log.dir.reserved.bytes': mebibyte, 'flush.journal.file.bytes': 32 * 1024 }
    await start(config, new MemoryDisk({ sizeBytes: 8 * mebibyte }))
    expect(told()).toEqual({ warnings: ['DISK_NEARLY_FULL'] })
    const filler = await broker.disk.open('/filler', 'write')
    const fill = async () => {
      for (let position = 0; ; position += 4096) {
        await filler.write([Buffer.alloc(4096)], position)
      }
    }
    await expect(fill()).rejects.toMatchObject({ code: 'ENOSPC' })
    await seconds(15)
    expect(told()).toEqual({ notReady: ['DISK_FULL'] })
    const [reason] = broker.broker.health.notReady()
    expect(reason!.message).toContain('/data')
    const agoMs = broker.clock.nowMs() - reason!.sinceMs!
    expect(agoMs).toBeGreaterThanOrEqual(0)
    expect(agoMs).toBeLessThanOrEqual(15_000)
    await filler.truncate(0)
    await filler.close()
    await seconds(15)
    expect(told()).toEqual({ warnings: ['DISK_NEARLY_FULL'] })
  })
})

test('a failed metadata log makes the broker unhealthy, and the broker stops', async () => {
  const admin = await start()
  verdict = (operation) => (operation.startsWith('metadata') ? 'EIO' : undefined)
  await admin.createTopics(['t', 1])
  expect(await broker.broker.failed).toMatchObject({ code: 'METADATA_FAILED' })
  expect(told()).toEqual({ unhealthy: ['METADATA_FAILED'] })
  expect(broker.broker.health.unhealthy()[0]!.message).toMatch(
    /check the disk, then restart the broker/,
  )
})

test('a failed data directory is reported with its partitions', async () => {
  const admin = await start({ 'log.dirs': '/one,/two' })
  expect(await admin.createTopics(['t', 8])).toEqual([0])
  verdict = (operation, path) =>
    path.startsWith('/two') && operation !== 'freeBytes' ? 'EIO' : undefined
  for (let partition = 0; partition < 8; partition++) await admin.produce('t', partition, ['x'])
  await seconds(15)
  expect(told()).toEqual({ unhealthy: ['DATA_DIRECTORY_FAILED', 'PARTITIONS_OFFLINE'] })
  const [directory, partitions] = broker.broker.health.unhealthy()
  expect(directory!.message).toContain('/two')
  expect(directory!.sinceMs).toBeLessThanOrEqual(broker.clock.nowMs())
  expect(partitions!.message).toMatch(/^4 partitions \(t-\d, t-\d, t-\d and 1 more\): /)
})

test('partitions that cannot be written are reported until the obstacle is removed', async () => {
  const admin = await start()
  expect(await admin.createTopics(['t', 1])).toEqual([0])
  verdict = (operation, path) =>
    operation === 'open' && path.startsWith('/data/t-0') ? 'EMFILE' : undefined
  await admin.produce('t', 0, ['x'])
  await seconds(3)
  expect(told()).toEqual({ notReady: ['PARTITIONS_WAITING'] })
  const [reason] = broker.broker.health.notReady()
  expect(reason!.message).toMatch(/^partition t-0 cannot be written: .*ulimit -n/)
  verdict = () => undefined
  await seconds(15)
  expect(told()).toEqual({})
})

test('a broker that is stopping reports it until it has stopped', async () => {
  await start()
  expect(told()).toEqual({})
  const closed = broker.broker.close()
  expect(told()).toEqual({ notReady: ['STOPPING'] })
  await closed
  expect(told()).toEqual({ notReady: ['STOPPING'] })
})

describe('over HTTP', () => {
  function ask(url: string): Promise<{ status: number; body: { reasons: { code: string }[] } }> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { agent: false }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString())
          resolve({ status: response.statusCode!, body })
        })
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  test('health is served from before the logs are open until the process ends', async () => {
    const clock = new ManualClock()
    const metrics = { host: '127.0.0.1', port: 0 }
    const http = await BrokerHttp.start({
      runtime: { ...nodeRuntime(memoryNetwork()), clock },
      logger: silentLogger,
      plan: { console: undefined, metrics },
      inside: { host: 'broker', port: 9092 },
      operations: plainOperations,
    })
    try {
      const url = http.metricsUrl!.replace(/\/metrics$/, '')
      clock.advance(90_000)
      expect(await ask(`${url}/ready`)).toMatchObject({
        status: 503,
        body: {
          ready: false,
          reasons: [
            {
              code: 'STARTING',
              message: expect.stringMatching(/has been starting for 90 s|1 min/),
            },
          ],
        },
      })
      expect(await ask(`${url}/healthy`)).toMatchObject({ status: 200 })
      await start()
      http.serves(broker.broker)
      expect(await ask(`${url}/ready`)).toMatchObject({ status: 200, body: { reasons: [] } })
      await http.leave()
      await broker.broker.close()
      const stopping = await ask(`${url}/ready`)
      expect(stopping.status).toBe(503)
      expect(stopping.body.reasons.map(({ code }) => code)).toEqual(['STOPPING'])
      expect(await ask(`${url}/healthy`)).toMatchObject({ status: 200 })
    } finally {
      await http.close()
    }
  })
})
