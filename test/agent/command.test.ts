// The command line as a user meets it: mistakes end in one line and exit code 1; the metrics page is
// Flume's.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { agentCommand } from '../../agent/command.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'agent-command-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function run(args: readonly string[], whenStarted = async (_: string) => {}) {
  let stderr = ''
  let stdout = ''
  const code = await agentCommand([...args, '--log-level', 'error'], {
    stdout: (text) => {
      stdout += text
    },
    stderr: (text) => {
      stderr += text
    },
    environment: {},
    stopRequested: () => whenStarted(stdout),
    endProcess: () => {
      throw new Error('nothing hangs')
    },
  })
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
    ['no name', ['-f', 'x'], /--name NAME is missing/],
    ['no file', ['-n', 'a1'], /--conf-file FILE is missing/],
    ['a missing file', ['-n', 'a1', '-f', '/nowhere/x.conf'], /\/nowhere\/x\.conf does not exist/],
    ['an unknown option', ['-n', 'a1', '--nonsense'], /unknown option '--nonsense'/],
    [
      'an unknown monitor',
      ['-n', 'a1', '-f', 'FILE', '-Dflume.monitoring.type=ganglia'],
      /ganglia/,
    ],
    [
      'a name that is not there',
      ['-n', 'a2', '-f', 'FILE'],
      /no agent is called a2; it configures a1/,
    ],
  ])('%s', async (_, args, message) => {
    const file = await configured(working)
    const { code, stderr } = await run(args.map((arg) => (arg === 'FILE' ? file : arg)))
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('a broken file names file, line and property', async () => {
    const file = await configured(`${working}a1.channels.c1.capacity = many\n`)
    const { code, stderr } = await run(['-n', 'a1', '-f', file])
    expect(code).toBe(1)
    expect(stderr).toContain(`${file}:10: a1.channels.c1.capacity: 'many' is not a whole number`)
  })

  test('a channel directory in use is said so', async () => {
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

test('runs until it is told to stop, and serves the metrics page as Flume does', async () => {
  const file = await configured(working)
  const args = ['--name', 'a1', '--conf-file', file, '--no-reload-conf']
  const monitoring = ['-Dflume.monitoring.type=http', '-Dflume.monitoring.port=0']
  const { code } = await run([...args, ...monitoring], async (stdout) => {
    const url = /http:\S+/.exec(stdout)![0]
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
