// `npm run simulate -- --mutants`: runs the mutants, all or those whose names have one of the given
// texts, and prints what found each.

import { mutants } from './allMutants.ts'
import { type MutantResult, runMutants } from './mutantRun.ts'

/** The options of the command line that count. */
export interface MutantCommandOptions {
  /** Parts of the names, in any case; all mutants if there are none. */
  readonly names: readonly string[]
  readonly system?: string | undefined
  readonly json: boolean
  readonly workers?: string | undefined
  /** Limit on the seeds of each mutant, below its own. */
  readonly seeds?: string | undefined
}

/** Returns the exit code: 1 if a mutant was not found that is not known to be missed. */
export async function runMutantCommand(
  { names, system, json, workers, seeds }: MutantCommandOptions,
  print: (line: string) => void,
): Promise<number> {
  const isNamed = (text: string) =>
    names.some((name) => text.toLowerCase().includes(name.toLowerCase()))
  const chosen = mutants.filter(
    (mutant) =>
      (names.length === 0 || isNamed(mutant.name)) &&
      (system === undefined || mutant.system === system),
  )
  if (chosen.length === 0) {
    print('there is no such mutant')
    return 1
  }
  const results = await runMutants(chosen, {
    ...(workers !== undefined && { workers: Number(workers) }),
    ...(seeds !== undefined && { maxSeeds: Number(seeds) }),
    onResult: (result) => {
      if (!json) print(resultLine(result))
    },
  })
  const found = results.filter(isFound)
  const missed = results.filter((result) => !isFound(result) && !isKnownMiss(result))
  if (json) print(JSON.stringify(results.map(plain)))
  else print(`\n${found.length} of ${results.length} mutants were found`)
  return missed.length === 0 ? 0 : 1
}

export function isFound({ violation, problem }: MutantResult): boolean {
  return violation !== undefined && problem === undefined
}

/** A miss with a reason is printed with it, and is no failure. */
function isKnownMiss({ mutant, problem }: MutantResult): boolean {
  return problem === undefined && mutant.missedBecause !== undefined
}

function resultLine({ mutant, seeds, tookMs, violation, problem }: MutantResult): string {
  const { system, name } = mutant
  const count = `${seeds} seed${seeds === 1 ? '' : 's'}`.padStart(10)
  const time = `${(tookMs / 1000).toFixed(1)} s`.padStart(8)
  const { missedBecause } = mutant
  const miss = missedBecause === undefined ? 'NOT FOUND' : `not found yet: ${missedBecause}`
  const outcome = problem ?? violation?.name ?? miss
  return `${system.padEnd(12)} ${count} ${time}  ${name}: ${outcome}`
}

function plain({ mutant, ...result }: MutantResult): object {
  const { name, system, file, origin } = mutant
  return { name, system, file, origin, ...result, tookMs: Math.round(result.tookMs) }
}
