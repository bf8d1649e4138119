// Where the programs put their data, and the error for a directory that cannot be created: one line
// with its path, the reason, and the remedy.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const jobModule = join(root, 'engine/jobs/orderDemographics.ts')
let directory: string
/** Permissions do not bind root, so that programs of these tests run without privileges. */
const isRoot = process.getuid?.() === 0
const withoutPrivileges = ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
const canDropPrivileges = !isRoot || existsSync('/usr/bin/setpriv')

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-directories-'))
  await mkdir(join(directory, 'locked'), { mode: 0o500 })
  await writeFile(join(directory, 'file'), 'text')
})
afterAll(async () => {
  await chmod(join(directory, 'locked'), 0o700)
  await rm(directory, { recursive: true, force: true })
})

/** Runs a program as a user whom permissions bind. Resolves with its exit code and error lines. */
function complaintOf(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; complaint: string }> {
  const command = [process.execPath, join(root, 'millrace.ts'), ...words]
  const [program, ...args] = isRoot ? [...withoutPrivileges, ...command] : command
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { env: { ...process.env, ...environment } })
    let printed = ''
    child.stderr.on('data', (chunk) => (printed += chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      // Lines that a program logs before are not errors.
      const lines = printed.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
      resolve({ code, complaint: lines.join('\n') })
    })
  })
}

const brokerAt = (path: string) => ['broker', '--port', '0', '--no-console', '--data', path]
const jobAt = (path: string) => [
  ...['submit', jobModule, '--bootstrap', '127.0.0.1:1', '--directory', path],
]

describe('a directory that cannot be created', () => {
  const longName = 'x'.repeat(300)
  const cases: readonly (readonly [string, () => string, RegExp])[] = [
    ['a file is in its place', () => join(directory, 'file'), /^[^\n]*file is a file, not a d/],
    [
      'a file is above it',
      () => join(directory, 'file/below'),
      /^[^\n]*below is below a file, not a directory: use the path of a directory$/,
    ],
    [
      'its name is too long',
      () => join(directory, longName),
      /^[^\n]*cannot create [^\n]*: path too long; use a shorter path$/,
    ],
    [
      'a directory that takes no entries',
      () => '/proc/millrace',
      /^[^\n]*cannot create \/proc\/millrace: [^\n]*; use a[^\n]*$/,
    ],
  ]

  test.each(cases)('%s', async (_name, path, message) => {
    for (const words of [brokerAt(path()), jobAt(path())]) {
      expect(await complaintOf(words)).toEqual({
        code: 1,
        complaint: expect.stringMatching(message),
      })
    }
  })

  test.runIf(canDropPrivileges)('permission is denied', async () => {
    const locked = join(directory, 'locked')
    for (const program of [brokerAt, jobAt]) {
      expect(await complaintOf(program(join(locked, 'below')))).toEqual({
        code: 1,
        complaint: expect.stringMatching(
          /^[^\n]*cannot create [^\n]*locked\/below: permission denied for user id \d+; use a directory that this user can write to$/,
        ),
      })
      expect(await complaintOf(program(locked))).toEqual({
        code: 1,
        complaint: expect.stringMatching(
          /^[^\n]*cannot write to [^\n]*locked: permission denied for user id \d+; use a directory that this user can write to$/,
        ),
      })
    }
  })

  test.runIf(canDropPrivileges)('of the demo: the directory for temporary files', async () => {
    const demo = ['demo', '--port', '0', '--console-port', '0']
    for (const parent of ['missing', 'locked']) {
      const path = join(directory, parent)
      expect(await complaintOf(demo, { TMPDIR: path })).toEqual({
        code: 1,
        complaint: expect.stringMatching(
          /^millrace: cannot create a temporary directory in [^\n]*: free space there, or set TMPDIR to a directory that this user can write to$/,
        ),
      })
    }
  })

  test('of the agent: those of its file channel', async () => {
    const conf = join(directory, 'flume.conf')
    await writeFile(
      conf,
      [
        'a.sources = s\na.channels = c\na.sinks = k',
        'a.sources.s.type = exec\na.sources.s.command = true\na.sources.s.channels = c',
        `a.channels.c.type = file\na.channels.c.checkpointDir = ${directory}/file`,
        `a.channels.c.dataDirs = ${directory}/data`,
        'a.sinks.k.type = null\na.sinks.k.channel = c\n',
      ].join('\n'),
    )
    expect(await complaintOf(['agent', '--name', 'a', '--conf-file', conf])).toEqual({
      code: 1,
      complaint: expect.stringMatching(/^millrace agent: channel c[^\n]*file is a file, not a d/),
    })
  })
})

describe('the default data directory', () => {
  test('is the state directory of systemd', async () => {
    const state = join(directory, 'state')
    const broker = new Program('broker', ['broker', '--port', '0', '--no-console'], /listening/, {
      STATE_DIRECTORY: state,
    })
    await broker.start()
    expect(await broker.stop()).toBe(0)
    expect(broker.printed).toContain(`data in ${state}`)
    expect(existsSync(join(state, 'meta.properties'))).toBe(true)
  })

  test('is that of an earlier version, if it exists, with a line in the log', async () => {
    const home = join(directory, 'former')
    await mkdir(join(home, 'millrace-data'), { recursive: true })
    const broker = new Program(
      'broker',
      ['broker', '--port', '0', '--no-console'],
      /listening/,
      { STATE_DIRECTORY: '' },
      home,
    )
    await broker.start()
    expect(await broker.stop()).toBe(0)
    expect(broker.printed).toContain(`data in ${join(home, 'millrace-data')}`)
    expect(broker.printed).toContain('using the data directory of an earlier version')
  })
})
