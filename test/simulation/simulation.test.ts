// The simulator in the suite: seeds of every system, the plans of faults that were found before,
// and what makes a seed worth something: the same trace in every process, and the states that it
// reaches.

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Outcome } from './plan/outcome.ts'
import type { Plan } from './plan/plan.ts'
import { shrinkPlan } from './plan/shrinking.ts'
import { describeViolation, timeline } from './plan/timeline.ts'
import { addOutcome, missingMarks, newTally } from './runner/seedTally.ts'
import type { SimulatedSystem } from './system.ts'
import { systems } from './systems.ts'

const run = promisify(execFile)
const seeds = 500
/** Ends a run that hangs: nothing here depends on how fast the machine is. */
const hangMs = 1_800_000
const regressions = join(import.meta.dirname, 'regressions')

describe.each(systems)('the system $name', (system) => {
  test('violates nothing, and reaches what it should', { timeout: hangMs }, async () => {
    const tally = newTally()
    for (let seed = 0; seed < seeds; seed++) {
      const before = process.threadCpuUsage()
      const outcome = await system.run(system.drawPlan(seed))
      const { user, system: kernel } = process.threadCpuUsage(before)
      addOutcome(tally, system.name, seed, outcome, (user + kernel) / 1000)
      expect(outcome.violations.map(describeViolation), `seed ${seed}`).toEqual([])
    }
    const { events, cpuMs, virtualMs } = tally
    console.log(
      `${system.name}: ${tally.seeds} seeds, ${events} events, ${Math.round((events / cpuMs) * 1000)} a second, ${Math.round(virtualMs / 1000)} s of virtual time`,
    )
    expect(missingMarks(system.marks, tally)).toEqual([])
  })

  test('has the same trace for a seed in two processes', { timeout: hangMs }, async () => {
    const [one, other, another] = await Promise.all(
      [11, 11, 12].map((seed) => traceInProcess(system, seed)),
    )
    expect(one).toMatch(/^trace [0-9a-f]{16}, \d+ events/m)
    expect(one!.split('\n').length).toBeGreaterThan(100)
    expect(other).toBe(one)
    expect(another).not.toBe(one)
  })

  test('is live: heals, answers everything and ends', async () => {
    const plan = system.drawPlan(3)
    const outcome = await system.run(plan)
    expect(outcome.virtualMs).toBeGreaterThan(plan.safetyMs)
    expect(outcome.virtualMs).toBeLessThan(plan.safetyMs + plan.livenessMs)
  })
})

describe('regressions', () => {
  const files = readdirSync(regressions).filter((file) => file.endsWith('.json'))

  test.each(files)('%s violates nothing any more', async (file) => {
    const plan = JSON.parse(readFileSync(join(regressions, file), 'utf8')) as Plan
    const system = systems.find(({ name }) => name === plan.system)!
    const outcome = await system.run(plan)
    expect(outcome.violations.map(describeViolation)).toEqual([])
  })
})

describe('a failing plan', () => {
  /** Fails if host `a` is killed after the disk of `b` has become slow. */
  const fails = async ({ faults }: Plan) => {
    const slow = faults.findIndex(({ kind, host }) => kind === 'slowDisk' && host === 'b')
    const kill = faults.findIndex(({ kind, host }) => kind === 'kill' && host === 'a')
    return slow >= 0 && kill > slow
  }

  test('is shrunk to the faults that matter', async () => {
    const [system] = systems
    const base = system!.drawPlan(1)
    const at = { atMs: 100 }
    const plan: Plan = {
      ...base,
      faults: [
        { kind: 'pause', at, host: 'a', process: 'p', forMs: 10 },
        { kind: 'slowDisk', at, host: 'b', factor: 10, forMs: 50 },
        { kind: 'cut', at, host: 'a', to: 'b', isOneWay: true, forMs: 70 },
        { kind: 'kill', at, host: 'a', process: 'p', downMs: 30 },
        { kind: 'kill', at, host: 'b', process: 'p', downMs: 30 },
      ],
    }
    const shrunk = await shrinkPlan(plan, { fails, stepMs: 20_000 })
    expect(shrunk.faults.map(({ kind, host }) => `${kind} ${host}`)).toEqual([
      'slowDisk b',
      'kill a',
    ])
    expect(shrunk.faults[0]).toMatchObject({ factor: 0, forMs: 0 })
    expect(shrunk.seed).toBe(base.seed)
    expect(shrunk.rare).toEqual({})
  })

  test('is printed as a timeline with its evidence', () => {
    const send = { kind: 'send', partition: 'log-0', value: 'v' } as const
    const outcome: Outcome = {
      violations: [{ name: 'lost-write', message: 'v is lost', timeMs: 9, evidence: [4] }],
      history: [
        { id: 4, process: 'producer', type: 'invoke', timeMs: 1, operation: send },
        { id: 4, process: 'producer', type: 'ok', timeMs: 3, operation: { ...send, offset: 0 } },
      ],
      moments: [{ timeMs: 2, who: 'fault', what: 'broker-1 loses power' }],
      ...{ traceHash: '', events: 0, virtualMs: 10, marks: new Map() },
    }
    const lines = timeline(outcome).split('\n')
    expect(lines[0]).toMatch(/^ +1\.0 ms {2}producer +\* asks/)
    expect(lines[1]).toMatch(/^ +2\.0 ms {2}fault +broker-1 loses power/)
    expect(lines[2]).toMatch(/^ +3\.0 ms {2}producer +\* ok/)
    expect(lines.at(-1)).toBe('lost-write at 9.0 ms: v is lost')
  })
})

/** Every event of a seed, one a line, and the hash of them. */
async function traceInProcess({ name }: SimulatedSystem, seed: number): Promise<string> {
  const command = join(import.meta.dirname, 'simulate.ts')
  const args = [command, '--system', name, '--seed', String(seed), '--trace']
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1e9 })
  return stdout
}
