// The command `npm run simulate`: runs seeds of simulated systems on all cores, and stops at the
// first that fails, which it shrinks and prints as a timeline, as a plan for a regression, and as
// the line that repeats it.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runMutantCommand } from './mutants/mutantCommand.ts'
import type { Outcome } from './plan/outcome.ts'
import type { Plan } from './plan/plan.ts'
import { shrinkPlan } from './plan/shrinking.ts'
import { timeline } from './plan/timeline.ts'
import { runPool } from './runner/seedPool.ts'
import { missingMarks, type SeedFailure, type SeedTally } from './runner/seedTally.ts'
import type { SimulatedSystem } from './system.ts'
import { systems } from './systems.ts'

const usage = `usage: npm run simulate -- [options] [NAME...]
  --system NAME   one of ${systems.map(({ name }) => name).join(', ')}; all unless given
  --seeds N       number of seeds; 1000 unless given, or 1 with --seed
  --seed S        the first seed; drawn unless given
  --workers N     number of threads; one for each core unless given
  --plan FILE     runs the plan of a file once
  --trace         prints every event of the first seed
  --json          prints the summary as JSON
  --no-shrink     prints the failing plan as it is
  --mutants       runs the planted faults, or those with a NAME in theirs; --seeds limits each
  --help`

/** Marks are expected of at least this many seeds. */
const enoughSeeds = 500
const shrinkStepMs = 60_000

const { values: given, positionals } = parseArgs({
  options: {
    system: { type: 'string' },
    seeds: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string' },
    plan: { type: 'string' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: true },
    mutants: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
  allowPositionals: true,
})

process.exitCode = await main()

async function main(): Promise<number> {
  if (given.help) return print(usage)
  if (given.mutants) return await runMutantCommand({ ...given, names: positionals }, print)
  if (positionals.length > 0) return fail(`${positionals[0]} is not an option`)
  const chosen = systems.filter(({ name }) => given.system === undefined || given.system === name)
  if (chosen.length === 0) return fail(`there is no system ${given.system}`)
  if (given.plan !== undefined) {
    const plan = JSON.parse(readFileSync(given.plan, 'utf8')) as Plan
    return await runPlan(systemOf(plan), plan)
  }
  const from = given.seed === undefined ? drawnSeed() : numberOf('seed', given.seed)
  if (given.trace) return await runPlan(chosen[0]!, chosen[0]!.drawPlan(from))
  const seeds = numberOf('seeds', given.seeds ?? (given.seed === undefined ? '1000' : '1'))
  return await runMany(chosen, from, seeds)
}

async function runMany(
  chosen: readonly SimulatedSystem[],
  from: number,
  seeds: number,
): Promise<number> {
  const startedMs = performance.now()
  const total = seeds * chosen.length
  const tally = await runPool({
    ...{ systems: chosen.map(({ name }) => name), from, seeds },
    ...(given.workers && { workers: numberOf('workers', given.workers) }),
    onProgress: (sum) => showProgress(sum, total),
  })
  clearProgress()
  const tookMs = performance.now() - startedMs
  const expected = chosen.flatMap(({ marks }) => marks)
  const missing = seeds >= enoughSeeds ? missingMarks(expected, tally) : []
  if (given.json) print(JSON.stringify(summaryOf(tally, from, tookMs, missing)))
  else printSummary(tally, from, tookMs, expected)
  const [failure] = tally.failures
  if (failure) return await explain(failure)
  if (missing.length === 0) return 0
  return fail(`no seed of ${seeds} has reached: ${missing.join(', ')}`)
}

async function runPlan(system: SimulatedSystem, plan: Plan): Promise<number> {
  const outcome = await system.run(plan, given.trace ? { onLine: print } : {})
  if (!given.trace) print(timeline(outcome))
  print(`trace ${outcome.traceHash}, ${outcome.events} events, ${ms(outcome.virtualMs)} virtual`)
  return outcome.violations.length === 0 ? 0 : 1
}

/** Shrinks the plan of a failing seed, and prints what happens in it. */
async function explain({ system: name, seed, violations }: SeedFailure): Promise<number> {
  const system = systems.find((each) => each.name === name)!
  const plan = system.drawPlan(seed)
  const first = violations[0]!.name
  if (first === 'hangs') {
    print(`\nseed ${seed} of ${name}: ${violations[0]!.message}`)
    return fail(`to repeat it: npm run simulate -- --system ${name} --seed ${seed} --trace`)
  }
  print(
    `\nseed ${seed} of ${name} fails: ${first}; shrinking its plan of ${plan.faults.length} faults`,
  )
  const outcomes = new Map<Plan, Outcome>()
  const fails = async (candidate: Plan) => {
    const outcome = await system.run(candidate)
    outcomes.set(candidate, outcome)
    return outcome.violations.some((violation) => violation.name === first)
  }
  const options = { fails, stepMs: shrinkStepMs }
  const shrunk = given.shrink ? await shrinkPlan(plan, options) : plan
  print(`${shrunk.faults.length} faults are left:\n`)
  print(timeline(await system.run(shrunk)))
  print(`\nthe plan, for test/simulation/regressions:\n${JSON.stringify(shrunk)}`)
  print(`\nto repeat it: npm run simulate -- --system ${name} --seed ${seed}`)
  return 1
}

function printSummary(
  tally: SeedTally,
  from: number,
  tookMs: number,
  expected: readonly string[],
): void {
  const { seeds, events, virtualMs, cpuMs } = tally
  const perSecond = Math.round((events / cpuMs) * 1000)
  print(`seeds ${from} to ${from + seeds - 1}: ${tally.failures.length} failing`)
  print(`${events} events in ${ms(tookMs)}, ${perSecond} a second of a core`)
  const faster = Math.round(virtualMs / tookMs)
  print(`${ms(virtualMs)} of virtual time, ${faster} times as fast as the clock`)
  print('\nseeds that reached:')
  const others = [...tally.marks.keys()].filter((mark) => !expected.includes(mark)).sort()
  for (const mark of [...expected, ...others]) {
    print(`${String(tally.marks.get(mark) ?? 0).padStart(8)}  ${mark}`)
  }
}

function summaryOf(
  tally: SeedTally,
  from: number,
  tookMs: number,
  missing: readonly string[],
): Record<string, unknown> {
  const { seeds, events, virtualMs, cpuMs, failures, marks } = tally
  return {
    ...{ from, seeds, events, virtualMs, cpuMs, tookMs, failures, missing },
    marks: Object.fromEntries([...marks].sort(([one], [other]) => (one < other ? -1 : 1))),
  }
}

function showProgress({ seeds, events, cpuMs }: SeedTally, total: number): void {
  if (!process.stderr.isTTY) return
  const perSeed = (cpuMs / seeds).toFixed(0)
  const text = `${seeds} of ${total} seeds, ${events} events, ${perSeed} ms a seed`
  process.stderr.write(`\r${text.slice(0, 79).padEnd(79)}`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${' '.repeat(79)}\r`)
}

function systemOf({ system: name }: Plan): SimulatedSystem {
  const system = systems.find((each) => each.name === name)
  if (system === undefined) throw new Error(`there is no system ${name}`)
  return system
}

function drawnSeed(): number {
  return Math.floor(Math.random() * 1_000_000_000)
}

function numberOf(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${option} is not a number`)
  return number
}

function ms(durationMs: number): string {
  return durationMs < 10_000 ? `${durationMs.toFixed(0)} ms` : `${(durationMs / 1000).toFixed(1)} s`
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

function fail(reason: string): number {
  process.stderr.write(`simulate: ${reason}\n`)
  return 1
}
