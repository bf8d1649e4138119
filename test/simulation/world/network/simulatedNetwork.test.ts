// The simulated network is a Network, and faults do to it what they do to TCP.

import { expect, test } from 'vitest'
import {
  type Connection,
  type ConnectionHandler,
  NetworkError,
} from '../../../../protocol/runtime/network/network.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { networkConformance } from '../../../protocol/runtime/network/networkConformance.ts'
import { steady } from '../latency.ts'
import { SimulatedHost } from '../simulatedHost.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import { World } from '../world.ts'
import { quietNetwork, SimulatedNetwork } from './simulatedNetwork.ts'

networkConformance('simulatedNetwork', () => {
  const world = new World({ seed: 1 })
  const network = new SimulatedNetwork(world, {
    ...quietNetwork,
    pipe: { kernelBytes: 50_000, segmentBytes: 7000, giveUpMs: 5000 },
  })
  const process = new SimulatedHost(world, network, 'host').start('test', () => {})
  let isOver = false
  const run = async () => {
    while (!isOver) {
      await world.run({ untilMs: world.nowMs + 1000, maxEvents: 1e9 })
      await systemScheduler.nextTurn()
    }
  }
  void run()
  return {
    client: process.runtime.network,
    server: process.runtime.network,
    close: () => {
      isOver = true
    },
  }
})

class Side implements ConnectionHandler {
  text = ''
  chunks = 0
  readonly closes: (Error | undefined)[] = []
  onData(chunk: Buffer): void {
    this.text += chunk.toString()
    this.chunks++
  }
  onDrain(): void {}
  onClose(cause?: Error): void {
    this.closes.push(cause)
  }
}

class TwoHosts {
  readonly world = new World({ seed: 3 })
  readonly network: SimulatedNetwork
  readonly clientHost: SimulatedHost
  readonly serverHost: SimulatedHost
  readonly client: SimulatedProcess
  server: SimulatedProcess
  readonly atClient = new Side()
  readonly atServer = new Side()
  connection!: Connection
  accepted!: Connection
  failure: NetworkError | undefined

  constructor(options = quietNetwork) {
    this.network = new SimulatedNetwork(this.world, options)
    this.clientHost = new SimulatedHost(this.world, this.network, 'client')
    this.serverHost = new SimulatedHost(this.world, this.network, 'server')
    this.client = this.clientHost.start('client', () => {})
    this.server = this.serverHost.start('server', ({ runtime }) => this.listen(runtime.network))
  }

  async listen(network: SimulatedProcess['runtime']['network']): Promise<void> {
    await network.listen({ host: 'server', port: 1 }, (accepted) => {
      this.accepted = accepted
      accepted.start(this.atServer)
    })
  }

  async connect(timeoutMs = 1000): Promise<void> {
    await this.after(1)
    this.client.runtime.network.connect({ host: 'server', port: 1 }, timeoutMs).then(
      (connection) => {
        this.connection = connection
        connection.start(this.atClient)
      },
      (error) => {
        this.failure = error
      },
    )
  }

  after(ms: number) {
    return this.world.run({ untilMs: this.world.nowMs + ms, maxEvents: 1e6 })
  }
}

test('a cut of one direction holds bytes back, and the other direction goes on', async () => {
  const hosts = new TwoHosts()
  await hosts.connect()
  await hosts.after(10)
  hosts.network.link('client', 'server').block('cut')
  hosts.connection.write([Buffer.from('request')])
  hosts.accepted.write([Buffer.from('push')])
  await hosts.after(100)
  expect([hosts.atServer.text, hosts.atClient.text]).toEqual(['', 'push'])
  hosts.network.link('client', 'server').open('cut')
  await hosts.after(1000)
  expect(hosts.atServer.text).toBe('request')
})

test('a connection over a link that stays cut breaks for the writer, later for the reader', async () => {
  const hosts = new TwoHosts()
  await hosts.connect()
  await hosts.after(10)
  hosts.network.link('client', 'server').block('cut')
  hosts.connection.write([Buffer.from('request')])
  await hosts.after(6000)
  expect(hosts.atClient.closes).toHaveLength(1)
  expect(hosts.atClient.closes[0]).toBeInstanceOf(NetworkError)
  expect(hosts.atServer.closes).toEqual([])
  hosts.network.heal()
  await hosts.after(1000)
  expect(hosts.atServer.closes).toHaveLength(1)
})

