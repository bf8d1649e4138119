// `millrace job`: running jobs are listed, described, queried and stopped, by name and by
// directory; with --watch a job continues with its next version.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { TestBroker } from '../interop/testBroker.ts'
import { millrace, type Outcome, Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
let directory: string
let broker: TestBroker
let cluster: Cluster
let producer: Producer
const programs: Program[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-commands-'))
  await mkdir(join(directory, 'node_modules'))
  await symlink(root, join(directory, 'node_modules', 'millrace'))
  broker = await TestBroker.start()
  const runtime = nodeRuntime(tcpNetwork)
  const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
  cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
  producer = new Producer(cluster, runtime)
})

afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.kill()))
})

afterAll(async () => {
  await producer.close()
  await cluster.close()
  await broker.stop()
  await rm(directory, { recursive: true, force: true })
})

async function produce(topic: string, ...words: string[]): Promise<void> {
  await Promise.all(words.map((word) => producer.send(topic, { value: Buffer.from(word) })))
}

/** Counts the words of the topic with its name, after `helper.ts` beside it has converted them. */
const counting = (name: string) => `
import { add, job, sum, text } from 'millrace/engine'
import { spelled } from './helper.ts'

export default job('${name}', (stream) => {
  stream
    .fromTopic('${name}', text())
    .map(({ line }) => [spelled(line), 1] as const)
    .reduceByKey(sum)
    .updateStateByKey(add, { uid: 'counts' })
    .view('words')
})
`
const lower = 'export const spelled = (word: string): string => word.toLowerCase()\n'
const upper = 'export const spelled = (word: string): string => word.toUpperCase()\n'

/** Creates a job with its own topic, which contains three words. */
async function module(name: string): Promise<string> {
  await new Admin(cluster).createTopics([{ name, partitions: 1 }])
  await produce(name, 'a', 'b', 'a')
  const jobDirectory = join(directory, name)
  await mkdir(jobDirectory, { recursive: true })
  await writeFile(join(jobDirectory, 'helper.ts'), lower)
  const file = join(jobDirectory, `${name}.ts`)
  await writeFile(file, counting(name))
  return file
}

const stateOf = (name: string) => join(directory, `${name}-state`)

async function submitted(name: string, ...words: string[]): Promise<Program> {
  const file = await module(name)
  const options = ['--bootstrap', broker.address, '--batch-interval-ms', '100']
  const place = ['--directory', stateOf(name), '--log-level', 'warn']
  const all = ['job', 'submit', file, ...options, ...place, ...words]
  const program = new Program(name, all, /millrace job \S+ running at \S+/)
  programs.push(program)
  await program.start()
  return program
}

const job = (...words: string[]): Promise<Outcome> => millrace('job', ...words)
const asked = (...words: string[]) => job(...words, '--bootstrap', broker.address)

async function status(name: string): Promise<JobStatus> {
  const { stdout } = await job('describe', '--directory', stateOf(name), '--json')
  return JSON.parse(stdout).status
}

