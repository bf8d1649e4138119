// The metrics that each program exposes, as a separate process: no metric lacks a row in
// docs/metrics.md, and no row lacks a metric.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { tablesOfProgram } from '../generated/metricTables.ts'
import { type Family, familiesOf } from '../protocol/telemetry/families.ts'
import { Program } from './programs.ts'

let directory: string
const running: Program[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-exposed-'))
})
afterEach(async () => {
  for (const program of running.splice(0)) await program.kill()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function started(name: string, words: readonly string[], ready: RegExp): Promise<Program> {
  const program = new Program(name, words, ready)
  running.push(program)
  await program.start()
  return program
}

function found({ printed }: Program, pattern: RegExp): string {
  const [, match] = pattern.exec(printed) ?? []
  if (match === undefined) throw new Error(`no match for ${pattern} in:\n${printed}`)
  return match
}

async function familiesAt(url: string): Promise<Map<string, Family>> {
  const response = await fetch(`${url}/metrics`, { headers: { connection: 'close' } })
  return familiesOf(await response.text())
}

/** Formats metrics as lines, so that a difference is easy to see. */
function described(metrics: readonly Pick<MetricSpec, 'name' | 'type' | 'help'>[]): string[] {
  return metrics.map(({ name, type, help }) => `${name} ${type} ${help}`).sort()
}

async function expectTables(program: keyof typeof tablesOfProgram, url: string): Promise<void> {
  const rows = tablesOfProgram[program].flatMap(({ metrics }) => metrics)
  const exposed = async () => {
    const families = await familiesAt(url)
    return described(
      [...families].map(([name, { type, help }]) => ({
        ...{ name, help },
        type: type as MetricSpec['type'],
      })),
    )
  }
  await expect.poll(exposed, { timeout: 20_000 }).toEqual(described(rows))
}

async function broker(): Promise<{ readonly program: Program; readonly port: string }> {
  const data = join(directory, `broker-${running.length}-${Math.trunc(performance.now())}`)
  const words = ['broker', '--data', data, '--port', '0', '--console-port', '0']
  const program = await started('broker', words, /listening on .*\n/)
  return { program, port: found(program, /listening on \S+:(\d+)/) }
}

test('millrace broker and millrace admin', async () => {
  const { program, port } = await broker()
  await expectTables('broker', found(program, /console at (http:\S+)\//))
  const words = ['admin', '--bootstrap', `127.0.0.1:${port}`, '--port', '0']
  const admin = await started('admin', words, /console at .*\n/)
  await expectTables('admin', found(admin, /console at (http:\S+)\//))
}, 120_000)

test('millrace agent', async () => {
  const configuration = join(directory, 'agent.conf')
  await writeFile(configuration, agentConfiguration)
  const words = ['agent', '--name', 'a1', '--conf-file', configuration, '--listen', '127.0.0.1:0']
  const agent = await started('agent', words, /a1 started.*\n/)
  await expectTables('agent', found(agent, /health at (http:\S+)/))
}, 120_000)

test('millrace submit', async () => {
  const { port } = await broker()
  await mkdir(join(directory, 'node_modules'), { recursive: true })
  await symlink(join(import.meta.dirname, '../..'), join(directory, 'node_modules', 'millrace'))
  const module = join(directory, 'words.ts')
  await writeFile(module, jobModule)
  const words = ['submit', module, '--bootstrap', `127.0.0.1:${port}`]
  const where = ['--directory', join(directory, 'job')]
  const job = await started('job', [...words, ...where], /job \S+ running.*\n/)
  await expectTables('job', found(job, /running at (http:[^\s,]+)/))
}, 120_000)

test('npm run demo', async () => {
  const words = ['demo', '--port', '0', '--console-port', '0']
  const demo = await started('demo', words, /counted/)
  await expectTables('demo', found(demo, /console: (\S+)\//))
}, 120_000)

const agentConfiguration = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = exec
a1.sources.r1.command = echo one
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
`

const jobModule = `
import { job, text } from 'millrace/engine'
export default job('words', (stream) => {
  stream.fromTopic('words', text()).map(({ line }) => line).count().view('words')
})
`
