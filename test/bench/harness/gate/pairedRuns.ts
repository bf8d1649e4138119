// Runs of benchmarks of two checkouts in turns, collected as pairs for each figure.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Row } from '../row.ts'
import { GateError } from './gateError.ts'
import { type GateRow, gateRow, type Pair } from './verdict.ts'

const run = promisify(execFile)
const maxOutputBytes = 16 * 1024 ** 2

export interface Checkouts {
  readonly ours: string
  readonly theirs: string
}

/** One benchmark's pairs so far. */
export class PairedRuns {
  readonly name: string
  readonly #checkouts: Checkouts
  readonly #secondsEach: number
  readonly #figures = new Map<string, { unit: string; pairs: Pair[] }>()
  #rounds = 0

  constructor(name: string, checkouts: Checkouts, secondsEach: number) {
    this.name = name
    this.#checkouts = checkouts
    this.#secondsEach = secondsEach
  }

  /**
   * Runs both once. The order alternates with every round, so that a drift of the machine evens
   * out.
   */
  async round(): Promise<void> {
    const { ours, theirs } = this.#checkouts
    const [first, second] = this.#rounds++ % 2 === 0 ? [ours, theirs] : [theirs, ours]
    const rows = new Map<string, readonly Row[]>()
    for (const checkout of [first, second]) rows.set(checkout, await this.#run(checkout))
    this.#collect(rows.get(ours)!, rows.get(theirs)!)
  }

  rows(): GateRow[] {
    return [...this.#figures].map(([name, { unit, pairs }]) =>
      gateRow(`${this.name}: ${name}`, unit, pairs),
    )
  }

  async #run(checkout: string): Promise<Row[]> {
    const script = join(checkout, 'test', 'bench', 'bench.ts')
    const args = [script, this.name, '--json', '--seconds', String(this.#secondsEach)]
    try {
      const { stdout } = await run(process.execPath, args, {
        cwd: checkout,
        maxBuffer: maxOutputBytes,
      })
      return JSON.parse(stdout) as Row[]
    } catch (error) {
      const isOurs = checkout === this.#checkouts.ours
      const advice = isOurs ? '' : ' (its own benchmarks may fit it better: --own-benchmarks)'
      throw new GateError(
        `the benchmark ${this.name} of ${isOurs ? 'this' : 'the other'} commit failed${advice}:\n${(error as Error).message}`,
        { cause: error },
      )
    }
  }

  /**
   * Collects figures that both have. The second figure of a name is the first one in another unit.
   */
  #collect(ours: readonly Row[], theirs: readonly Row[]): void {
    const seen = new Set<string>()
    for (const { name, unit, value } of ours) {
      const other = theirs.find((row) => row.name === name && row.unit === unit)
      const figure = name.split(', against ')[0]!
      if (!other || seen.has(figure)) continue
      seen.add(figure)
      const known = this.#figures.get(figure) ?? { unit, pairs: [] }
      known.pairs.push({ ours: value, theirs: other.value })
      this.#figures.set(figure, known)
    }
  }
}
