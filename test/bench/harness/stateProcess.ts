// The process whose state is measured (see state.ts), so that its memory is its own:
//
//   node stateProcess.ts fill|small|large DIRECTORY KEYS SECONDS
//
// `fill` creates the state; the others open it, run batches, and print StateFigures as JSON.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { StatefulOperator } from '../../../engine/contract/statefulOperator.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import { encodeKey } from '../../../engine/keys/key.ts'
import { KeyGroupPartitioner } from '../../../engine/keys/partitioner.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'

export interface StateFigures {
  readonly restartMs: number
  readonly batches: readonly { touched: number; ms: number }[]
  readonly diskBytes: number
}

const partitions = 2
const fillBatches = 20
/** Minimum number of batches of each size, even if they take longer than the requested time. */
const fewestBatches = 5
const operator: StatefulOperator = {
  ...{ uid: 'counts', isNamed: true, kind: 'bench', shape: '', codec: 'v8' },
}

class Job {
  readonly #directory: string
  readonly #keys: number
  readonly #stores: StateStores
  readonly #partitioner = new KeyGroupPartitioner(partitions)
  readonly #random = seededRandom(1)
  #batchId: number

  constructor(directory: string, keys: number, batchId: number) {
    this.#directory = directory
    this.#keys = keys
    this.#batchId = batchId
    this.#stores = new StateStores({ clock: systemClock, directory })
  }

  /**
   * Adds one to each of these keys, in both partitions concurrently; returns the duration in ms.
   */
  async batch(keys: ReadonlySet<number>): Promise<number> {
    const arrived = Array.from({ length: partitions }, (): string[] => [])
    for (const key of keys) arrived[this.#partitioner.partitionOf(key)]!.push(encodeKey(key))
    const batchId = this.#batchId++
    const startMs = performance.now()
    await Promise.all(
      arrived.map((mine, partition) =>
        this.#stores.advance(operator, partition, batchId, async (state) => {
          await state.load(mine)
          for (const key of mine) state.set(key, ((state.get(key) as number) ?? 0) + 1)
          return {}
        }),
      ),
    )
    return performance.now() - startMs
  }

  async fill(): Promise<void> {
    const share = this.#keys / fillBatches
    for (let first = 0; first < this.#keys; first += share) {
      await this.batch(new Set(Array.from({ length: share }, (_, at) => first + at)))
    }
  }

  some(count: number): Set<number> {
    const keys = new Set<number>()
    while (keys.size < count) keys.add(Math.floor(this.#random.float() * this.#keys))
    return keys
  }

  close(): Promise<void> {
    return this.#stores.close()
  }

  async diskBytes(): Promise<number> {
    let bytes = 0
    for (let partition = 0; partition < partitions; partition++) {
      const target = join(this.#directory, operator.uid, String(partition))
      for (const name of await readdir(target)) bytes += (await stat(join(target, name))).size
    }
    return bytes
  }
}

async function measure(
  job: Job,
  counts: readonly number[],
  seconds: number,
): Promise<StateFigures> {
  const restartMs = await job.batch(job.some(1000))
  const batches: { touched: number; ms: number }[] = []
  for (const touched of counts) {
    const times: number[] = []
    const untilMs = performance.now() + (seconds * 1000) / counts.length
    while (times.length < fewestBatches || performance.now() < untilMs) {
      times.push(await job.batch(job.some(touched)))
    }
    batches.push({ touched, ms: median(times) })
  }
  const diskBytes = await job.diskBytes()
  await job.close()
  return { restartMs, batches, diskBytes }
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[times.length >> 1]!
}

const [what, directory, keys, seconds] = process.argv.slice(2)
const firstBatch = { fill: 0, small: 1_000, large: 1_000_000 }[what as 'fill' | 'small' | 'large']
const job = new Job(directory!, Number(keys), firstBatch)
if (what === 'fill') {
  await job.fill()
  await job.close()
} else {
  const counts = what === 'small' ? [0, 1, 1000] : [100_000]
  process.stdout.write(JSON.stringify(await measure(job, counts, Number(seconds))))
}
