// The response to a user's mistakes: one clear message on standard error, a non-zero exit code, and
// nothing on standard output.

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort, millrace, type Outcome, Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
let directory: string
let occupied: { server: Server; port: number }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-mistakes-'))
  const server = createServer()
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  occupied = { server, port }
})
afterAll(async () => {
  await new Promise((resolve) => occupied.server.close(resolve))
  await rm(directory, { recursive: true, force: true })
})

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

function expectOneMessage(outcome: Outcome, message: RegExp, code = 1): void {
  // Lines that a program logs before are not errors.
  const complaints = outcome.stderr
    .split('\n')
    .filter((line) => !/^(?:\{"level":30,.*)?$/.test(line))
  expect(complaints).toEqual([expect.stringMatching(message)])
  expect(outcome.stdout).toBe('')
  expect(outcome.code).toBe(code)
}

test('the demo: a file that does not exist', async () => {
  const outcome = await millrace('demo', '--once', '--input', 'no-such.csv')
  expectOneMessage(outcome, /no-such\.csv: file does not exist/)
})

test('the demo: an end without an input', async () => {
  expectOneMessage(await millrace('demo', '--once'), /--once requires --input/)
})

test('the demo: an occupied port for the page, or for Kafka clients', async () => {
  const port = String(occupied.port)
  for (const option of ['--console-port', '--port']) {
    expectOneMessage(await millrace('demo', option, port), new RegExp(`${port}.* in use`))
  }
})

test('the broker: an occupied port', async () => {
  const data = join(directory, 'other')
  const outcome = await millrace('broker', '--port', String(occupied.port), '--data', data)
  expectOneMessage(outcome, new RegExp(`${occupied.port}.* in use`))
})

test('the broker: a data directory in use by another process', async () => {
  const data = join(directory, 'data')
  const first = new Program('broker', ['broker', '--port', '0', '--data', data], /listening/)
  await first.start()
  try {
    expectOneMessage(
      await millrace('broker', '--port', '0', '--data', data),
      /in use by another process/,
    )
  } finally {
    expect(await first.stop()).toBe(0)
  }
})

test('the broker: a configuration file with an error', async () => {
  const config = await file('broker.properties', 'num.partitions=2\nmessage.max.bytes=many\n')
  expectOneMessage(
    await millrace('broker', '--config', config),
    /broker\.properties.*2.*message\.max\.bytes/,
  )
})

test('the agent: no flume.conf, an empty one, one without that agent, one without a channel', async () => {
  const run = (path: string) => millrace('agent', '--name', 'a1', '--conf-file', path)
  expectOneMessage(await run('no-such.conf'), /no-such\.conf does not exist/)
  expectOneMessage(await run(await file('empty.conf', '')), /empty\.conf is empty/)
  expectOneMessage(
    await run(await file('other.conf', 'a2.sources = r1\na2.channels = c1\n')),
    /agent a1 is not configured; configured agents: a2/,
  )
  const outcome = await run(
    await file('broken.conf', 'a1.sources = r1\na1.sources.r1.type = exec\n'),
  )
  expect(outcome.stderr).toMatch(/channel/)
  expect(outcome.code).toBe(1)
})

test('the agent: an occupied port for its metrics page', async () => {
  const conf = await file(
    'metrics.conf',
    [
      'a1.sources = r1',
      'a1.sources.r1.type = exec',
      'a1.sources.r1.command = true',
      'a1.sources.r1.channels = c1',
      'a1.channels = c1',
      'a1.channels.c1.type = memory',
      'a1.sinks = k1',
      'a1.sinks.k1.type = logger',
      'a1.sinks.k1.channel = c1',
      '',
    ].join('\n'),
  )
  const outcome = await millrace(
    ...['agent', '--name', 'a1', '--conf-file', conf, '--log-level', 'error'],
    ...['-Dflume.monitoring.type=http', `-Dflume.monitoring.port=${occupied.port}`],
  )
  expectOneMessage(outcome, new RegExp(`${occupied.port}`))
})

test('a job: no module, a syntax error, a type error, no job in it', async () => {
  const submit = (path: string) =>
    millrace('submit', path, '--directory', join(directory, 'job'), '--bootstrap', '127.0.0.1:1')
  expectOneMessage(await submit(join(directory, 'no-such.ts')), /no-such\.ts/)
  expectOneMessage(await submit(await file('syntax.ts', 'export default {\n')), /syntax\.ts/)
  expectOneMessage(
    await submit(await file('types.ts', 'const count: number = "three"\nexport default count\n')),
    /types\.ts.*1.*number/,
  )
  expectOneMessage(await submit(await file('empty.ts', 'export default 3\n')), /job/)
})

test('an unknown command or option: usage, and code 2', async () => {
  for (const words of [['brokr'], ['broker', '--prot', '1'], ['demo', '--rate', 'fast']]) {
    const outcome = await millrace(...words)
    expect(outcome.stderr).toMatch(/error: /)
    expect(outcome.code).toBe(2)
  }
})

test('the broker: a listener on all addresses without an advertised address', async () => {
  const outcome = await millrace('broker', '--host', '0.0.0.0', '--data', join(directory, 'open'))
  expectOneMessage(outcome, /add the line advertised\.listeners=PLAINTEXT:\/\/\S+:9092/)
})

test('the broker: security settings that would be ignored', async () => {
  const config = await file('secure.properties', 'listeners=SASL_SSL://127.0.0.1:0\n')
  expectOneMessage(await millrace('broker', '--config', config), /SASL_SSL asks for SASL_SSL/)
  const keys = await file('keys.properties', 'node.id=1\nssl.keystore.location=/etc/keys\n')
  expectOneMessage(
    await millrace('broker', '--config', keys),
    /keys\.properties:2: ssl\.keystore\.location \(line 2\) asks for protection/,
  )
})

test('a file in the place of a directory: the broker, a job', async () => {
  const inTheWay = await file('in-the-way', 'text')
  for (const data of [inTheWay, join(inTheWay, 'below')]) {
    expectOneMessage(
      await millrace('broker', '--port', '0', '--data', data),
      /in-the-way.* a file, not a directory: use the path of a directory/,
    )
  }
  const job = join(root, 'engine/jobs/orderDemographics.ts')
  expectOneMessage(
    await millrace('submit', job, '--directory', inTheWay, '--bootstrap', '127.0.0.1:1'),
    /in-the-way.* a file, not a directory/,
  )
})

test('an unknown log level: the list of levels, and code 2', async () => {
  for (const words of [['broker'], ['demo'], ['submit', 'job.ts']]) {
    const outcome = await millrace(...words, '--log-level', 'loud')
    expect(outcome.stderr).toMatch(/Allowed choices are debug, info, warn, error/)
    expect(outcome.code).toBe(2)
  }
  expectOneMessage(
    await millrace('agent', '--log-level', 'loud', '--name', 'a', '--conf-file', 'x'),
    /debug, info, warn, error/,
  )
})

test('the version and the help of the agent, in the spelling of flume-ng and the usual one', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const words of [['--version'], ['-V'], ['agent', 'version'], ['agent', '--version']]) {
    const outcome = await millrace(...words)
    expect(outcome).toEqual({ code: 0, stdout: `millrace ${version}\n`, stderr: '' })
  }
  for (const words of [
    ['agent', 'help'],
    ['agent', '--help'],
    ['help', 'agent'],
  ]) {
    const outcome = await millrace(...words)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(outcome.stdout).toMatch(/--conf-file/)
  }
})

