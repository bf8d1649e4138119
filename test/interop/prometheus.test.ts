// A real Prometheus with the example configuration, against a broker, an agent and a job as
// separate processes: all targets are up, the rules are loaded, none fires, and the queries of the
// boards have results.

import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort, Program } from '../endToEnd/programs.ts'
import { allAlerts } from '../generated/alertRules.ts'
import { boardOf, boardSpecs } from '../generated/boards.ts'
import { boardQueries, filledIn } from '../monitoring/boardQueries.ts'
import { hasTool } from '../tools.ts'
import { eventually } from './eventually.ts'

const hasPrometheus = hasTool('prometheus')
const documents = join(import.meta.dirname, '../../docs/monitoring')
const wordsJob = join(import.meta.dirname, '../engine/jobs/modules/words.ts')

let directory: string
let prometheus: ChildProcess | undefined
let prometheusUrl: string
const programs: Program[] = []

async function start(name: string, words: string[], ready: RegExp): Promise<void> {
  const program = new Program(name, words, ready)
  programs.push(program)
  await program.start()
}

async function startPrograms(): Promise<{ broker: number; agent: number; job: number }> {
  const [kafka, broker, agent, job] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const bootstrap = `127.0.0.1:${kafka}`
  await start(
    'broker',
    [
      'broker',
      '--port',
      String(kafka),
      '--console-port',
      String(broker),
      '--data',
      `${directory}/b`,
    ],
    /listening on/,
  )
  await mkdir(join(directory, 'logs'))
  await appendFile(join(directory, 'logs/app.log'), 'to be or not to be\n'.repeat(100))
  const conf = {
    sources: 'r1',
    channels: 'c1',
    sinks: 'k1',
    'sources.r1.type': 'TAILDIR',
    'sources.r1.filegroups': 'f1',
    'sources.r1.filegroups.f1': `${directory}/logs/app\\\\.log`,
    'sources.r1.positionFile': `${directory}/positions.json`,
    'sources.r1.channels': 'c1',
    'channels.c1.type': 'file',
    'channels.c1.checkpointDir': `${directory}/checkpoint`,
    'channels.c1.dataDirs': `${directory}/data`,
    'sinks.k1.type': 'org.apache.flume.sink.kafka.KafkaSink',
    'sinks.k1.channel': 'c1',
    'sinks.k1.kafka.bootstrap.servers': bootstrap,
    'sinks.k1.kafka.topic': 'words',
  }
  const lines = Object.entries(conf).map(([key, value]) => `a1.${key} = ${value}`)
  await writeFile(join(directory, 'flume.conf'), lines.join('\n'))
  const agentWords = ['--name', 'a1', '--conf-file', join(directory, 'flume.conf')]
  await start('agent', ['agent', ...agentWords, '--listen', `127.0.0.1:${agent}`], /started/)
  const jobWords = [wordsJob, '--bootstrap', bootstrap, '--directory', join(directory, 'job')]
  await start('job', ['submit', ...jobWords, '--listen', `127.0.0.1:${job}`], /127\.0\.0\.1:\d+/)
  return { broker, agent, job }
}

async function startPrometheus(ports: { broker: number; agent: number; job: number }) {
  const example = await readFile(join(documents, 'prometheus.yml'), 'utf8')
  const config = example
    .replace('127.0.0.1:8080"', `127.0.0.1:${ports.broker}"`)
    .replace('127.0.0.1:8081"', `127.0.0.1:${ports.agent}"`)
    .replace('127.0.0.1:8082"', `127.0.0.1:${ports.job}"`)
    .replaceAll('_interval: 15s', '_interval: 1s')
  await writeFile(join(directory, 'prometheus.yml'), config)
  await copyFile(join(documents, 'alerts.yml'), join(directory, 'alerts.yml'))
  const port = await freePort()
  prometheusUrl = `http://127.0.0.1:${port}/api/v1`
  prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
}

async function ask<Answer>(path: string): Promise<Answer> {
  const response = await fetch(`${prometheusUrl}/${path}`)
  const { data, error } = (await response.json()) as { data: Answer; error?: string }
  if (!response.ok) throw new Error(`${path}: ${error}`)
  return data
}

interface Vector {
  readonly result: readonly {
    readonly metric: Record<string, string>
    readonly value: [number, string]
  }[]
}

async function query(text: string): Promise<Vector['result']> {
  return (await ask<Vector>(`query?query=${encodeURIComponent(text)}`)).result
}

/** Queries without results here: errors, consumer groups, watermarks, a rate limit. */
const withoutAnswer =
  /error|refused|consumer_?group|watermark|rate_limit|rejected|deleted_segment|full_in|failedproduce|collections/

beforeAll(async () => {
  if (!hasPrometheus) return
  directory = await mkdtemp(join(tmpdir(), 'millrace-prometheus-'))
  await startPrometheus(await startPrograms())
}, 120_000)

afterAll(async () => {
  prometheus?.kill('SIGTERM')
  if (prometheus !== undefined) {
    await new Promise((resolve) => prometheus!.once('exit', resolve))
  }
  for (const program of programs.reverse()) await program.stop()
  if (hasPrometheus) await rm(directory, { recursive: true })
}, 60_000)

test.skipIf(!hasPrometheus)(
  'a real Prometheus reads all programs, loads all rules, and answers the queries of the boards',
  async () => {
    const up = async () => (await query('up == 1').catch(() => [])).length
    await eventually('three targets are up', async () => (await up()) === 3, 60_000)
    const counted = async () => (await query('millrace_job_records_total >= 100')).length
    await eventually('the job has counted the lines', async () => (await counted()) === 1, 60_000)
    const { groups } = await ask<{ groups: { rules: { health: string; name: string }[] }[] }>(
      'rules',
    )
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.map(({ name }) => name).sort()).toEqual(
      allAlerts.map(({ alert }) => alert.name).sort(),
    )
    const queries = boardSpecs.flatMap((spec) => boardQueries(boardOf(spec))).map(filledIn)
    const unanswered = async () => {
      const answers = await Promise.all(
        queries.map(async (text) => ({ text, answer: await query(text) })),
      )
      return answers.filter(({ answer }) => answer.length === 0).map(({ text }) => text)
    }
    const surprising = async () => (await unanswered()).filter((text) => !withoutAnswer.test(text))
    await eventually(
      'the queries have answers',
      async () => (await surprising()).length === 0,
    ).catch(async () => expect(await surprising()).toEqual([]))
    const evaluated = (await ask<{ groups: { rules: { health: string }[] }[] }>('rules')).groups
    expect(
      evaluated.flatMap((group) => group.rules).filter(({ health }) => health === 'err'),
    ).toEqual([])
    expect(
      (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname),
    ).toEqual([])
  },
  180_000,
)
