// Runs mutants: each in a thread of its own, seed by seed, until the simulator reports a violation
// or the mutant's seeds are used up. A thread that ends or hangs is no finding: a person has to see
// what is wrong.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Violation } from '../plan/outcome.ts'
import type { SeedFailure } from '../runner/seedTally.ts'
import type { Mutant } from './mutant.ts'
import type { SeedAnswer, SeedRequest } from './mutantWorker.ts'

export interface MutantResult {
  readonly mutant: Mutant
  /** Seeds that were run, the one that found it included. */
  readonly seeds: number
  readonly tookMs: number
  /** The first violation, if there was one. */
  readonly violation: Violation | undefined
  /** Why the result is neither a finding nor a miss. */
  readonly problem: string | undefined
}

export interface MutantRunOptions {
  readonly workers?: number
  /** Limit on the seeds of each mutant, below its own. */
  readonly maxSeeds?: number
  /** Limit on the time of one seed: a mutant may loop without an event, which nothing else ends. */
  readonly hangMs?: number
  readonly onResult?: (result: MutantResult) => void
}

const defaultHangMs = 300_000
const workerFile = new URL('./mutantWorker.ts', import.meta.url)

/** In the order of the mutants. */
export async function runMutants(
  mutants: readonly Mutant[],
  options: MutantRunOptions = {},
): Promise<MutantResult[]> {
  const { workers = availableParallelism(), maxSeeds = Infinity, onResult } = options
  const { hangMs = defaultHangMs } = options
  const results: MutantResult[] = []
  const waiting = mutants.entries()
  const runNext = async () => {
    for (const [at, mutant] of waiting) {
      const result = await runMutant(mutant, Math.min(maxSeeds, mutant.maxSeeds), hangMs)
      results[at] = result
      onResult?.(result)
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, mutants.length) }, runNext))
  return results
}

async function runMutant(mutant: Mutant, maxSeeds: number, hangMs: number): Promise<MutantResult> {
  const startedMs = performance.now()
  const thread = new SeedThread(mutant, hangMs)
  const tookMs = () => performance.now() - startedMs
  let seed = 0
  try {
    while (seed < maxSeeds) {
      const failure = await thread.run({ system: mutant.system, seed: ++seed })
      if (failure === undefined) continue
      const problem = await problemWithout(mutant, seed, hangMs)
      const violation = failure.violations[0]
      return { mutant, seeds: seed, tookMs: tookMs(), violation, problem }
    }
    return { mutant, seeds: seed, tookMs: tookMs(), violation: undefined, problem: undefined }
  } catch (error) {
    const problem = `seed ${seed}: ${(error as Error).message}`
    return { mutant, seeds: seed, tookMs: tookMs(), violation: undefined, problem }
  } finally {
    await thread.end()
  }
}

/** A violation that the seed shows without the mutant, too, says nothing about the mutant. */
async function problemWithout(
  { system }: Mutant,
  seed: number,
  hangMs: number,
): Promise<string | undefined> {
  const thread = new SeedThread(undefined, hangMs)
  try {
    const failure = await thread.run({ system, seed })
    const name = failure?.violations[0]?.name
    return name === undefined ? undefined : `seed ${seed} fails without the mutant: ${name}`
  } finally {
    await thread.end()
  }
}

class SeedThread {
  readonly #worker: Worker
  readonly #hangMs: number
  readonly #failed: Promise<never>

  constructor(mutant: Mutant | undefined, hangMs: number) {
    this.#hangMs = hangMs
    this.#worker = new Worker(workerFile, { workerData: { mutant } })
    this.#failed = new Promise((_, reject) => {
      this.#worker.once('error', reject)
      this.#worker.once('exit', (code) => reject(new Error(`its thread ended with code ${code}`)))
    })
    this.#failed.catch(() => {})
  }

  async run(request: SeedRequest): Promise<SeedFailure | undefined> {
    const answered = new Promise<SeedAnswer>((resolve) => this.#worker.once('message', resolve))
    const { promise: hung, reject } = Promise.withResolvers<never>()
    const late = () => reject(new Error(`no end after ${this.#hangMs} ms`))
    const timer = setTimeout(late, this.#hangMs)
    this.#worker.postMessage(request)
    try {
      const { failure } = await Promise.race([answered, this.#failed, hung])
      return failure
    } finally {
      clearTimeout(timer)
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
