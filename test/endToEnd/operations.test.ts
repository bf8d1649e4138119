// The operations endpoints of broker, agent and submitted job, each as a separate process: their
// answers in normal operation, during a real failure, and after its repair.

import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { freePort, Program } from './programs.ts'

let directory: string
const running: Program[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-operations-'))
})
afterEach(async () => {
  for (const program of running.splice(0)) await program.kill()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function started(
  name: string,
  words: readonly string[],
  ready: RegExp,
): Promise<{ program: Program; printed: string }> {
  const program = new Program(name, words, ready)
  running.push(program)
  await program.start()
  return { program, printed: program.printed }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly body: Record<string, unknown>
}

function ask(url: string, method = 'GET', sent?: object, headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = sent ? { 'content-type': 'application/json' } : {}
    const options = { method, headers: { ...type, ...headers }, agent: false as const }
    const asked = request(url, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = response.headers['content-type']?.includes('json')
        resolve({ status: response.statusCode!, text, body: isJson ? JSON.parse(text) : {} })
      })
    })
    asked.on('error', reject)
    asked.end(sent && JSON.stringify(sent))
  })
}

async function codes(url: string): Promise<string[]> {
  const { body } = await ask(url)
  const reasons = [...(body.reasons as []), ...((body.warnings as []) ?? [])]
  return reasons.map(({ code }) => code)
}

function found(printed: string, pattern: RegExp): string {
  const [, match] = pattern.exec(printed) ?? []
  if (match === undefined) throw new Error(`no match for ${pattern} in:\n${printed}`)
  return match
}

/** Checks the answers that every program gives while it is healthy. */
async function answersAsWell(url: string, program: string): Promise<void> {
  expect(await ask(`${url}/healthy`)).toMatchObject({
    status: 200,
    body: { healthy: true, reasons: [], warnings: [] },
  })
  const ready = await ask(`${url}/ready`)
  expect(ready).toMatchObject({ status: 200, body: { ready: true, reasons: [] } })
  const version = await ask(`${url}/version`)
  expect(version.body).toMatchObject({
    program,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    node: process.versions.node,
    startedMs: expect.any(Number),
  })
  const metrics = await ask(`${url}/metrics`)
  expect(metrics.text).toContain('# TYPE millrace_log_lines_lost_total counter')
  expect((await ask(`${url}/log-level`)).body).toEqual({ level: 'info' })
  const changed = await ask(`${url}/log-level`, 'PUT', { level: 'debug' })
  expect(changed).toMatchObject({ status: 200, body: { level: 'debug' } })
  expect((await ask(`${url}/log-level`)).body).toEqual({ level: 'debug' })
  const wrong = await ask(`${url}/log-level`, 'PUT', { level: 'loud' })
  expect(wrong).toMatchObject({ status: 400, body: { error: 'LOG_LEVEL_INVALID' } })
  const rebound = await ask(`${url}/healthy`, 'GET', undefined, { host: 'evil.example' })
  expect(rebound).toMatchObject({ status: 403, body: { error: 'HOST_REFUSED' } })
  const foreign = await ask(`${url}/log-level`, 'PUT', { level: 'info' }, { origin: 'http://a.b' })
  expect(foreign).toMatchObject({ status: 403, body: { error: 'ORIGIN_REFUSED' } })
}

async function broker(name: string, ...more: string[]) {
  const data = join(directory, name)
  const words = ['broker', '--data', data, '--console-port', '0', ...more]
  const port = more.includes('--port') ? [] : ['--port', '0']
  return await started('broker', [...words, ...port], /listening on .*\n/)
}

/** Creates a topic with one record, for jobs. */
async function wordsTopic(port: number): Promise<void> {
  const runtime = nodeRuntime(tcpNetwork)
  const bootstrap = [{ host: '127.0.0.1', port }]
  const cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
  await new Admin(cluster).createTopics([{ name: 'words', partitions: 1 }])
  const producer = new Producer(cluster, runtime)
  await producer.send('words', { value: Buffer.from('a') })
  await producer.close()
  await cluster.close()
}