test('the demo: a file that does not contain orders', async () => {
  const access = await file('access.log', '127.0.0.1 - - [29/Nov/2026] "GET /"\n'.repeat(3))
  const ports = ['--port', '0', '--console-port', '0']
  const outcome = await millrace('demo', '--input', access, '--once', '--json', ...ports)
  expect(outcome.stderr).toMatch(/^millrace: .*access\.log does not look like orders.*\n$/)
  expect(JSON.parse(outcome.stdout)).toMatchObject({ lines: 3, orders: 0 })
  expect(outcome.code).toBe(0)
})

test('HTTP or TLS sent to the port of the broker: the log names the protocol', async () => {
  const data = join(directory, 'foreign')
  const broker = new Program('broker', ['broker', '--port', '0', '--data', data], /listening/)
  await broker.start()
  try {
    const [, port] = /listening on 127\.0\.0\.1:(\d+)/.exec(broker.printed)!
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
    await expect(fetch(`https://127.0.0.1:${port}/`)).rejects.toThrow()
  } finally {
    expect(await broker.stop()).toBe(0)
  }
  expect(broker.printed).toMatch(/received HTTP, but this port speaks the Kafka protocol only/)
  expect(broker.printed).toMatch(/received TLS, but this port speaks the Kafka protocol only/)
})

test('npm: an unknown script is reported', async () => {
  const npm = spawn('npm', ['run', 'dmeo'], { cwd: root })
  let printed = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk: Buffer) => (printed += chunk))
  }
  const code = await new Promise((resolve) => npm.on('close', resolve))
  expect(printed).toMatch(/Missing script: .*dmeo/)
  expect(code).not.toBe(0)
})
