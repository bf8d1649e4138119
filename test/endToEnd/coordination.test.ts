// Brokers, an agent and a job as processes on coordination over NATS: what survives when NATS is
// away, what is refused, who is seen to live, and a damaged log that is repaired from a copy.

import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { until } from '../eventLoop.ts'
import { debianNatsServer } from '../peers/natsBinary.ts'
import { NatsServers } from '../peers/natsServers.ts'
import { freePort, Program } from './programs.ts'

const binary = debianNatsServer()
const root = join(import.meta.dirname, '../..')
const runtime = nodeRuntime(tcpNetwork)

describe.skipIf(binary === undefined)(
  'programs on coordination over NATS',
  { timeout: 60_000 },
  () => {
    let directory: string
    let servers: NatsServers
    const running: Program[] = []
    const clusters: Cluster[] = []

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'millrace-coordination-'))
      servers = await NatsServers.start({ binary: binary!, count: 1, syncsAlways: false })
    })
    afterEach(async () => {
      for (const cluster of clusters.splice(0)) await cluster.close()
      for (const program of running.splice(0)) await program.kill()
      await servers.startAll()
    })
    afterAll(async () => {
      await servers?.close()
      await rm(directory, { recursive: true, force: true })
    })

    interface BrokerSetup {
      readonly data: string
      readonly config: string
      readonly port: number
      readonly program: Program
    }

    async function configured(name: string, lines: readonly string[]): Promise<BrokerSetup> {
      const port = await freePort()
      const data = join(directory, name)
      await mkdir(data, { recursive: true })
      const config = join(directory, `${name}-${port}.properties`)
      const own = [
        `listeners=PLAINTEXT://127.0.0.1:${port}`,
        `log.dir=${data}`,
        'console.enable=false',
      ]
      await writeFile(config, [...own, 'log.dir.reserved.bytes=65536', ...lines].join('\n'))
      const program = new Program(name, ['broker', '--config', config], /on 127\.0\.0\.1:\d+/)
      running.push(program)
      return { data, config, port, program }
    }

    const nats = (name: string) => [
      `coordination.nats.servers=${servers.addresses.join(',')}`,
      `coordination.nats.name=${name}`,
    ]

    async function clientOf({ port }: BrokerSetup): Promise<{ admin: Admin; cluster: Cluster }> {
      const bootstrap = [{ host: '127.0.0.1', port }]
      const cluster = new Cluster(runtime, {
        bootstrap,
        clientId: 'test',
        requestTimeoutMs: 30_000,
      })
      clusters.push(cluster)
      return { admin: new Admin(cluster), cluster }
    }

    function command(...words: string[]): { code: number | null; out: string; err: string } {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(root, 'millrace.ts'), 'coordination', ...words],
        { encoding: 'utf8', timeout: 30_000 },
      )
      return { code: status, out: stdout, err: stderr }
    }

    const topic = (name: string) => [{ name, partitions: 1 }]
    const names = async (admin: Admin) =>
      (await admin.describeTopics())
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('__'))

    /** A request that is answered as failed may have created the topic. */
    async function isCreated(admin: Admin, name: string): Promise<boolean> {
      await admin.createTopics(topic(name)).catch(() => {})
      return (await names(admin)).includes(name)
    }

    test('produces go on while NATS is away; changes are refused with the reason, and work again', async () => {
      const broker = await configured('away', nats('away'))
      await broker.program.start()
      const { admin, cluster } = await clientOf(broker)
      await admin.createTopics(topic('before'))
      const producer = new Producer(cluster, runtime, {})
      await producer.send('before', { partition: 0, value: Buffer.from('one') })
      await servers.kill(0)
      const value = Buffer.from('while NATS is away')
      await producer.send('before', { partition: 0, value })
      const refused = admin.createTopics(topic('refused'))
      await expect(refused).rejects.toThrow(
        /METADATA|failed to write the metadata log .*check coordination/,
      )
      await producer.send('before', { partition: 0, value })
      await servers.start(0)
      await until(() => isCreated(admin, 'after'))
      expect(await names(admin)).toEqual(expect.arrayContaining(['before', 'after']))
      await producer.close()
      await broker.program.stop()
      await broker.program.start()
      const again = await clientOf(broker)
      expect(await names(again.admin)).toEqual(expect.arrayContaining(['before', 'after']))
    })

    test('metadata of an embedded broker move to NATS, and the directory is refused without it', async () => {
      const alone = await configured('moving', [])
      await alone.program.start()
      const first = await clientOf(alone)
      await first.admin.createTopics(topic('kept'))
      await alone.program.stop()
      const shared = await configured('moving', nats('moving'))
      await shared.program.start()
      const second = await clientOf(shared)
      expect(await names(second.admin)).toEqual(['kept'])
      const producer = new Producer(second.cluster, runtime, {})
      await producer.send('kept', { partition: 0, value: Buffer.from('x') })
      await producer.close()
      await shared.program.stop()
      await expect(alone.program.start()).rejects.toThrow(/metadata .* were moved to .*moving/)
    })

    test('brokers, agents and jobs are seen to live', async () => {
      const broker = await configured('living', nats('living'))
      await broker.program.start()
      const conf = join(directory, 'agent.conf')
      await writeFile(
        conf,
        'a.sources=s\na.channels=c\na.sinks=k\na.sources.s.type=exec\na.sources.s.command=sleep 100\n' +
          'a.sources.s.channels=c\na.channels.c.type=memory\na.sinks.k.type=logger\na.sinks.k.channel=c\n',
      )
      const words = ['agent', '-n', 'a', '-f', conf, '--coordination', broker.config]
      const agent = new Program('agent', words, /agent a started/)
      running.push(agent)
      await agent.start()
      const status = () => JSON.parse(command('status', '--config', broker.config, '--json').out)
      await until(() => Object.keys(status().agents).length === 1)
      const listing = status()
      expect(Object.keys(listing.brokers)).toEqual(['1'])
      expect(listing.brokers['1'].listeners[0].port).toBe(broker.port)
      expect(Object.keys(listing.agents)[0]).toMatch(/^a@/)
      await agent.stop()
      expect(Object.keys(status().agents)).toEqual([])
      const { out } = command('status', '--config', broker.config)
      expect(out).toMatch(/status +connected\nlog +generation 1, entry \d+/)
      expect(out.split('\n').every((line) => line.length <= 80)).toBe(true)
    })

    test('a log that was put back to an older copy stops changes, and is repaired from a copy', async () => {
      const broker = await configured('damaged', nats('damaged'))
      await broker.program.start()
      const { admin, cluster } = await clientOf(broker)
      await admin.createTopics(topic('old'))
      await servers.stopAll()
      const copy = await servers.copyStores()
      await servers.startAll()
      await until(() => isCreated(admin, 'new'))
      await servers.stopAll()
      await servers.restoreStores(copy)
      await servers.startAll()
      const producer = new Producer(cluster, runtime, {})
      await until(async () => {
        const refused = await admin.createTopics(topic('refused')).catch((error: Error) => error)
        return /damaged/.test(String(refused))
      })
      await producer.send('new', { partition: 0, value: Buffer.from('the data path goes on') })
      await producer.close()
      await broker.program.stop()
      const from = join(broker.data, '__coordination_copy')
      const planned = command('repair', '--config', broker.config, '--from', from)
      expect(planned).toMatchObject({ code: 0, err: expect.anything() })
      expect(planned.out).toMatch(/becomes generation 2 of the log damaged/)
      const repaired = command('repair', '--config', broker.config, '--from', from, '--yes')
      expect(repaired.out).toMatch(/Repaired: the log continues in the stream/)
      await broker.program.start()
      const after = await clientOf(broker)
      expect(await names(after.admin)).toEqual(expect.arrayContaining(['old', 'new']))
      await after.admin.createTopics(topic('works'))
    })

    test.each([
      ['coordination.nats.servers=nowhere', /is not host:port/],
      ['coordination.nats.user=millrace', /is set, but not coordination.nats.servers/],
      ['coordination.nats.server=127.0.0.1:4222', /coordination.nats.servers/],
    ])('%s is refused or reported with what to write', async (line, message) => {
      const broker = await configured('mistaken', [line])
      await broker.program.start().catch(() => {})
      expect(broker.program.printed).toMatch(message)
    })

    test('the commands say what is missing', async () => {
      expect(command('status')).toMatchObject({
        code: 1,
        err: expect.stringContaining('--config FILE'),
      })
      const missing = command('status', '--directory', join(directory, 'nothing'))
      expect(missing.err).toContain('has no copy of a coordination log')
      await cp(join(root, 'package.json'), join(directory, 'no.properties'))
      const unset = command('ls', '--config', join(directory, 'no.properties'))
      expect(unset.err).toContain('does not set coordination.nats.servers')
    })
  },
)
