// `millrace admin` as a process, for a broker in another process that starts later and restarts.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../../protocol/runtime/nodeRuntime.ts'

const program = join(import.meta.dirname, '../../../millrace.ts')

class Program {
  readonly child: ChildProcess
  readonly firstLine: Promise<string>
  readonly complaints: Promise<string>

  constructor(words: readonly string[]) {
    this.child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    const lines = createInterface({ input: this.child.stdout! })
    this.firstLine = once(lines, 'line').then(([line]) => String(line))
    this.firstLine.catch(() => {})
    this.complaints = text(this.child.stderr!)
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode
    const exited = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const [code] = await exited
    return code
  }
}

describe('millrace admin', () => {
  let directory: string
  let running: Program[] = []
  const run = (...words: string[]) => {
    const started = new Program(words)
    running.push(started)
    return started
  }
  const runBroker = (port: number) =>
    run('broker', '--port', String(port), '--data', join(directory, 'data'), '--no-console')

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-admin-'))
  })
  afterEach(async () => {
    await Promise.all(running.map((each) => each.stop()))
    running = []
    await rm(directory, { recursive: true })
  })

  const json = async (url: string) => {
    const response = await fetch(url)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const portOf = (line: string) => Number(/:(\d+)/.exec(line)![1])

  test('serves console, REST API and operations for a cluster that starts later and restarts', async () => {
    const first = runBroker(0)
    const port = portOf(await first.firstLine)
    expect(await first.stop()).toBe(0)

    const admin = run('admin', '--bootstrap', `127.0.0.1:${port}`, '--port', '0')
    const [, url] = /console at (\S+),/.exec(await admin.firstLine)!
    const away = await json(`${url}ready`)
    expect(away).toMatchObject({ status: 503, body: { ready: false } })
    expect((await json(`${url}healthy`)).status).toBe(200)
    const refused = await json(`${url}api/v1/topics`)
    expect(refused).toMatchObject({ status: 503, body: { code: 'CLUSTER_UNREACHABLE' } })
    expect((await json(`${url}openapi.json`)).status).toBe(200)

    const second = runBroker(port)
    await second.firstLine
    await expect.poll(async () => (await json(`${url}ready`)).status, { timeout: 60_000 }).toBe(200)
    const runtime = nodeRuntime(tcpNetwork)
    const bootstrap = [{ host: '127.0.0.1', port }]
    const cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
    const producer = new Producer(cluster, runtime)
    await producer.send('orders', { value: Buffer.from('{"id":1}') })
    await producer.close()
    await cluster.close()
    const { body } = await json(`${url}api/v1/topics/orders/records`)
    expect(body.data).toMatchObject([{ value: { encoding: 'json', data: { id: 1 } } }])
    await expect
      .poll(async () => (await json(`${url}api/v1/status`)).body.topics, { timeout: 60_000 })
      .toMatchObject([{ name: 'orders', records: 1, bytesInPerSecond: null }])
    expect((await json(`${url}version`)).body).toMatchObject({ program: 'admin' })
    const metrics = await (await fetch(`${url}metrics`)).text()
    expect(metrics).toContain('\nmillrace_admin_cluster_reachable 1\n')
    expect(metrics).toContain('\nprocess_resident_memory_bytes ')
    expect(metrics).toMatch(/millrace_http_requests_total\{.*route="\/api\/v1\/topics".*\} \d/)

    await second.stop()
    await expect
      .poll(async () => (await json(`${url}ready`)).body, { timeout: 60_000 })
      .toMatchObject({ ready: false, reasons: [{ code: 'CLUSTER_UNREACHABLE' }] })
    expect(await admin.stop()).toBe(0)
    const complaints = await admin.complaints
    expect(complaints.match(/failed to reach the cluster/g)).toHaveLength(2)
    expect(complaints.match(/cluster is reachable again/g)).toHaveLength(1)
  }, 240_000)

  test.each<[string[], string]>([
    [['--bootstrap', 'nowhere'], "invalid broker address 'nowhere': expected host:port"],
    [['--bootstrap', 'SASL_SSL://kafka:9093'], 'needs SASL_SSL, which is not supported yet'],
    [[], "required option '--bootstrap <host:port>' not specified"],
    [['--bootstrap', 'a:1', '--sasl-mechanism', 'PLAIN'], "unknown option '--sasl-mechanism'"],
  ])(
    '%j is one clear error',
    async (words, message) => {
      const admin = run('admin', ...words)
      const [code] = await once(admin.child, 'exit')
      expect(code).toBeGreaterThan(0)
      const complaints = await admin.complaints
      expect(complaints).toContain(message)
      expect(complaints).not.toContain('    at ')
    },
    60_000,
  )
})