test('connecting over a cut link times out, to a host without power too', async () => {
  const hosts = new TwoHosts()
  hosts.network.link('server', 'client').block('cut')
  await hosts.connect(500)
  await hosts.after(1000)
  expect(hosts.failure?.code).toBe('CONNECTION_TIMEOUT')
  const other = new TwoHosts()
  other.serverHost.losePower({ losesAll: true, reorders: false })
  await other.connect(500)
  await other.after(1000)
  expect(other.failure?.code).toBe('CONNECTION_TIMEOUT')
})

test('a killed process closes its connections, and its address is free', async () => {
  const hosts = new TwoHosts()
  await hosts.connect()
  await hosts.after(10)
  hosts.server.kill()
  await hosts.after(10)
  expect(hosts.atClient.closes).toHaveLength(1)
  expect(hosts.atServer.closes).toEqual([])
  await hosts.connect()
  await hosts.after(10)
  expect(hosts.failure?.code).toBe('CONNECTION_REFUSED')
  hosts.server = hosts.serverHost.start('server', ({ runtime }) => hosts.listen(runtime.network))
  await hosts.connect()
  await hosts.after(10)
  hosts.connection.write([Buffer.from('again')])
  await hosts.after(10)
  expect(hosts.atServer.text).toBe('again')
})

test('a host that loses power says nothing: its peers find out by themselves', async () => {
  const hosts = new TwoHosts()
  await hosts.connect()
  await hosts.after(10)
  hosts.serverHost.losePower({ losesAll: true, reorders: false })
  await hosts.after(5)
  expect(hosts.atClient.closes).toEqual([])
  await hosts.after(6000)
  expect(hosts.atClient.closes).toHaveLength(1)
})

test('a lossy link delays bytes, in order; segments are cut anywhere', async () => {
  const hosts = new TwoHosts({
    link: { ...quietNetwork.link, latency: steady(1, 5), lossChance: 0.3 },
    pipe: { ...quietNetwork.pipe, segmentBytes: 5 },
  })
  await hosts.connect()
  await hosts.after(1000)
  const text = Array.from({ length: 40 }, (_, at) => `word${at} `).join('')
  hosts.connection.write([Buffer.from(text)])
  await hosts.after(60_000)
  expect(hosts.atServer.text).toBe(text)
  expect(hosts.atServer.chunks).toBeGreaterThan(10)
})

test('chunks that their writer changes before they are taken arrive changed', async () => {
  const hosts = new TwoHosts({
    ...quietNetwork,
    pipe: { ...quietNetwork.pipe, kernelBytes: 10, segmentBytes: 10 },
  })
  await hosts.connect()
  await hosts.after(10)
  const chunk = Buffer.from('0123456789abcdef')
  const taken: string[] = []
  hosts.connection.write([chunk], () => taken.push(hosts.atServer.text))
  chunk.fill('x')
  await hosts.after(100)
  expect(hosts.atServer.text).toBe('0123456789xxxxxx')
  expect(taken).toHaveLength(1)
})

test('a paused process reads nothing until it continues', async () => {
  const hosts = new TwoHosts()
  await hosts.connect()
  await hosts.after(10)
  hosts.server.pause()
  hosts.connection.write([Buffer.from('x')])
  await hosts.after(100)
  expect(hosts.atServer.text).toBe('')
  hosts.server.continue()
  await hosts.after(1)
  expect(hosts.atServer.text).toBe('x')
})

test('datagrams are lost, doubled and overtaken', async () => {
  const hosts = new TwoHosts({
    ...quietNetwork,
    link: {
      ...quietNetwork.link,
      ...{ latency: steady(0, 5), datagramLossChance: 0.2, duplicateChance: 0.2 },
    },
  })
  const received: number[] = []
  hosts.network.bindDatagrams(hosts.server, 9, (bytes) => received.push(bytes[0]!))
  for (let at = 0; at < 50; at++) {
    hosts.network.sendDatagram(hosts.client, 8, { host: 'server', port: 9 }, Buffer.from([at]))
  }
  await hosts.after(100)
  const distinct = new Set(received)
  expect(distinct.size).toBeLessThan(50)
  expect(distinct.size).toBeGreaterThan(20)
  expect(received.length).toBeGreaterThan(distinct.size)
  expect(received).not.toEqual([...received].sort((one, other) => one - other))
})
