// A broker whose log lines fail to be written, each in turn: it continues to serve, and logs again
// once that is possible. With every error of a write to standard error.

import { expect, it } from 'vitest'
import { startBroker } from '../../../broker/broker.ts'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import type { LogOutput } from '../../../protocol/runtime/process/standardStreams.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { lostLine, pinoLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { LogLines } from '../../../protocol/telemetry/logging/logLines.ts'
import { RawClient } from './memoryBroker.ts'

const address = { host: 'broker', port: 9092 }

/** Logs through an output whose writes `[from, until)` fail. Returns the logged messages. */
async function life(from: number, until: number, code: string): Promise<string[]> {
  let calls = 0
  let text = ''
  const output: LogOutput = {
    write(bytes) {
      const call = calls++
      if (call >= from && call < until) throw Object.assign(new Error(code), { code })
      text += Buffer.from(bytes)
      return bytes.length
    },
    later() {},
    atEnd() {},
    pause() {},
  }
  const network = memoryNetwork()
  const broker = await startBroker({
    runtime: {
      clock: new ManualClock(),
      disk: new MemoryDisk(),
      network,
      random: seededRandom(1),
      scheduler: systemScheduler,
    },
    logger: pinoLogger('info', new LogLines({ output, lostLine, maxPendingBytes: 1 })),
    config: brokerConfig({ 'log.dir': '/data', 'shutdown.drain.timeout.ms': 0 }),
    listeners: [{ name: 'MEMORY', network, address }],
    openMetadataLog: async () => new MemoryMetadataLog(),
  })
  for (let garbage = 0; garbage < 3; garbage++) {
    const client = new RawClient(await network.connect(address, 1000))
    client.write(Buffer.alloc(16, 0xff))
    await client.closed
  }
  const client = new RawClient(await network.connect(address, 1000))
  const { errorCode } = await client.send(apiVersions, 0, {})
  expect(errorCode).toBe(0)
  client.close()
  await broker.close()
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line).msg)
}

it.each(['EIO', 'ENOSPC', 'EPIPE', 'EAGAIN'])(
  '%s at any line, or from any line on, does not stop the broker',
  async (code) => {
    const whole = await life(0, 0, code)
    expect(whole.filter((message) => message === 'disconnecting client')).toHaveLength(3)
    for (let line = 0; line < whole.length; line++) {
      const once = await life(line, line + 1, code)
      // A failed line waits for the next one; only the last line has none.
      expect(once).toEqual(line < whole.length - 1 ? whole : whole.slice(0, -1))
      const twice = await life(line, line + 4, code)
      if (line < whole.length - 4) expect(twice.join()).toMatch(/log lines were lost/)
      expect(await life(line, Infinity, code)).toEqual(whole.slice(0, line))
    }
  },
)
