// A worker thread of the command: runs the seeds that it is given, and sends what they add up to.

import { parentPort } from 'node:worker_threads'
import { runSeeds, type SeedRange } from './runSeeds.ts'

parentPort!.on('message', async (range: SeedRange) => {
  parentPort!.postMessage(await runSeeds(range))
})
