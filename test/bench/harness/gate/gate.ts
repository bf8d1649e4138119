// `npm run bench -- gate [COMMIT]`: is this checkout slower than that commit? Both are measured in
// turns, each figure in at least six pairs; a figure that may be more than 5 % slower, without
// certainty, gets more pairs.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { aligned, figure } from '../row.ts'
import { checkOut, commitByDefault, findCommit } from './otherCommit.ts'
import { PairedRuns } from './pairedRuns.ts'
import type { GateRow } from './verdict.ts'

export const description =
  'gate [COMMIT]: is this checkout slower than that commit? fails where it is'

export const gatedBenchmarks = ['produce', 'fetch', 'agent', 'engine', 'pipeline', 'start']
export const defaultRounds = 6
export const defaultSeconds = 1

const root = resolve(import.meta.dirname, '../../../..')

export interface GateOptions {
  /** A commit as git accepts it; undefined chooses one. */
  readonly commit: string | undefined
  readonly benchmarks: readonly string[]
  /** Pairs of runs for each benchmark; up to twice as many for one in doubt. */
  readonly rounds: number
  /** About how long a benchmark measures each figure in one run. */
  readonly seconds: number
  readonly json: boolean
  /**
   * The product of the other commit is measured by its own benchmarks, not by those of this commit.
   */
  readonly ownBenchmarks: boolean
}

/**
 * Prints the rows on standard output and progress on standard error. Returns false if a row is
 * slower.
 */
export async function runGate(options: GateOptions): Promise<boolean> {
  const commit = await findCommit(root, options.commit ?? (await commitByDefault(root)))
  const directory = await mkdtemp(join(tmpdir(), 'millrace-gate-'))
  try {
    const other = join(directory, 'other')
    say(`this checkout beside ${commit.hash.slice(0, 10)} (${commit.subject})`)
    await checkOut(root, commit, other, options)
    const rows = await measure(options, { ours: root, theirs: other })
    process.stdout.write(`${options.json ? JSON.stringify(rows, null, 2) : gateTable(rows)}\n`)
    return rows.every(({ verdict }) => verdict !== 'slower')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure(
  { benchmarks, rounds, seconds }: GateOptions,
  checkouts: { readonly ours: string; readonly theirs: string },
): Promise<GateRow[]> {
  const runs = benchmarks.map((name) => new PairedRuns(name, checkouts, seconds))
  for (let round = 1; round <= 2 * rounds; round++) {
    const due = round <= rounds ? runs : runs.filter((run) => isInDoubt(run.rows()))
    if (round === rounds + 1 && due.length > 0) {
      say(
        `more rounds for what is in doubt; so far:\n${gateTable(runs.flatMap((run) => run.rows()))}`,
      )
    }
    for (const run of due) {
      say(`round ${round}: ${run.name}`)
      await run.round()
    }
  }
  return runs.flatMap((run) => run.rows())
}

function isInDoubt(rows: readonly GateRow[]): boolean {
  return rows.some(({ verdict }) => verdict === 'unsure')
}

function gateTable(rows: readonly GateRow[]): string {
  const header = ['', 'this', 'other', 'unit', 'speed', '95 % interval', 'pairs', '']
  const lines = rows.map((row) => [
    row.name,
    withSpread(row.ours, row.oursSpread),
    withSpread(row.theirs, row.theirsSpread),
    row.unit,
    row.speed.toFixed(3),
    row.interval ? `${row.interval[0].toFixed(3)} to ${row.interval[1].toFixed(3)}` : '-',
    String(row.pairs),
    row.verdict === 'slower' ? 'SLOWER' : row.verdict,
  ])
  const isText = [true, false, false, true, false, false, false, true]
  return aligned([header, ...lines], isText)
}

function withSpread(value: number, spread: number): string {
  return `${figure(value)} ±${(spread * 100).toFixed(0).padStart(2)} %`
}

function say(text: string): void {
  process.stderr.write(`gate: ${text}\n`)
}
