// The log of a broker process: the lines at info, in a file that is rotated, and by level.

import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { millrace, Program } from './programs.ts'

let directory: string
const running: Program[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
})
afterEach(async () => {
  for (const program of running.splice(0)) await program.kill()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function broker(name: string, ...more: string[]): Promise<Program> {
  const words = ['broker', '--port', '0', '--console-port', '0', '--data', join(directory, name)]
  const program = new Program('broker', [...words, ...more], /listening on .*\n/)
  running.push(program)
  await program.start()
  return program
}

async function linesOf(file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('is written to a file only; a moved file is opened again', async () => {
  const file = join(directory, 'story.log')
  const program = await broker('story', '--log-file', file)
  expect(program.printed).not.toContain('broker started')
  await rename(file, `${file}-moved`)
  // The name of the file is checked once a second.
  const { url } = { url: /console at (http:\S+)\//.exec(program.printed)![1]! }
  const level = async () => {
    for (const level of ['debug', 'info']) {
      const body = JSON.stringify({ level })
      const headers = { 'content-type': 'application/json' }
      await fetch(`${url}/log-level`, { method: 'PUT', body, headers })
    }
    return (await fetch(`${url}/log-level`)).json()
  }
  expect(await level()).toEqual({ level: 'info' })
  expect(await program.stop()).toBe(0)
  const lines = await linesOf(`${file}-moved`)
  const rest = (await readdir(directory)).includes('story.log') ? await linesOf(file) : []
  const story = [...lines, ...rest]
  expect(story.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining([
      'millrace broker',
      'broker starting',
      'broker started',
      'broker stopping',
      'broker stopped',
    ]),
  )
  expect(story[0]).toMatchObject({
    msg: 'millrace broker',
    version: expect.any(String),
    node: process.versions.node,
    settings: { listeners: 'PLAINTEXT://127.0.0.1:0' },
  })
  expect(story.at(-1)).toMatchObject({ msg: 'broker stopped', elapsedMs: expect.any(Number) })
}, 60_000)

test('is rotated by size, and keeps the configured number of files', async () => {
  const file = join(directory, 'small.log')
  const words = ['--log-file', file, '--log-file-size', '300', '--log-files', '2']
  const program = await broker('small', ...words, '--log-level', 'debug')
  await program.stop()
  const files = (await readdir(directory)).filter((name) => name.startsWith('small.log')).sort()
  expect(files).toEqual(['small.log', 'small.log.1', 'small.log.2'])
}, 60_000)

test('can be pretty-printed', async () => {
  const program = await broker('pretty', '--log-format', 'pretty')
  expect(program.printed).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: broker started \{/m)
}, 60_000)

test.each([
  [['--log-file-size', '1m'], /--log-file-size has no effect without --log-file/],
  [
    ['--log-file', '/does/not/exist/x.log'],
    /cannot open the log file .*ENOENT.*create its directory/,
  ],
  [['--log-format', 'xml'], /Allowed choices are auto, pretty, json/],
  [['--log-file-age', '7'], /expected a time with its unit/],
])(
  '%j is invalid and is reported in one line',
  async (words, message) => {
    const outcome = await millrace(
      'broker',
      '--port',
      '0',
      '--data',
      join(directory, 'no'),
      ...words,
    )
    expect(outcome.stderr).toMatch(message)
    expect(outcome.code).toBeGreaterThan(0)
  },
  60_000,
)
