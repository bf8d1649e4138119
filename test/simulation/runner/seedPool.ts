// Runs seeds on all cores, each worker a few seeds at a time, until all have run or one has failed.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { SeedRange } from './runSeeds.ts'
import { addTally, newTally, type SeedTally } from './seedTally.ts'
import type { WorkerMessage } from './seedWorker.ts'

export interface PoolOptions {
  readonly systems: readonly string[]
  readonly from: number
  readonly seeds: number
  readonly workers?: number
  /** Called when a worker has completed some seeds. */
  readonly onProgress?: (tally: SeedTally) => void
}

const seedsAtOnce = 10
/** Limit on the time of one seed: most take a tenth of a second. */
const mostSeedMs = 120_000

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

/** A seed that takes too long fails: its code loops without an event. */
function ask(worker: Worker, range: SeedRange): Promise<SeedTally> {
  return new Promise((resolve, reject) => {
    let current = range.from
    const finish = (tally: SeedTally) => {
      clearTimeout(watchdog)
      worker.off('error', reject)
      worker.off('message', onMessage)
      resolve(tally)
    }
    const onMessage = (message: WorkerMessage) => {
      if ('tally' in message) return finish(message.tally)
      current = message.seed
      watchdog.refresh()
    }
    const watchdog = setTimeout(() => finish(hanging(range.system, current)), mostSeedMs)
    worker.on('error', reject)
    worker.on('message', onMessage)
    worker.postMessage(range)
  })
}

function hanging(system: string, seed: number): SeedTally {
  const message = `no end after ${mostSeedMs / 1000} s: a loop without an event of the world`
  const failure = { system, seed, violations: [{ name: 'hangs', message, timeMs: 0 }] }
  return { ...newTally(), failures: [failure] }
}
