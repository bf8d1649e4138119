// The command line: a mistake ends with one line and exit code 1; the metrics page is Flume's.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { agentCommand } from '../../agent/command.ts'
import { type AgentArguments, parseArguments } from '../../agent/commandArguments.ts'
import { monitoringAddress, unusedProperties } from '../../agent/systemProperties.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'agent-command-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function run(args: readonly string[], whenStarted = async (_: string) => {}) {
  let stderr = ''
  let stdout = ''
  const started = Promise.withResolvers<void>()
  const code = await agentCommand(
    [...args, '--log-level', 'error'],
    { version: '0.0.0' },
    {
      stdout: (text) => {
        stdout += text
        if (text.includes('started')) started.resolve()
      },
      stderr: (text) => {
        stderr += text
      },
      environment: {},
      stopRequested: () => started.promise.then(() => whenStarted(stdout)),
      endProcess: () => {
        throw new Error('nothing hangs')
      },
    },
  )
  return { code, stderr, stdout }
}

async function configured(text: string): Promise<string> {
  const file = join(directory, 'x.conf')
  await writeFile(file, text)
  return file
}

const working = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = exec
a1.sources.r1.command = printf one\\\\ntwo\\\\n
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
`

describe('mistakes', () => {
  test.each<[string, string[], RegExp]>([
    ['no name', ['-f', 'x'], /--name NAME is required/],
    ['no file', ['-n', 'a1'], /--conf-file FILE is required/],
    ['a missing file', ['-n', 'a1', '-f', '/nowhere/x.conf'], /\/nowhere\/x\.conf does not exist/],
    ['an unknown option', ['-n', 'a1', '--nonsense'], /unknown option '--nonsense'/],
    [
      'an unknown monitoring type',
      ['-n', 'a1', '-f', 'FILE', '-Dflume.monitoring.type=ganglia'],
      /flume.monitoring.type 'ganglia' is not supported: use http/,
    ],
    [
      'an agent that is not configured',
      ['-n', 'a2', '-f', 'FILE'],
      /agent a2 is not configured; configured agents: a1/,
    ],
    [
      'a configuration in ZooKeeper',
      ['-n', 'a1', '-z', 'zk:2181', '-p', '/flume'],
      /a configuration in ZooKeeper is not supported: save it to a file/,
    ],
    [
      'a configuration at an http URI',
      ['-n', 'a1', '-u', 'http://host/x.conf'],
      /--conf-uri http:\/\/host\/x\.conf is not supported: only file: URIs are/,
    ],
    [
      'an invalid interval',
      ['-n', 'a1', '-f', 'FILE', '-i', '0'],
      /--poll-interval '0' is not a number of seconds, at least 1/,
    ],
    [
      'a security setting',
      ['-n', 'a1', '-f', 'FILE', '-Djava.security.auth.login.config=/etc/jaas.conf'],
      /-Djava\.security\.auth\.login\.config is a security setting, which is not supported/,
    ],
    [
      'encryption of the metrics page',
      ['-n', 'a1', '-f', 'FILE', '-Djavax.net.ssl.keyStore=/x'],
      /-Djavax\.net\.ssl\.keyStore is a security setting, which is not supported/,
    ],
  ])('%s', async (_, args, message) => {
    const file = await configured(working)
    const { code, stderr } = await run(args.map((arg) => (arg === 'FILE' ? file : arg)))
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('an invalid configuration is reported with file, line and property of each problem', async () => {
    const broken = 'a1.channels.c1.capacity = many\na1.sources.r1.comand = x\n'
    const file = await configured(working + broken)
    const { code, stderr } = await run(['-n', 'a1', '-f', file])
    expect(code).toBe(1)
    expect(stderr.trimEnd().split('\n')).toEqual([
      'millrace agent: agent a1 is not started: it has no valid channel',
      expect.stringContaining(
        `  error: ${file}:10: a1.channels.c1.capacity: 'many' is not an integer`,
      ),
      expect.stringContaining(
        `  error: ${file}:6: a1.sources.r1.channels: 'c1' is not a valid channel`,
      ),
      expect.stringContaining(
        `  error: ${file}:9: a1.sinks.k1.channel: 'c1' is not a valid channel`,
      ),
      `  warning: ${file}:11: a1.sources.r1.comand: unknown option, ignored: did you mean command?`,
    ])
  })

  test('an agent with an unset system property does not start', async () => {
    const file = await configured(working.replace('printf', '$' + '{sys:printer}'))
    const { code, stderr, stdout } = await run(['-n', 'a1', '-f', file])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('start the agent with -Dprinter=VALUE; a1.sources.r1 is dropped')
    expect((await run(['-n', 'a1', '-f', file, '-Dprinter=printf'])).code).toBe(0)
  })

  test('a channel directory in use is reported', async () => {
    const channel = `a1.channels.c1.type = file
