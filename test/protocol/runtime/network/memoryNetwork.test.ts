import { expect, test } from 'vitest'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Connection } from '../../../../protocol/runtime/network/network.ts'
import { SimulatedScheduler } from '../../../../protocol/runtime/scheduling/simulatedScheduler.ts'
import { networkConformance } from './networkConformance.ts'

networkConformance('memoryNetwork', () => {
  const network = memoryNetwork()
  return { client: network, server: network, close() {} }
})

async function pairOf(network: ReturnType<typeof memoryNetwork>, loop: SimulatedScheduler) {
  let server!: Connection
  await network.listen({ host: 'broker', port: 1 }, (connection) => {
    server = connection
  })
  const connecting = network.connect({ host: 'broker', port: 1 }, 1)
  await loop.runUntilIdle()
  return { client: await connecting, server }
}

test('chunks are delivered by reference', async () => {
  const loop = new SimulatedScheduler()
  const network = memoryNetwork({ scheduler: loop })
  const { client, server } = await pairOf(network, loop)
  const received: Buffer[] = []
  server.start({ onData: (chunk) => received.push(chunk), onDrain() {}, onClose() {} })
  const chunk = Buffer.from('whole batches are not copied')
  client.write([chunk])
  await loop.runUntilIdle()
  expect(received[0]!.buffer).toBe(chunk.buffer)
  expect(received[0]!.byteOffset).toBe(chunk.byteOffset)
})

test('a busy connection does not starve an idle one', async () => {
  const loop = new SimulatedScheduler()
  const network = memoryNetwork({ scheduler: loop })
  const heard: string[] = []
  const servers: Connection[] = []
  await network.listen({ host: 'broker', port: 1 }, (connection) => {
    const name = servers.push(connection) === 1 ? 'loud' : 'quiet'
    connection.start({ onData: () => heard.push(name), onDrain() {}, onClose() {} })
  })
  const loud = network.connect({ host: 'broker', port: 1 }, 1)
  await loop.runUntilIdle()
  const quiet = network.connect({ host: 'broker', port: 1 }, 1)
  await loop.runUntilIdle()
  const chunk = Buffer.alloc(64 * 1024)
  const loudClient = await loud
  for (let at = 0; at < 100; at++) loudClient.write([chunk])
  ;(await quiet).write([Buffer.from('x')])
  await loop.runUntilIdle()
  expect(heard).toHaveLength(101)
  expect(heard.indexOf('quiet')).toBeLessThan(20)
})

test('write returns false only above the high-water mark', async () => {
  const loop = new SimulatedScheduler()
  const network = memoryNetwork({ scheduler: loop, highWaterBytes: 10 })
  const { client, server } = await pairOf(network, loop)
  let drains = 0
  client.start({ onData() {}, onDrain: () => drains++, onClose() {} })
  server.start({ onData() {}, onDrain() {}, onClose() {} })
  expect(client.write([Buffer.alloc(10)])).toBe(true)
  expect(client.write([Buffer.alloc(1)])).toBe(false)
  expect(client.bufferedBytes).toBe(11)
  await loop.runUntilIdle()
  expect(drains).toBe(1)
  expect(client.bufferedBytes).toBe(0)
})

test('two networks have separate listeners', async () => {
  await memoryNetwork().listen({ host: 'broker', port: 9092 }, () => {})
  await expect(memoryNetwork().connect({ host: 'broker', port: 9092 }, 1)).rejects.toThrow(
    'broker:9092',
  )
})