/** Returns the rows of the job's view once this number of records was counted. */
async function counted(name: string, records: number): Promise<Record<string, number>> {
  await expect
    .poll(async () => (await status(name))?.recordsTotal, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(records)
  const { views } = await status(name)
  return Object.fromEntries(views[0]!.rows)
}

function expectMistake(outcome: Outcome, message: RegExp): void {
  expect(outcome.stderr.trim().split('\n')).toEqual([expect.stringMatching(message)])
  expect(outcome.stdout).toBe('')
  expect(outcome.code).toBe(1)
}

test('a running job is listed, described and stopped', async () => {
  const program = await submitted('plain')
  expect(await counted('plain', 3)).toEqual({ a: 2, b: 1 })

  const list = await asked('list')
  expect(list.stdout).toMatch(/^NAME +STATE +INSTANCE +BATCH +LAG +TOTAL +SINCE\n/)
  expect(list.stdout).toMatch(/\nplain +running +[0-9a-f]{8} +\d+ +0 +3 +/)
  const [listed] = JSON.parse((await asked('list', '--json')).stdout)
  expect(listed).toMatchObject({ name: 'plain', state: 'running', recordsTotal: 3 })

  const { url, id } = JSON.parse(await readFile(join(stateOf('plain'), 'address.json'), 'utf8'))
  expect(listed).toMatchObject({ address: url, instance: id.slice(-8) })
  const described = await asked('describe', 'plain')
  expect(described.stdout).toContain(`job plain, instance ${id.slice(-8)}: running for`)
  expect(described.stdout).toContain(`  directory ${stateOf('plain')}\n`)
  expect(described.stdout).toMatch(/ {2}position {2}plain-0 at 3\n/)

  expectMistake(await asked('stop', 'plane'), /no job 'plane' at .* known jobs: plain \(running/)
  expectMistake(await asked('stop'), /no job selected: give its name or --directory/)
  expectMistake(await asked('describe', 'plain', '--instance', '0'), /'plain' with instance 0/)
  const copy = ['submit', join(directory, 'plain/plain.ts'), '--directory', stateOf('copy')]
  expectMistake(
    await asked(...copy, '--log-level', 'warn'),
    /job 'plain' is already running: instance/,
  )

  const stopped = await asked('stop', 'plain')
  expect(stopped).toMatchObject({ code: 0, stderr: '' })
  expect(stopped.stdout).toMatch(/^job plain stopped after batch \d+, 3 records counted\n$/)
  expect(await program.exited()).toBe(0)
  await expect(readFile(join(stateOf('plain'), 'address.json'))).rejects.toThrow(/ENOENT/)
  expectMistake(await asked('stop', 'plain'), /'plain' is not running: stopped .* ago/)
  const stored = await job('describe', '--directory', stateOf('plain'))
  expect(stored.stdout).toMatch(/^job plain, instance [0-9a-f]{8}: not running\n/)
  expect(stored.stdout).toMatch(/ {2}position {2}plain-0 at 3\n/)
}, 300_000)

test('a job is stopped, killed and found by its directory, also after a killed process', async () => {
  const program = await submitted('placed')
  const place = ['--directory', stateOf('placed')]
  expect(await job('stop', ...place, '--timeout', '5')).toMatchObject({
    ...{ code: 0, stdout: 'job placed has ended\n' },
  })
  expect(await program.exited()).toBe(0)
  expectMistake(await job('stop', ...place), /no job runs in/)
  await program.start()
  await program.kill()
  expectMistake(await job('stop', ...place), /left behind by a process that was killed/)
  expect((await job('describe', ...place)).stdout).toMatch(/: not running\n/)
  await program.start()
  expect((await job('kill', ...place)).stdout).toMatch(/^job placed has ended; its current batch/)
  expect(await program.exited()).toBe(0)
  expectMistake(await job('describe', '--directory', directory), /is not a job's directory/)
}, 300_000)

test('a stopped job can be reset to given offsets, with empty state', async () => {
  const program = await submitted('back')
  expect(await counted('back', 3)).toEqual({ a: 2, b: 1 })
  const place = ['--directory', stateOf('back')]
  const rewind = ['rewind', ...place, '--bootstrap', broker.address]
  const back = [...rewind, '--to-offsets', 'back:0=2']
  expectMistake(await job(...back, '--reset-state'), /is already running; stop it first/)
  await job('stop', ...place)
  await program.exited()
  expectMistake(await job('rewind', ...place), /one of --to-batch, --to-time and --to-offsets/)
  expectMistake(await job(...back), /--reset-state.*--keep-state/)
  for (const [offsets, message] of [
    ['bakc:0=2', /the job does not read topic 'bakc', only back/],
    ['back:1=0', /back-1 does not exist/],
    ['back:0=9', /back-0 has no offset 9; its log has offsets 0 to 3/],
  ] as const) {
    expectMistake(await job(...rewind, '--reset-state', '--to-offsets', offsets), message)
  }
  const rewound = await job(...back, '--reset-state')
  expect(rewound).toMatchObject({ code: 0, stderr: '' })
  expect(rewound.stdout).toMatch(/: state discarded; reading continues with back-0 at 2\n$/)
  await program.start()
  const rows = async () => (await status('back')).views[0]!.rows
  await expect.poll(rows, { timeout: 20_000 }).toEqual([['a', 1]])
}, 300_000)

test('a job returns values of its state, and a savepoint of it starts another job', async () => {
  const first = await submitted('saved')
  await counted('saved', 3)
  const { url } = JSON.parse(await readFile(join(stateOf('saved'), 'address.json'), 'utf8'))
  const state = async (query: string) => (await fetch(`${url}/job/state/counts?${query}`)).json()
  expect(await state('key=a&key=number:1')).toMatchObject({
    batchId: expect.any(Number),
    entries: [
      { key: 'a', found: true, value: 2 },
      { key: 1, found: false },
    ],
  })
  const page = (await state('limit=1')) as { entries: unknown[]; after: string }
  const next = (await state(`limit=1&after=${encodeURIComponent(page.after)}`)) as typeof page
  expect([...page.entries, ...next.entries]).toHaveLength(2)
  const target = join(directory, 'savepoint')
  const written = await asked('savepoint', 'saved', '--to', target)
  expect(written.stdout).toMatch(/^savepoint of job saved after batch \d+ written to .*savepoint/)
  expectMistake(await asked('savepoint', 'saved', '--to', target), /savepoint/)
  await job('stop', '--directory', stateOf('saved'))
  await first.exited()
  const words = ['job', 'submit', join(directory, 'saved/saved.ts'), '--from', target]
  const place = ['--bootstrap', broker.address, '--directory', stateOf('continued')]
  const second = new Program('continued', [...words, ...place], /running at/)
  programs.push(second)
  await second.start()
  await produce('saved', 'b')
  expect(await counted('continued', 4)).toEqual({ a: 2, b: 2 })
}, 120_000)

test('a job whose output blocks the driver still answers, and can be killed', async () => {
  const name = 'holding'
  const file = await module(name)
  const text = await readFile(file, 'utf8')
  const output = "stream.fromTopic('holding', text()).foreachRDD(() => { for (;;); })"
  await writeFile(file, text.replace(/\n}\)\n$/, `\n  ${output}\n})\n`))
  const words = ['job', 'submit', file, '--bootstrap', broker.address, '--directory', stateOf(name)]
  const program = new Program(name, words, /running at/)
  programs.push(program)
  await program.start()
  const { url } = JSON.parse(await readFile(join(stateOf(name), 'address.json'), 'utf8'))
  await expect
    .poll(async () => (await fetch(`${url}/job`)).status, { timeout: 20_000, interval: 500 })
    .toBe(503)
  expect(await (await fetch(`${url}/job`)).json()).toMatchObject({ error: 'DRIVER_HELD' })
  await job('kill', '--directory', stateOf(name))
  expect(await program.exited()).toBe(1)
  expect(program.printed).toMatch(/is blocking the driver's thread/)
}, 300_000)

test('an invalid option of a job is reported in one line', async () => {
  const file = await module('options')
  const submit = (...words: string[]) =>
    asked('submit', file, '--directory', stateOf('options'), '--log-level', 'warn', ...words)
  expectMistake(await submit('--listen', '0.0.0.0:0'), /no authentication.*--insecure/)
  expectMistake(
    await submit('--listen', 'here'),
    /--listen here is not an address: expected host:port/,
  )
  expectMistake(
    await submit('--listen', `127.0.0.1:${broker.port}`),
    /port \d+ is in use.*--listen/,
  )
  for (const words of [
    ['submit', file, '--conf', 'rate'],
    ['submit', file, '--executor-memory', '5'],
    ['stop', 'x', '--timeout', 'long'],
    ['savepoint', 'x'],
    ['rewind'],
  ]) {
    expect(await job(...words)).toMatchObject({ code: 2, stdout: '' })
  }
  expectMistake(
    await job('list', '--bootstrap', '127.0.0.1:1'),
    /cannot read the statuses of jobs from 127.0.0.1:1/,
  )
}, 300_000)

test('--watch runs a job whose first batch blocks the driver for long', async () => {
  const name = 'busy'
  const file = await module(name)
  const text = await readFile(file, 'utf8')
  const run = 'for (const end = Date.now() + 5_000; Date.now() < end; );'
  const output = `stream.fromTopic('busy', text()).foreachRDD(() => { ${run} })`
  await writeFile(file, text.replace(/\n}\)\n$/, `\n  ${output}\n})\n`))
  const place = ['--bootstrap', broker.address, '--directory', stateOf(name)]
  const program = new Program(name, ['job', 'submit', file, ...place, '--watch'], /watching/)
  programs.push(program)
  await program.start()
  await program.interrupt(/stopping after the current batch/)
  expect(await program.exited()).toBe(0)
}, 300_000)

