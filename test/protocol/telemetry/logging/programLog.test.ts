// A program's log file: the errors when it cannot be opened, and lines while its directory is
// missing.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog } from '../../../../protocol/telemetry/logging/programLog.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-program-log-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test.each([
  ['missing/x.log', /ENOENT.*: create its directory, or choose another file with --log-file$/],
  ['', /EISDIR.*: it is a directory; give the path of a file with --log-file$/],
  ['file/x.log', /ENOTDIR.*: choose another file with --log-file$/],
])(
  'an error for the file "%s" says why it cannot be opened, and what to do',
  async (name, message) => {
    writeFileSync(join(directory, 'file'), '')
    const logFile = join(directory, name)
    const failed = await openLog({ logFile }, 'info').catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 'LOG_FILE', message: expect.stringMatching(message) })
  },
)

/** A program that logs each line of its input. */
const logging = `
import { createInterface } from 'node:readline'
import { openLog } from ${JSON.stringify(join(import.meta.dirname, '../../../../protocol/telemetry/logging/programLog.ts'))}
const { logger } = await openLog({ logFile: process.argv[1] }, 'info')
for await (const line of createInterface(process.stdin)) logger.info({}, line)
`

test('a deleted directory is reported once on standard error, and logging resumes when it exists again', async () => {
  const inner = join(directory, 'logs')
  mkdirSync(inner)
  const logFile = join(inner, 'x.log')
  const child = spawn(process.execPath, ['--input-type=module', '-e', logging, logFile])
  const ended = new Promise((resolve) => child.once('close', resolve))
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const read = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  /** Logs the line until the condition holds: the program checks its file once a second. */
  const logUntil = (line: string, condition: () => boolean) =>
    expect
      .poll(
        () => {
          child.stdin.write(`${line}\n`)
          return condition()
        },
        { timeout: 30_000, interval: 100 },
      )
      .toBe(true)
  await logUntil('before', () => read().includes('before'))
  rmSync(inner, { recursive: true })
  await logUntil('nobody reads this', () => said.includes('failed to open'))
  mkdirSync(inner)
  await logUntil('after', () => read().includes('after'))
  child.stdin.end()
  await ended
  expect(said.trim().split('\n')).toHaveLength(1)
  expect(JSON.parse(said)).toMatchObject({
    level: 40,
    msg: expect.stringMatching(/^failed to open .*x\.log; the old file remains in use: ENOENT/),
  })
})
