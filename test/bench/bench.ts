// `npm run bench -- NAME`: runs one benchmark, each figure beside its baseline in the same run.
//
//   node test/bench/bench.ts NAME [--json] [--against HOST:PORT] [--seconds N] [--only TEXT]
//     [--gigabytes N]
//   node test/bench/bench.ts gate [COMMIT] [--json] [--benchmarks NAME,...] [--rounds N]
//     [--seconds N] [--own-benchmarks]
//
// Every file beside this one, except for tests, is the benchmark of its name; they share harness/.
// With --json, standard output is one array of rows.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { suggestion } from '../../protocol/configuration/nearestName.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import * as gate from './harness/gate/gate.ts'
import { GateError } from './harness/gate/gateError.ts'
import { type Benchmark, type BenchOptions, type Row, table } from './harness/row.ts'

const defaultSeconds = 5
const defaultGigabytes = 20

const usage = `npm run bench -- NAME [--json] [--against HOST:PORT] [--seconds N] [--only TEXT] [--gigabytes N]
npm run bench -- gate [COMMIT] [--json] [--benchmarks NAME,...] [--rounds N] [--seconds N] [--own-benchmarks]`

class UsageError extends Error {
  readonly code = 'USAGE'
}

async function main(): Promise<void> {
  const { values, positionals } = parseArguments()
  const [name, commit] = positionals
  if (values.help) {
    process.stdout.write(`${usage}\n\nBenchmarks:\n${await list()}\n`)
    return
  }
  if (name === undefined) throw new UsageError(`say which benchmark:\n${await list()}`)
  if (name === 'gate') {
    process.exitCode = (await gate.runGate(await gateOptions(values, commit))) ? 0 : 1
    return
  }
  await requireBenchmark(name)
  const rows = await run(await load(name), {
    seconds: positive('--seconds', values.seconds, defaultSeconds),
    against: values.against === undefined ? undefined : address(values.against),
    only: values.only,
    gigabytes: positive('--gigabytes', values.gigabytes, defaultGigabytes),
  })
  process.stdout.write(`${values.json ? JSON.stringify(rows, null, 2) : table(rows)}\n`)
}

async function gateOptions(
  values: ReturnType<typeof parseArguments>['values'],
  commit: string | undefined,
): Promise<gate.GateOptions> {
  const benchmarks = values.benchmarks?.split(',') ?? gate.gatedBenchmarks
  for (const name of benchmarks) await requireBenchmark(name)
  return {
    commit,
    benchmarks,
    rounds: Math.ceil(positive('--rounds', values.rounds, gate.defaultRounds)),
    seconds: positive('--seconds', values.seconds, gate.defaultSeconds),
    json: values.json,
    ownBenchmarks: values['own-benchmarks'],
  }
}

async function requireBenchmark(name: string): Promise<void> {
  const known = await names()
  if (known.includes(name)) return
  const meant = suggestion(name, [...known, 'gate'])
  throw new UsageError(`benchmark ${name} does not exist${meant}\n${await list()}`)
}

/** Runs a benchmark with its own temporary directory, which is removed afterwards. */
async function run(benchmark: Benchmark, options: Omit<BenchOptions, 'directory'>): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    return await benchmark.run({ ...options, directory })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        against: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        gigabytes: { type: 'string' },
        benchmarks: { type: 'string' },
        rounds: { type: 'string' },
        'own-benchmarks': { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`${reason}\n${usage}`)
  }
}

async function names(): Promise<string[]> {
  const files = await readdir(import.meta.dirname)
  return files
    .filter((file) => /^[a-z-]+\.ts$/.test(file) && file !== 'bench.ts')
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

async function load(name: string): Promise<Benchmark> {
  return (await import(`./${name}.ts`)) as Benchmark
}

async function list(): Promise<string> {
  const benchmarks = await Promise.all(
    (await names()).map(async (name) => ({ name, ...(await load(name)) })),
  )
  return [...benchmarks, { name: 'gate', ...gate }]
    .map(({ name, description }) => `  ${name.padEnd(14)}${description}`)
    .join('\n')
}

function positive(option: string, text: string | undefined, byDefault: number): number {
  const value = text === undefined ? byDefault : Number(text)
  if (value > 0 && value <= 3600) return value
  throw new UsageError(`${option} must be a number from just above 0 to 3600, not ${text}`)
}

function address(text: string): Address {
  const [, host, port] = /^(.+):(\d+)$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) {
    throw new UsageError(`--against must be HOST:PORT, not ${text}`)
  }
  return { host, port: Number(port) }
}

try {
  await main()
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof GateError)) throw error
  process.stderr.write(`bench: ${error.message}\n`)
  process.exitCode = 1
}
