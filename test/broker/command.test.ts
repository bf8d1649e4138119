// `millrace broker` as a process: what it prints, how it stops, and how it reports mistakes.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'

/** The first line of every log, with version and settings. */
const startLine = 'millrace broker'

/** The messages of log lines after that one, in order. */
function logged(complaints: string): string[] {
  const lines = complaints.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line).msg).filter((message) => message !== startLine)
}

/** The config/server.properties of Kafka 4, without its comments. */
function stock(data: string): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.bootstrap.servers=localhost:9093',
    'listeners=PLAINTEXT://:0,CONTROLLER://:9093',
    'inter.broker.listener.name=PLAINTEXT',
    'advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'num.network.threads=3',
    'num.io.threads=8',
    'socket.send.buffer.bytes=102400',
    'socket.receive.buffer.bytes=102400',
    'socket.request.max.bytes=104857600',
    `log.dirs=${data}`,
    'num.partitions=1',
    'num.recovery.threads.per.data.dir=1',
    'offsets.topic.replication.factor=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'log.retention.hours=168',
    'log.segment.bytes=1073741824',
    'log.retention.check.interval.ms=300000',
  ].join('\n')
}

const command = join(import.meta.dirname, '../../broker/command.ts')

interface BrokerProcess {
  readonly child: ChildProcess
  readonly firstLine: Promise<string>
  readonly ended: Promise<{ code: number | null; output: string; complaints: string }>
}

