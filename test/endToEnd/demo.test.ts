// The demo as a user starts it: its output, and correct counts.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Picture } from '../../broker/admin/board/picture.ts'
import { OrderLines } from '../../engine/jobs/orderLines.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { sharedFile } from '../sharedFile.ts'
import { hasTool } from '../tools.ts'
import { Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const tmall = sharedFile('data/tmall-double11.csv')

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-demo-test-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** Runs the demo with its own temporary directory, which must be empty at the end. */
async function demo(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const own = await mkdtemp(join(directory, 'tmp-'))
  const outcome = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    const options = { cwd: root, env: { ...process.env, TMPDIR: own } }
    execFile(
      process.execPath,
      ['millrace.ts', 'demo', ...words],
      options,
      (error, stdout, stderr) => (error ? reject(error) : resolve({ stdout, stderr })),
    )
  })
  expect(await readdir(own)).toEqual([])
  return outcome
}

test('prints one JSON object and nothing else, with the counts of the file', async () => {
  const input = join(directory, 'orders.csv')
  const { bytes } = await new OrderLines(seededRandom(7)).next(30_000)
  // The last line has no newline, as in many files that are edited by hand.
  const text = bytes.toString('latin1').trimEnd()
  await writeFile(input, `${OrderLines.header.toString('latin1')}${text}`)
  const { stdout, stderr } = await demo('--input', input, '--once', '--json')
  expect(stderr).toBe('')
  expect(stdout.trimEnd()).not.toContain('\n')
  const result = JSON.parse(stdout)
  const purchases = text.split('\n').filter((line) => line.split(',')[6] === '2')
  expect(result).toEqual({
    lines: 30_001,
    orders: purchases.length,
    age_range: countBy(purchases, 7),
    gender: countBy(purchases, 8),
    seconds: expect.any(Number),
    lines_per_second: expect.any(Number),
  })
})

test.runIf(tmall)('the true counts of the real log of orders', async () => {
  const { stdout } = await demo('--input', tmall!, '--once', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    lines: 108_090,
    orders: 13_346,
    age_range: {
      '0': 2_758,
      '2': 1_431,
      '3': 3_564,
      '4': 2_750,
      '5': 1_349,
      '6': 1_229,
      '7': 174,
      '8': 39,
      '': 52,
    },
    gender: { '0': 9_255, '1': 3_604, '2': 325, '': 162 },
  })
})

test('runs until it is stopped, prints the address of its page, and leaves no files', async () => {
  const program = new Program('demo', ['demo', '--console-port', '0', '--port', '0'], /counted/)
  await program.start()
  const [, page] = /console: (\S+)/.exec(program.printed)!
  expect((await fetch(page!)).status).toBe(200)
  await expectLedger(page!)
  expect(await (await fetch(`${page}metrics`)).text()).toContain('millrace_log_lines_lost_total 0')
  const [, kafka] = /Kafka clients: 127\.0\.0\.1:(\d+)/.exec(program.printed)!
  expect(Number(kafka)).toBeGreaterThan(0)
  expect(await program.stop()).toBe(0)
  await expect(fetch(page!)).rejects.toThrow()
})

