// Clients that vanish without closing, or close half of a connection: over real sockets, because
// only the kernel knows. Their memory is released, and a host that vanished without any packet is
// detected.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Broker, startBroker } from '../../../broker/broker.ts'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { createTopics } from '../../../protocol/kafka/apis/createTopics.ts'
import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { metadata } from '../../../protocol/kafka/apis/metadata.ts'
import { encodeRequest, FrameSplitter } from '../../../protocol/kafka/frame.ts'
import type { Api, RequestInput } from '../../../protocol/kafka/schema/schema.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { until } from '../../eventLoop.ts'

let broker: Broker
let metrics: Metrics
let port: number

// With a stopped clock: every event is caused by the client, not by time.
beforeEach(async () => {
  metrics = new Metrics()
  broker = await startBroker({
    runtime: {
      clock: new ManualClock(),
      disk: new MemoryDisk(),
      network: tcpNetwork,
      random: seededRandom(1),
      scheduler: systemScheduler,
    },
    logger: silentLogger,
    metrics,
    config: brokerConfig({ 'log.dir': '/data', 'shutdown.drain.timeout.ms': 0 }),
    openMetadataLog: async () => new MemoryMetadataLog(),
    listeners: [{ name: 'TCP', network: tcpNetwork, address: { host: '127.0.0.1', port: 0 } }],
  })
  port = broker.listeners[0]!.address.port
})

afterEach(() => broker.close())

function frameOf<A extends Api>(api: A, version: number, body: RequestInput<A>): Buffer {
  const header = { correlationId: 1, clientId: 'raw' }
  return Buffer.concat(encodeRequest(api, version, header, body))
}

/** Connects like a careless client, whose end stays open after the broker has closed its own. */
async function connected(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function answerTo(socket: Socket, frame: Buffer): Promise<void> {
  const splitter = new FrameSplitter(2 ** 30)
  socket.write(frame)
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    if (splitter.push(chunk).length > 0) return
  }
}

/** Returns the value of a client metric. */
async function figure(name: string): Promise<number> {
  const lines = (await metrics.expose()).split('\n')
  return Number(lines.find((line) => line.startsWith(`millrace_broker_${name} `))!.split(' ')[1])
}

async function allIsFree(): Promise<boolean> {
  for (const name of [
    'connections{listener="TCP"}',
    'memory_used_bytes{budget="requests"}',
    'memory_used_bytes{budget="decoded"}',
    'memory_used_bytes{budget="responses"}',
  ]) {
    if ((await figure(name)) !== 0) return false
  }
  return true
}

const waitingFetch = frameOf(fetch, 11, {
  maxWaitMs: 60_000,
  minBytes: 1,
  topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] }],
})

describe('a client', () => {
  it('that has closed its sending end gets its answers, and is then disconnected', async () => {
    const socket = await connected()
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.end(frameOf(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' }))
    await once(socket, 'end')
    expect(new FrameSplitter(2 ** 30).push(Buffer.concat(chunks))).toHaveLength(1)
    await until(allIsFree)
  })

  it('that ends during a long poll is disconnected immediately', async () => {
    const socket = await connected()
    await answerTo(socket, frameOf(metadata, 1, { topics: [{ name: 't' }] }))
    socket.write(waitingFetch)
    await until(async () => (await figure('memory_used_bytes{budget="decoded"}')) > 0)
    socket.end()
    await once(socket.resume(), 'end')
    await until(allIsFree)
  })

  it('that ends in the middle of a request is disconnected', async () => {
    const socket = await connected()
    socket.write(waitingFetch.subarray(0, 30))
    await until(async () => (await figure('memory_used_bytes{budget="requests"}')) > 0)
    socket.end()
    await once(socket.resume(), 'end')
    await until(allIsFree)
  })

  it('that vanishes in the middle of its answers leaves no memory in use', async () => {
    const socket = await connected()
    const topic = { numPartitions: 500, replicationFactor: 1, assignments: [], configs: [] }
    const topics = [{ name: 't', ...topic }]
    await answerTo(socket, frameOf(createTopics, 4, { timeoutMs: 1000, topics }))
    socket.pause()
    const everything = frameOf(metadata, 12, { topics: null })
    socket.write(Buffer.concat(Array.from({ length: 2000 }, () => everything)))
    // More than the kernel buffers for a client that does not read.
    let before = 0
    await until(async () => {
      const unsent = await figure('memory_used_bytes{budget="responses"}')
      const stands = unsent > 1024 * 1024 && unsent === before
      before = unsent
      return stands
    })
    expect(await figure('memory_used_bytes{budget="requests"}')).toBeGreaterThan(0)
    socket.resetAndDestroy()
    await until(allIsFree)
  })
})

interface KernelSocket {
  readonly timer: string
  readonly expiresInMs: number
}

/** The timer of the socket with these two ports, as Linux shows it; 02 is that of keepalive. */
async function kernelSocket(localPort: number, remotePort: number): Promise<KernelSocket> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, '0')
  for (const line of lines) {
    const [, local, remote, , , timer] = line.trim().split(/\s+/)
    if (!local?.endsWith(`:${hex(localPort)}`) || !remote?.endsWith(`:${hex(remotePort)}`)) continue
    const [kind, when] = timer!.split(':') as [string, string]
    return { timer: kind, expiresInMs: Number.parseInt(when, 16) * 10 }
  }
  throw new Error(`the kernel knows no socket from ${localPort} to ${remotePort}`)
}

// Other systems do not show it: skipped there.
it.runIf(process.platform === 'linux')(
  'a host that vanished is detected by keepalive',
  async () => {
    const socket = await connected()
    await answerTo(socket, frameOf(apiVersions, 0, {}))
    const ours = () => kernelSocket(port, socket.localPort!)
    // 01: its answer is being sent, and no other timer runs meanwhile.
    await until(async () => (await ours()).timer !== '01')
    const { timer, expiresInMs } = await ours()
    expect(timer).toBe('02')
    expect(expiresInMs).toBeGreaterThan(0)
    expect(expiresInMs).toBeLessThanOrEqual(30_000)
    // The client's own end, without keepalive.
    expect((await kernelSocket(socket.localPort!, port)).timer).toBe('00')
    socket.destroy()
    await until(allIsFree)
  },
)
