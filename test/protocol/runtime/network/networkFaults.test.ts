import { beforeEach, expect, test } from 'vitest'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import type { Connection } from '../../../../protocol/runtime/network/network.ts'
import { NetworkFaults } from '../../../../protocol/runtime/network/networkFaults.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'

const address = { host: 'broker', port: 1 }
let clock: ManualClock
let faults: NetworkFaults
let network: ReturnType<typeof memoryNetwork>
let heard: string[]
let server: Connection

beforeEach(async () => {
  clock = new ManualClock()
  faults = new NetworkFaults(clock)
  network = memoryNetwork({ faults })
  heard = []
  await network.listen(address, (connection) => {
    server = connection
    listen('server', connection)
  })
})

function listen(name: string, connection: Connection): void {
  connection.start({
    onData: (chunk) => heard.push(`${name} got ${chunk}`),
    onDrain() {},
    onClose: (cause) => heard.push(`${name} closed${cause ? ': lost' : ''}`),
  })
}

async function connected(): Promise<Connection> {
  const connecting = network.connect(address, 1000)
  await clock.advanceAndSettle(2 * faults.latencyMs)
  const client = await connecting
  listen('client', client)
  return client
}

test('latency delays each delivery, and a connection by a round trip', async () => {
  faults.latencyMs = 10
  const client = await connected()
  expect(clock.monotonicMs()).toBe(20)
  client.write([Buffer.from('a')])
  await clock.advanceAndSettle(9)
  expect(heard).toEqual([])
  client.write([Buffer.from('b')])
  await clock.advanceAndSettle(1)
  expect(heard).toEqual(['server got a', 'server got b'])
})

test('a cut direction holds back only its own bytes, until it is healed', async () => {
  const client = await connected()
  faults.cut(address, 'in')
  client.write([Buffer.from('request')])
  server.write([Buffer.from('answer')])
  await settle()
  expect(heard).toEqual(['client got answer'])
  faults.heal(address)
  await settle()
  expect(heard).toEqual(['client got answer', 'server got request'])
})

test('bytes held back by a cut are bounded by backpressure', async () => {
  network = memoryNetwork({ faults, highWaterBytes: 10 })
  await network.listen(address, (connection) => listen('server', connection))
  const client = await connected()
  faults.cut(address, 'in')
  expect(client.write([Buffer.alloc(11)])).toBe(false)
  await settle()
  expect(client.bufferedBytes).toBe(11)
})

test('connecting over a cut or with too long a latency times out', async () => {
  const failures: string[] = []
  const tried = (timeoutMs: number) => {
    network.connect(address, timeoutMs).catch((error) => failures.push(error.code))
  }
  faults.cut(address, 'out')
  tried(50)
  await clock.advanceAndSettle(49)
  expect(failures).toEqual([])
  await clock.advanceAndSettle(1)
  expect(failures).toEqual(['CONNECTION_TIMEOUT'])
  faults.heal(address)
  faults.latencyMs = 30
  tried(50)
  await clock.advanceAndSettle(50)
  expect(failures).toEqual(['CONNECTION_TIMEOUT', 'CONNECTION_TIMEOUT'])
  expect(clock.pendingTimers).toBe(0)
})

test('lost connections close both sides, and new ones can be opened', async () => {
  const client = await connected()
  client.write([Buffer.from('lost')])
  faults.loseConnections(address)
  await settle()
  expect(heard.sort()).toEqual(['client closed: lost', 'server closed: lost'])
  heard = []
  ;(await connected()).write([Buffer.from('again')])
  await settle()
  expect(heard).toEqual(['server got again'])
})