describe('millrace broker', () => {
  let directory: string
  const running: BrokerProcess[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-command-'))
  })

  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  function run(args: object): BrokerProcess {
    const script = `import { brokerCommand } from ${JSON.stringify(command)}
      await brokerCommand(${JSON.stringify({ consolePort: 0, ...args, build: { version: '0.0.0' } })})`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    let output = ''
    let complaints = ''
    child.stderr.on('data', (chunk) => {
      complaints += chunk
    })
    const firstLine = new Promise<string>((resolve) => {
      child.stdout.on('data', (chunk) => {
        output += chunk
        if (output.includes('\n')) resolve(output.split('\n')[0]!)
      })
    })
    const ended = new Promise<Awaited<BrokerProcess['ended']>>((resolve) =>
      child.on('close', (code) => resolve({ code, output, complaints })),
    )
    const started = { child, firstLine, ended }
    running.push(started)
    return started
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints where it listens, and stops at %s',
    async (signal) => {
      const data = join(directory, signal)
      const broker = run({ port: 0, data })
      const listening = await broker.firstLine
      expect(listening).toMatch(/^millrace broker listening on 127\.0\.0\.1:\d+, data in /)
      expect(listening).toContain(data)
      broker.child.kill(signal)
      const { code, complaints } = await broker.ended
      expect(code).toBe(0)
      expect(logged(complaints)).toEqual([
        'broker starting',
        'broker started',
        'broker stopping',
        'broker stopped',
      ])
      // The console's own address in this process is not printed.
      expect(complaints).not.toContain('millrace.inside')
    },
  )

  it('closes its logs cleanly if it is stopped while it starts', async () => {
    const data = join(directory, 'early')
    const broker = run({ port: 0, data })
    await once(broker.child.stderr!, 'data')
    broker.child.kill('SIGTERM')
    const { code, complaints } = await broker.ended
    expect(code).toBe(0)
    expect(logged(complaints).slice(-2)).toEqual(['broker stopping', 'broker stopped'])
    const next = run({ port: 0, data })
    await next.firstLine
    next.child.kill('SIGTERM')
    const { complaints: later } = await next.ended
    expect(logged(later)).not.toContain('broker was not stopped cleanly: logs recovered')
  })

  it('logs that it recovers its logs after SIGKILL', async () => {
    const data = join(directory, 'killed')
    const first = run({ port: 0, data })
    const port = Number(/:(\d+),/.exec(await first.firstLine)![1])
    const cluster = new Cluster(nodeRuntime(tcpNetwork), {
      bootstrap: [{ host: '127.0.0.1', port }],
      clientId: 'test',
    })
    await new Admin(cluster).createTopics([{ name: 'orders', partitions: 3 }])
    await cluster.close()
    first.child.kill('SIGKILL')
    await first.ended
    const second = run({ port: 0, data })
    await second.firstLine
    second.child.kill('SIGTERM')
    const { complaints } = await second.ended
    expect(logged(complaints)).toContain('broker was not stopped cleanly: logs recovered')
    expect(complaints).toMatch(/"logs":3/)
    const third = run({ port: 0, data })
    await third.firstLine
    third.child.kill('SIGTERM')
    const orderly = await third.ended
    expect(logged(orderly.complaints)).toEqual([
      'broker starting',
      'broker started',
      'broker stopping',
      'broker stopped',
    ])
  })

  it('logs at its level; the command line takes precedence over the file', async () => {
    const config = join(directory, 'level.properties')
    await writeFile(config, 'log.level=error\n')
    const quiet = run({ config, port: 0, data: join(directory, 'quiet') })
    await quiet.firstLine
    quiet.child.kill('SIGTERM')
    expect(await quiet.ended).toMatchObject({ code: 0, complaints: '' })
    const args = { config, logLevel: 'info', port: 0, data: join(directory, 'loud') }
    const loud = run(args)
    await loud.firstLine
    loud.child.kill('SIGTERM')
    expect(logged((await loud.ended).complaints)).toContain('broker started')
  })

  it('starts with the server.properties of Kafka: no controller listener, one line for unused options', async () => {
    const config = join(directory, 'stock.properties')
    await writeFile(config, stock(join(directory, 'stock')))
    const broker = run({ config })
    const listening = await broker.firstLine
    expect(listening).toMatch(/^millrace broker listening on 0\.0\.0\.0:\d+, data in /)
    broker.child.kill('SIGTERM')
    const { code, complaints } = await broker.ended
    expect(code).toBe(0)
    expect(logged(complaints)).toEqual([
      'Kafka options have no effect in Millrace',
      expect.stringMatching(/^controller listener is not opened/),
      expect.stringMatching(/^listener is open to other hosts without authentication/),
      'broker starting',
      'broker started',
      'broker stopping',
      'broker stopped',
    ])
  })

  it('reports that its port or its data directory is in use', async () => {
    const data = join(directory, 'taken')
    const first = run({ port: 0, data })
    const port = Number(/:(\d+),/.exec(await first.firstLine)![1])
    const samePort = await run({ port, data: join(directory, 'other') }).ended
    expect(samePort).toMatchObject({ code: 1, output: '' })
    expect(samePort.complaints).toMatch(
      new RegExp(`^millrace broker: .*${port}.* in use.*\n$`, 'm'),
    )
    const sameData = await run({ port: 0, data }).ended
    expect(sameData).toMatchObject({ code: 1, output: '' })
    expect(sameData.complaints).toMatch(
      /^millrace broker: .*taken is in use by another process.*\n$/m,
    )
  })

  it('reports file, line and key of an invalid configuration', async () => {
    const config = join(directory, 'server.properties')
    await writeFile(config, 'node.id=1\nnum.partitions=some\n')
    const broken = await run({ config }).ended
    expect(broken).toMatchObject({ code: 1, output: '' })
    expect(broken.complaints).toMatch(/server\.properties:2: num\.partitions is "some"/)
    const missing = await run({ config: join(directory, 'nowhere') }).ended
    expect(missing).toMatchObject({ code: 1, output: '' })
    expect(missing.complaints).toMatch(
      /^millrace broker: the config file .*nowhere does not exist\n$/,
    )
  })

  it('stops when its data directory is removed, and reports why', async () => {
    const data = join(directory, 'mounted')
    const broker = run({ port: 0, data })
    await broker.firstLine
    await rename(data, join(directory, 'unmounted'))
    const { code, complaints } = await broker.ended
    expect(code).toBe(1)
    expect(complaints).toMatch(/^millrace broker: .*mounted cannot be used .*$/m)
  }, 30_000)
})
