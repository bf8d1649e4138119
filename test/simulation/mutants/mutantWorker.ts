// A worker thread with one mutant planted, or with none: runs the seeds that it is asked for.

import { parentPort, workerData } from 'node:worker_threads'
import type { SeedFailure } from '../runner/seedTally.ts'
import { filesOf, type Mutant } from './mutant.ts'
import { plantMutant } from './mutantHook.ts'

export interface SeedRequest {
  readonly system: string
  readonly seed: number
}

export interface SeedAnswer {
  /** Undefined if the seed has shown no violation. */
  readonly failure: SeedFailure | undefined
}

const { mutant } = workerData as { readonly mutant: Mutant | undefined }
const planted = mutant && plantMutant(mutant)
const { runSeeds } = await import('../runner/runSeeds.ts')

parentPort!.on('message', async ({ system, seed }: SeedRequest) => {
  const { failures } = await runSeeds({ system, from: seed, count: 1 })
  // Some modules are loaded at their first use; a mutant in a module that none loads finds nothing.
  const isUnused = mutant && filesOf(mutant).every((file) => !planted!.imported.has(file))
  if (isUnused) throw new Error(`system ${system} never imports ${filesOf(mutant).join(', ')}`)
  parentPort!.postMessage({ failure: failures[0] } satisfies SeedAnswer)
})
