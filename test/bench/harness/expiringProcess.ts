// The process whose state with a time to live is measured (see state.ts):
//
//   node expiringProcess.ts DIRECTORY KEYS SECONDS
//
// updateStateByKey with ttlMs over KEYS keys; each batch adds a thousand, while a thousand expire.
// Prints the median time of such a batch as JSON.

import { StateStores } from '../../../engine/executor/stateStores.ts'
import { KeyGroupPartitioner } from '../../../engine/keys/partitioner.ts'
import { add } from '../../../engine/stream/arithmetic.ts'
import { advanceKeys } from '../../../engine/stream/operators/keyedOperator.ts'
import { updateStateOperator } from '../../../engine/stream/operators/updateStateByKey.ts'
import type { StreamBuilder } from '../../../engine/stream/streamPlan.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'

export interface ExpiringFigures {
  readonly ms: number
  readonly expired: number
}

const partitions = 2
const perBatch = 1000
const intervalMs = 1000
const fewestBatches = 5

const [directory, keys, seconds] = process.argv.slice(2)
const fillBatches = Number(keys) / perBatch
const builder = { stateUid: () => 'expiring' } as unknown as StreamBuilder
const operator = updateStateOperator<number, number, number>(builder, add, {
  ttlMs: fillBatches * intervalMs,
})
const partitioner = new KeyGroupPartitioner(partitions)
const stores = new StateStores({ clock: systemClock, directory: directory! })

/** Runs a batch of a thousand new keys; returns its duration in ms. */
async function runBatch(batchId: number): Promise<number> {
  const arrived = Array.from({ length: partitions }, () => new Map<number, number[]>())
  for (let at = 0; at < perBatch; at++) {
    const key = batchId * perBatch + at
    arrived[partitioner.partitionOf(key)]!.set(key, [1])
  }
  const batch = { batchId, timeMs: (batchId + 1) * intervalMs, watermarkMs: undefined }
  const startMs = performance.now()
  await Promise.all(
    arrived.map((mine, partition) =>
      stores.advance(operator.contract, partition, batchId, (state) =>
        advanceKeys(operator, mine, state, batch, { holds: () => true }),
      ),
    ),
  )
  return performance.now() - startMs
}

async function countKeys(): Promise<number> {
  let count = 0
  for (let partition = 0; partition < partitions; partition++) {
    await stores.scan(operator.contract, partition, () => count++)
  }
  return count
}

let batchId = 0
while (batchId < fillBatches) await runBatch(batchId++)
const times: number[] = []
const untilMs = performance.now() + Number(seconds) * 1000
while (times.length < fewestBatches || performance.now() < untilMs) {
  times.push(await runBatch(batchId++))
}
const expired = (batchId * perBatch - (await countKeys())) / times.length
await stores.close()
const ms = times.toSorted((one, other) => one - other)[times.length >> 1]!
process.stdout.write(JSON.stringify({ ms, expired } satisfies ExpiringFigures))
