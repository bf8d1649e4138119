// Well-formed requests with arbitrary values, of every API in every version: each one is answered
// or refused for a reason, and nothing in the broker fails.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { servedApis } from '../../../broker/server/dispatch/dispatch.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { refusedApis } from '../../../protocol/kafka/apis.ts'
import { encodeRequest } from '../../../protocol/kafka/frame.ts'
import type { Api, Message } from '../../../protocol/kafka/schema/schema.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { structArbitrary } from '../../protocol/kafka/messageArbitrary.ts'
import { MemoryBroker } from './memoryBroker.ts'

const samplesPerVersion = 10

function framesOf(api: Api, version: number): Buffer[] {
  const { fields } = api.request as Message<never>
  const bodies = fc.sample(structArbitrary(fields, version, 'omitted'), samplesPerVersion)
  const header = { correlationId: 1, clientId: 'any' }
  return bodies.map((body) => Buffer.concat(encodeRequest(api, version, header, body)))
}

async function sendOn(broker: MemoryBroker, frame: Buffer): Promise<void> {
  const connection = await broker.network.connect({ host: 'broker', port: 9092 }, 1000)
  connection.start({ onData() {}, onDrain() {}, onClose() {} })
  connection.write([frame])
}

function errorsOf({ logger }: MemoryBroker): unknown[] {
  return logger.lines.filter(({ level }) => level === 'error')
}

it('no well-formed request makes the broker fail', async () => {
  const broker = await MemoryBroker.start({ 'auto.create.topics.enable': false })
  for (const api of [...servedApis, ...refusedApis.map((refused) => refused.api)]) {
    for (let version = api.minVersion; version <= api.maxVersion; version++) {
      for (const frame of framesOf(api, version)) await sendOn(broker, frame)
      await settle()
      expect(errorsOf(broker), `${api.name} v${version}`).toEqual([])
    }
  }
  await settle()
  expect(errorsOf(broker)).toEqual([])
  const client = await broker.client()
  await client.send(apiVersions, 0, {})
  await broker.stop()
})
