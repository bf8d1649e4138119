// Runs seeds on all cores, each worker a few seeds at a time, until all have run or one has failed.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { SeedRange } from './runSeeds.ts'
import { addTally, newTally, type SeedTally } from './seedTally.ts'

export interface PoolOptions {
  readonly systems: readonly string[]
  readonly from: number
  readonly seeds: number
  readonly workers?: number
  /** Called when a worker has completed some seeds. */
  readonly onProgress?: (tally: SeedTally) => void
}

const seedsAtOnce = 10

export async function runPool(options: PoolOptions): Promise<SeedTally> {
  const { seeds, workers = availableParallelism(), onProgress } = options
  const ranges = rangesOf(options)
  const sum = newTally()
  const count = Math.min(workers, Math.ceil(seeds / seedsAtOnce))
  const pool = Array.from({ length: count }, () => new Worker(workerFile))
  try {
    await Promise.all(
      pool.map(async (worker) => {
        for (let next = ranges.next(); !next.done && !isOver(sum); next = ranges.next()) {
          addTally(sum, await ask(worker, next.value))
          onProgress?.(sum)
        }
      }),
    )
  } finally {
    await Promise.all(pool.map((worker) => worker.terminate()))
  }
  return sum
}

const workerFile = new URL('./seedWorker.ts', import.meta.url)

function isOver({ failures }: SeedTally): boolean {
  return failures.length > 0
}

/** Of all systems in turn, so that each is reached soon. */
function* rangesOf({ systems, from, seeds }: PoolOptions): Generator<SeedRange, undefined> {
  for (let done = 0; done < seeds; done += seedsAtOnce) {
    const count = Math.min(seedsAtOnce, seeds - done)
    for (const system of systems) yield { system, from: from + done, count }
  }
}

function ask(worker: Worker, range: SeedRange): Promise<SeedTally> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', (tally: SeedTally) => {
      worker.off('error', reject)
      resolve(tally)
    })
    worker.postMessage(range)
  })
}
