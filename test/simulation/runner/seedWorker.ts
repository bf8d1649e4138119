// A worker thread of the command: runs the seeds that it is given, and sends what they add up to.

import { parentPort } from 'node:worker_threads'
import { runSeeds, type SeedRange } from './runSeeds.ts'
import type { SeedTally } from './seedTally.ts'

/** The seed that begins, or what all seeds of a range add up to. */
export type WorkerMessage = { readonly seed: number } | { readonly tally: SeedTally }

parentPort!.on('message', async (range: SeedRange) => {
  const tally = await runSeeds(range, (seed) => parentPort!.postMessage({ seed }))
  parentPort!.postMessage({ tally })
})