test.runIf(hasTool('kcat'))('the kcat of the README exits although lines still flow', async () => {
  const program = new Program(
    'demo',
    ['demo', '--console-port', '0', '--port', '0'],
    /Kafka clients/,
  )
  await program.start()
  const [, port] = /Kafka clients: 127\.0\.0\.1:(\d+)/.exec(program.printed)!
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const [, command] = /`(kcat [^`]*)`/.exec(readme)!
  const [kcat, ...words] = command!.replace('9092', port!).split(' ')
  const { stdout } = await promisify(execFile)(kcat!, words)
  expect(stdout.trimEnd().split('\n')).toHaveLength(10)
  expect(await program.stop()).toBe(0)
})

test('stays within its disk limit, and counts every line', async () => {
  const own = await mkdtemp(join(directory, 'disk-'))
  const input = join(directory, 'many-orders.csv')
  const orders = new OrderLines(seededRandom(11))
  const { bytes } = await orders.next(250_000)
  await writeFile(input, Buffer.concat(Array.from({ length: 12 }, () => bytes)))
  const disk = 256
  let mostBytes = 0
  const done = new AbortController()
  const watched = (async () => {
    while (!done.signal.aborted) mostBytes = Math.max(mostBytes, await bytesBelow(own))
  })()
  const words = ['--input', input, '--once', '--json', '--disk', String(disk), '--port', '0']
  const options = { cwd: root, env: { ...process.env, TMPDIR: own } }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['millrace.ts', 'demo', ...words],
    options,
  )
  done.abort()
  await watched
  expect(JSON.parse(stdout)).toMatchObject({ lines: 12 * 250_000 })
  // Without a limit it takes about 400 MiB.
  expect(mostBytes / 1024 / 1024).toBeLessThan(disk)
  expect(mostBytes / 1024 / 1024).toBeGreaterThan(disk / 4)
  expect(await readdir(own)).toEqual([])
}, 120_000)

test('removes the directory of a killed demo at its next start', async () => {
  const own = await mkdtemp(join(directory, 'killed-'))
  const words = ['demo', '--console-port', '0', '--port', '0']
  const program = new Program('demo', words, /Kafka clients/, { TMPDIR: own })
  await program.start()
  await program.kill()
  const [dead] = await readdir(own)
  expect(dead).toMatch(/^millrace-demo-/)
  await utimes(join(own, dead!), new Date(0), new Date(0))
  await program.start()
  expect(await readdir(own)).not.toContain(dead)
  const second = new Program('demo', words, /Kafka clients/, { TMPDIR: own })
  await second.start()
  expect(await readdir(own)).toHaveLength(2)
  expect(await second.stop()).toBe(0)
  expect(await program.stop()).toBe(0)
  expect(await readdir(own)).toEqual([])
}, 60_000)

/** Returns the disk usage of the files in a directory, without those that disappear meanwhile. */
async function bytesBelow(path: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true }).catch(
    () => [],
  )) {
    if (!entry.isFile()) continue
    const { blocks } = (await stat(join(entry.parentPath, entry.name)).catch(() => undefined)) ?? {
      blocks: 0,
    }
    bytes += blocks * 512
  }
  return bytes
}

test.runIf(process.platform === 'linux' && hasTool('script', 'bsdutils'))(
  'on a terminal restores the screen before the report',
  async () => {
    const input = join(directory, 'few.csv')
    await writeFile(input, OrderLines.header)
    const words = `${process.execPath} millrace.ts demo --once --input ${input} --port 0 --console-port 0`
    const printed = await new Promise<string>((resolve, reject) => {
      const arguments_ = ['-qec', words, '/dev/null']
      execFile('script', arguments_, { cwd: root }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      )
    })
    const marks = ['console:', '\x1b[?1049h', '\x1b[?1049l', '1 lines, 0 of them purchases']
    const places = marks.map((mark) => printed.indexOf(mark))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(printed.split('\x1b[?1049')).toHaveLength(3)
  },
)

/** Every line that was read is stored or in flight, and every stored line is counted or pending. */
async function expectLedger(page: string): Promise<void> {
  const picture = async () => (await (await fetch(`${page}api/v1/status`)).json()) as Picture
  await expect
    .poll(async () => (await picture()).ledgers[0]?.read, { timeout: 30_000 })
    .toBeGreaterThan(0)
  const { read, elsewhere, onTheWay, stored, before, counted, waiting } = (await picture())
    .ledgers[0]!
  expect({ elsewhere, before }).toEqual({ elsewhere: 0, before: 0 })
  expect(read).toBe(stored + onTheWay)
  expect(stored).toBe(counted + waiting)
  expect(Math.min(onTheWay, counted, waiting)).toBeGreaterThanOrEqual(0)
}

function countBy(lines: readonly string[], column: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of lines) {
    const key = line.split(',')[column]!
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