a1.channels.c1.checkpointDir = ${directory}/checkpoint
a1.channels.c1.dataDirs = ${directory}/data
a1.channels.c1.minimumRequiredSpace = 0
`
    const file = await configured(working + channel)
    await run(['-n', 'a1', '-f', file], async () => {
      const second = await run(['-n', 'a1', '-f', file])
      expect(second.code).toBe(1)
      expect(second.stderr).toMatch(/checkpoint is in use by another process/)
    })
  })
})

describe('arguments', () => {
  function parsed(...args: string[]): AgentArguments {
    const all = parseArguments(['--name', 'a1', '--conf-file', 'x.conf', ...args], { stdout() {} })
    if (all === 'help') throw new Error('no help was asked for')
    return all
  }

  test('may have one dash, as for Flume', () => {
    const args = ['-conf', 'conf', '-conf-file', 'x.conf', '-name', 'a1', '-no-reload-conf']
    expect(parseArguments(args, { stdout() {} })).toMatchObject({
      name: 'a1',
      files: ['x.conf'],
      confDirectory: 'conf',
      reloadIntervalMs: undefined,
    })
  })

  test('say where the configuration is, and how often it is read', () => {
    expect(parsed('-u', 'file:///etc/a%20b.conf', '-i', '5')).toMatchObject({
      files: ['x.conf', '/etc/a b.conf'],
      reloadIntervalMs: 5000,
    })
    expect(parsed().reloadIntervalMs).toBe(30_000)
  })

  test.each([
    [[], 'info'],
    [['-Dflume.root.logger=DEBUG,console'], 'debug'],
    [['-Dflume.root.logger=WARN,LOGFILE', '--log-level', 'error'], 'error'],
    [['-Dflume.root.logger=OFF'], 'error'],
  ])('%j log at level %s', (args, level) => {
    expect(parsed(...args).logging.logLevel).toBe(level)
  })

  test('without effect cause a warning', () => {
    expect(parsed('-Xmx1g', '-Xms1g', '-C', 'lib/*', '-b', '/backup').warnings).toEqual([
      '--backup-directory has no effect: no copy of the configuration is kept',
      '--classpath and --plugins-path have no effect: Java classes are not loaded',
      '-Xmx1g -Xms1g: Java options have no effect',
    ])
  })

  test('an unused -D causes a warning with the nearest name', () => {
    const properties = {
      directroy: '/x',
      'java.security.egd': 'x',
      used: '1',
      'flume.monitoring.port': '1',
    }
    expect(unusedProperties(properties, 'a = $' + '{sys:directory} $' + '{sys:used:-2}')).toEqual([
      '-Ddirectroy has no effect: the configuration does not use it: did you mean directory?',
      '-Djava.security.egd has no effect: the configuration does not use it',
    ])
  })

  test('set the address of the metrics page', () => {
    const type = { 'flume.monitoring.type': 'HTTP' }
    expect(monitoringAddress({})).toBeUndefined()
    expect(monitoringAddress(type)).toEqual({ host: '127.0.0.1', port: 41414 })
    const everywhere = { ...type, 'flume.monitoring.host': '0.0.0.0', 'flume.monitoring.port': '1' }
    expect(monitoringAddress(everywhere)).toEqual({ host: '0.0.0.0', port: 1 })
  })
})

test('a dry run prints the problems, and starts nothing', async () => {
  const file = await configured(`${working}a1.sinks.k1.batchsize = 5\n`)
  const { code, stdout } = await run(['-n', 'a1', '-f', file, '-d', '-Xmx20m'], () => {
    throw new Error('it was started')
  })
  expect(code).toBe(0)
  expect(stdout.trimEnd().split('\n')).toEqual([
    'warning: -Xmx20m: Java options have no effect',
    `warning: ${file}:10: a1.sinks.k1.batchsize: unknown option, ignored: did you mean batchSize?`,
    'agent a1 can be started',
  ])
})

test('runs until a stop is requested, and serves the metrics page as Flume does', async () => {
  const file = await configured(working)
  const args = ['--name', 'a1', '--conf-file', file, '--no-reload-conf']
  const monitoring = ['-Dflume.monitoring.type=http', '-Dflume.monitoring.port=0']
  const { code } = await run([...args, ...monitoring], async (stdout) => {
    const url = /http:[^\s,]+\/metrics/.exec(stdout)![0]
    let metrics: Record<string, Record<string, string>> = {}
    for (let asked = 0; metrics['CHANNEL.c1']?.EventTakeSuccessCount !== '2'; asked++) {
      expect(asked).toBeLessThan(5000)
      metrics = (await (await fetch(url)).json()) as typeof metrics
    }
    expect(metrics['SOURCE.r1']).toMatchObject({ Type: 'SOURCE', EventAcceptedCount: '2' })
    expect(metrics['CHANNEL.c1']).toMatchObject({ ChannelCapacity: '100', ChannelSize: '0' })
    expect(metrics['CHANNEL.c1']).toMatchObject({ ChannelFillPercentage: '0.0' })
    expect(metrics['SINK.k1']).toBeUndefined()
    expect((await fetch(url.replace('metrics', 'METRICS'))).status).toBe(200)
    expect((await fetch(url.replace('metrics', ''))).headers.get('content-type')).toMatch(/html/)
    expect((await fetch(url.replace('metrics', 'other'))).status).toBe(404)
  })
  expect(code).toBe(0)
})

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s stops the agent in order',
  async (signal) => {
    const script = join(import.meta.dirname, '../../millrace.ts')
    const command = 'a1.sources.r1.command = sleep 1000'
    const file = await configured(working.replace(/a1.sources.r1.command.*/, command))
    const agent = spawn(process.execPath, [script, 'agent', '-n', 'a1', '-f', file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    for await (const piece of agent.stdout) {
      if (String(piece).includes('started')) agent.kill(signal)
    }
    if (agent.exitCode === null) await once(agent, 'exit')
    expect([agent.exitCode, agent.signalCode]).toEqual([0, null])
  },
)
