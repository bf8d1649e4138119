// What many runs add up to: plain data, which workers send and the command prints.

import type { Outcome, Violation } from '../plan/outcome.ts'

export interface SeedTally {
  seeds: number
  events: number
  virtualMs: number
  /** Time of the processor, in ms. */
  cpuMs: number
  /** Seeds that reached each mark. */
  readonly marks: Map<string, number>
  /** The failing seeds, with their first violations. */
  readonly failures: SeedFailure[]
}

export interface SeedFailure {
  readonly system: string
  readonly seed: number
  readonly violations: readonly Violation[]
}

/** Violations that are kept of one seed. */
const mostViolations = 3

export function newTally(): SeedTally {
  return { seeds: 0, events: 0, virtualMs: 0, cpuMs: 0, marks: new Map(), failures: [] }
}

export function addOutcome(
  tally: SeedTally,
  system: string,
  seed: number,
  outcome: Outcome,
  cpuMs: number,
): void {
  tally.seeds++
  tally.events += outcome.events
  tally.virtualMs += outcome.virtualMs
  tally.cpuMs += cpuMs
  for (const mark of outcome.marks.keys()) tally.marks.set(mark, (tally.marks.get(mark) ?? 0) + 1)
  if (outcome.violations.length === 0) return
  const violations = outcome.violations.slice(0, mostViolations)
  tally.failures.push({ system, seed, violations })
}

export function addTally(sum: SeedTally, part: SeedTally): void {
  sum.seeds += part.seeds
  sum.events += part.events
  sum.virtualMs += part.virtualMs
  sum.cpuMs += part.cpuMs
  for (const [mark, count] of part.marks) sum.marks.set(mark, (sum.marks.get(mark) ?? 0) + count)
  sum.failures.push(...part.failures)
}

/** Marks of the systems that no seed has reached. */
export function missingMarks(expected: readonly string[], { marks }: SeedTally): string[] {
  return expected.filter((mark) => !marks.has(mark))
}
