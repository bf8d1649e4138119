// Tasks whose inputs are on disk start a few at a time, limited by bytes; other tasks do not wait
// for these.

import { expect, test } from 'vitest'
import { ShuffleInputs } from '../../../engine/scheduler/shuffleInputs.ts'
import { ShuffleSpill } from '../../../engine/shuffle/shuffleSpill.ts'
import { ShuffleStore } from '../../../engine/shuffle/shuffleStore.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'

const bucket = (seed: number) => ({ keys: [seed], values: ['x'.repeat(1000)] })
const read = (reducePartition: number) => [{ shuffleId: 's', mapPartitions: 1, reducePartition }]

async function storeWith(maxPairs: number): Promise<ShuffleStore> {
  const spill = new ShuffleSpill({ disk: new MemoryDisk(), directory: '/spill', maxBytes: 1e9 })
  const store = new ShuffleStore({ logger: silentLogger, maxPairs, maxBytes: 1e9, spill })
  await store.put('s', 0, 0, [0, 1, 2, 3].map(bucket))
  return store
}

test('inputs from disk wait for earlier tasks, and the end of one starts the next', async () => {
  const inputs = new ShuffleInputs(await storeWith(0), 2500)
  const begun: number[] = []
  for (let task = 0; task < 4; task++) {
    const gathered = inputs.gather(task, read(task))
    expect(gathered).toBeInstanceOf(Promise)
    void Promise.resolve(gathered).then((found) => {
      expect(found).toEqual({ kind: 'gathered', inputs: new Map([[`s/${task}`, [bucket(task)]]]) })
      begun.push(task)
    })
  }
  await settle()
  expect(begun).toEqual([0, 1])
  inputs.ended(1)
  inputs.ended(1)
  await settle()
  expect(begun).toEqual([0, 1, 2])
  inputs.ended(0)
  await settle()
  expect(begun).toEqual([0, 1, 2, 3])
})

test('a task over the limit runs alone, and inputs in memory are returned immediately', async () => {
  const store = await storeWith(0)
  const inputs = new ShuffleInputs(store, 10)
  expect(await inputs.gather(1, read(0))).toMatchObject({ kind: 'gathered' })
  const waiting = inputs.gather(2, read(1))
  await store.put('m', 0, 0, [])
  expect(inputs.gather(3, [])).toEqual({ kind: 'gathered', inputs: new Map() })
  inputs.ended(1)
  expect(await waiting).toMatchObject({ kind: 'gathered' })
  const kept = new ShuffleInputs(await storeWith(9), 10)
  expect(kept.gather(1, read(2))).toMatchObject({ kind: 'gathered' })
  const lost = [{ shuffleId: 's', mapPartitions: 2, reducePartition: 0 }]
  expect(kept.gather(1, lost)).toEqual({ kind: 'missing', shuffleId: 's', mapPartition: 1 })
})
