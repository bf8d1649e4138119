// A failing run as a person reads it: what was done to whom, what clients asked and saw, what
// servers logged, in virtual time, and the violation with its evidence.

import type { HistoryEntry } from '../checkers/history.ts'
import type { Outcome, Violation } from './outcome.ts'

interface Line {
  readonly timeMs: number
  readonly who: string
  readonly what: string
}

/** Columns of a terminal. */
const columns = 160
/** Operations that are shown without being evidence, at most. */
const mostOperations = 30

export function timeline(outcome: Outcome): string {
  const evidence = new Set(outcome.violations.flatMap(({ evidence: ids }) => ids ?? []))
  const lines: Line[] = [
    ...outcome.moments,
    ...operationsOf(outcome, evidence).map((entry) => operationLine(entry, evidence)),
  ]
  const sorted = lines.sort((one, other) => one.timeMs - other.timeMs)
  const violations = outcome.violations.map(describeViolation)
  return [...sorted.map(lineText), '', ...violations].join('\n')
}

export function describeViolation({ name, message, timeMs }: Violation): string {
  return `${name} at ${timeMs.toFixed(1)} ms: ${message}`
}

/** The evidence, and of the rest the completions nearest to the end that still fit. */
function operationsOf({ history }: Outcome, evidence: ReadonlySet<number>): HistoryEntry[] {
  const others = history.filter(
    ({ id, type, operation }) =>
      !evidence.has(id) && type !== 'invoke' && operation.kind !== 'watermarks',
  )
  const kept = new Set(others.slice(-mostOperations))
  return history.filter((entry) => evidence.has(entry.id) || kept.has(entry))
}

function operationLine(entry: HistoryEntry, evidence: ReadonlySet<number>): Line {
  const { timeMs, process, type, operation, error, id } = entry
  const mark = evidence.has(id) ? '* ' : ''
  const outcome = type === 'invoke' ? 'asks' : type === 'info' ? 'unknown' : type
  const why = error === undefined ? '' : ` (${error})`
  return { timeMs, who: process, what: `${mark}${outcome} ${JSON.stringify(operation)}${why}` }
}

function lineText({ timeMs, who, what }: Line): string {
  const text = `${timeMs.toFixed(1).padStart(9)} ms  ${who.padEnd(24)} ${what}`
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
}