test('--watch continues with the next version, or with the old one when the next is invalid', async () => {
  const program = await submitted('watched', '--watch')
  expect(await counted('watched', 3)).toEqual({ a: 2, b: 1 })
  const helper = join(directory, 'watched', 'helper.ts')

  program.forget()
  await writeFile(helper, lower.replace('toLowerCase()', 'length'))
  await program.prints(/helper\.ts.*number.*(\n.*)*the running version continues/)
  await produce('watched', 'C')
  expect(await counted('watched', 4)).toEqual({ a: 2, b: 1, c: 1 })

  program.forget()
  await writeFile(join(directory, 'watched', 'watched.ts'), counting('renamed'))
  await writeFile(helper, lower)
  await program.prints(/was renamed to 'renamed'.*(\n.*)*the running version continues/)

  program.forget()
  await writeFile(join(directory, 'watched', 'watched.ts'), counting('watched'))
  await writeFile(helper, upper)
  await program.prints(/starting the new version(\n.*)*job watched running at/)
  await produce('watched', 'c')
  expect(await counted('watched', 5)).toEqual({ a: 2, b: 1, c: 1, C: 1 })

  // Ctrl-C, and nothing is lost.
  await program.interrupt(/stopping after the current batch/)
  expect(await program.exited()).toBe(0)
}, 120_000)