describe('millrace broker', () => {
  test('answers on the port of its console, and on a second address for metrics only', async () => {
    const { program, printed } = await broker('well', '--metrics-listen', '127.0.0.1:0')
    const url = found(printed, /console at (http:\S+)\//)
    await answersAsWell(url, 'broker')
    expect((await ask(`${url}/`)).text).toContain('<title>Millrace</title>')

    const second = found(printed, /metrics at (http:\S+)\/metrics/)
    expect((await ask(`${second}/metrics`)).status).toBe(200)
    expect((await ask(`${second}/ready`, 'GET', undefined, { host: 'broker-1:9404' })).status).toBe(
      200,
    )
    expect((await ask(`${second}/version`)).body).toMatchObject({ program: 'broker' })
    for (const path of ['/', '/log-level', '/v3/clusters', '/api/v1/status']) {
      expect((await ask(second + path)).status, path).toBe(404)
    }
    expect((await ask(`${second}/log-level`, 'PUT', { level: 'debug' })).status).toBe(404)
    expect(await program.stop()).toBe(0)
  }, 60_000)

  test('serves its console with any listeners', async () => {
    const config = join(directory, 'elsewhere.properties')
    await writeFile(
      config,
      'listeners=INSIDE://127.0.0.2:0\nlistener.security.protocol.map=INSIDE:PLAINTEXT\n',
    )
    const { printed } = await started(
      'broker',
      ['broker', '--data', join(directory, 'elsewhere'), '--config', config, '--console-port', '0'],
      /listening on 127\.0\.0\.2:.*\n/,
    )
    const url = found(printed, /console at (http:\S+)\//)
    const problems = async () => {
      const { body } = await ask(`${url}/api/v1/status`)
      return (body as { problems: unknown[] }).problems
    }
    await expect.poll(problems, { timeout: 10_000 }).toEqual([])
  }, 60_000)

  test('is unhealthy when a data directory is removed, and names it', async () => {
    const [first, second] = [join(directory, 'first'), join(directory, 'second')]
    const config = join(directory, 'two.properties')
    await writeFile(config, `log.dirs=${first},${second}\nconsole.port=0\n`)
    const { program, printed } = await started(
      'broker',
      ['broker', '--config', config, '--port', '0'],
      /listening on .*\n/,
    )
    const url = found(printed, /console at (http:\S+)\//)
    await rm(second, { recursive: true })
    const reasons = () => codes(`${url}/healthy`)
    await expect.poll(reasons, { timeout: 30_000 }).toEqual(['DATA_DIRECTORY_FAILED'])
    const healthy = await ask(`${url}/healthy`)
    expect(healthy.status).toBe(503)
    expect(healthy.text).toContain(second)
    expect(await ask(`${url}/ready`)).toMatchObject({ status: 503, body: { ready: false } })
    expect(await program.stop()).toBe(0)
  }, 60_000)

  test('exits before it opens its logs when a requested port is in use', async () => {
    const { printed } = await broker('holder')
    const port = found(printed, /console at http:\/\/127\.0\.0\.1:(\d+)\//)
    const data = join(directory, 'late')
    const words = ['broker', '--port', '0', '--data', data, '--console-port', port]
    const late = new Program('late', words, /never/)
    running.push(late)
    await expect(late.start()).rejects.toThrow(/port \d+ is in use.*--console-port/)
    expect(await late.exited()).toBe(1)
    expect(late.printed).not.toContain('broker starting')
  }, 60_000)
})

describe('millrace agent', () => {
  test('reports that its broker is unreachable, and reachable again', async () => {
    const port = String(await freePort())
    const first = await broker('for-agent', '--port', port)
    const configuration = join(directory, 'agent.conf')
    const log = join(directory, 'lines.log')
    await writeFile(log, 'one\n')
    await writeFile(configuration, agentConfiguration(log, port))
    const { program, printed } = await started(
      'agent',
      ['agent', '--name', 'a1', '--conf-file', configuration],
      /a1 started.*\n/,
    )
    const url = found(printed, /health at (http:\S+)/)
    const ready = () => codes(`${url}/ready`)
    await expect.poll(ready, { timeout: 30_000 }).toEqual([])
    await answersAsWell(url, 'agent')
    // The topic is created with the first line: before that, an unreachable broker is one of
    // several causes.
    const delivered = async () => (await ask(`${url}/metrics`)).text
    await expect
      .poll(delivered, { timeout: 30_000 })
      .toMatch(/^flume_sink_event_drain_success_total\{.*\} 1$/m)

    await first.program.kill()
    await appendFile(log, 'two\n')
    await expect.poll(ready, { timeout: 30_000 }).toEqual(['SINK_FAILING'])
    const { status, text } = await ask(`${url}/ready`)
    expect(status).toBe(503)
    expect(text).toMatch(/sink k1: events cannot be delivered: .*events wait in channel c1/)
    expect((await ask(`${url}/healthy`)).status).toBe(200)

    await broker('for-agent', '--port', port)
    await expect.poll(ready, { timeout: 30_000 }).toEqual([])
    expect(await program.stop()).toBe(0)
    expect(program.printed.match(/events cannot be delivered/g)).toHaveLength(1)
  }, 120_000)

  test('serves other hosts only when configured to', async () => {
    const configuration = join(directory, 'open.conf')
    await writeFile(configuration, agentConfiguration(join(directory, 'none.log'), '1'))
    const words = ['agent', '--name', 'a1', '--conf-file', configuration, '--listen', '0.0.0.0:0']
    const refused = new Program('agent', words, /never/)
    running.push(refused)
    await expect(refused.start()).rejects.toThrow(
      /--listen 0\.0\.0\.0:0 can be reached.*--insecure/,
    )
  }, 60_000)
})

describe('millrace job submit', () => {
  test('reports that its topics cannot be read, and can be read again', async () => {
    await mkdir(join(directory, 'node_modules'), { recursive: true })
    const root = join(import.meta.dirname, '../..')
    await symlink(root, join(directory, 'node_modules', 'millrace'))
    const module = join(directory, 'words.ts')
    await writeFile(module, jobModule)
    const port = String(await freePort())
    const first = await broker('for-job', '--port', port)
    await wordsTopic(Number(port))
    const { program, printed } = await started(
      'job',
      ['submit', module, '--bootstrap', `127.0.0.1:${port}`, '--directory', join(directory, 'job')],
      /job \S+ running.*\n/,
    )
    const url = found(printed, /running at (http:[^\s,]+)/)
    const ready = () => codes(`${url}/ready`)
    await expect.poll(ready, { timeout: 30_000 }).toEqual([])
    await answersAsWell(url, 'job')

    await first.program.kill()
    await expect.poll(ready, { timeout: 30_000 }).toEqual(['TOPICS_UNREADABLE'])
    expect((await ask(`${url}/ready`)).status).toBe(503)
    expect((await ask(`${url}/healthy`)).status).toBe(200)

    await broker('for-job', '--port', port)
    await expect.poll(ready, { timeout: 30_000 }).toEqual([])
    expect(await program.stop()).toBe(0)
  }, 120_000)

  test('reports a driver that is blocked by the code of the job', async () => {
    const module = join(directory, 'held.ts')
    await writeFile(module, heldModule)
    const { printed: brokerPrinted } = await broker('for-held')
    const bootstrap = found(brokerPrinted, /listening on (\S+:\d+)/)
    await wordsTopic(Number(bootstrap.split(':')[1]))
    const { printed } = await started(
      'job',
      ['submit', module, '--bootstrap', bootstrap, '--directory', join(directory, 'held')],
      /job \S+ running.*\n/,
    )
    const url = found(printed, /running at (http:[^\s,]+)/)
    await expect.poll(() => codes(`${url}/ready`), { timeout: 30_000 }).toContain('DRIVER_HELD')
  }, 120_000)
})

function agentConfiguration(log: string, port: string): string {
  return `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = TAILDIR
a1.sources.r1.filegroups = f1
a1.sources.r1.filegroups.f1 = ${log}
a1.sources.r1.positionFile = ${join(directory, 'positions.json')}
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:${port}
a1.sinks.k1.kafka.topic = lines
a1.sinks.k1.channel = c1
`
}

const jobModule = `
import { job, text } from 'millrace/engine'
export default job('words', (stream) => {
  stream.fromTopic('words', text()).map(({ line }) => line).count().view('words')
})
`

const heldModule = `
import { job, text } from 'millrace/engine'
export default job('held', (stream) => {
  stream.fromTopic('words', text()).foreachRDD(() => { for (;;); })
})
`
