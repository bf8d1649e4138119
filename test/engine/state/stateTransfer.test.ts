// Moving states: to another number of partitions, from the old format, and back to an earlier
// batch. savepoint/prepareDirectory.test.ts tests crashes of whole jobs.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Level } from 'level'
import { afterEach, describe, expect, test } from 'vitest'
import { decodeKey, encodeKey, type Key, partNamed, partOf } from '../../../engine/keys/key.ts'
import { HashPartitioner, KeyGroupPartitioner } from '../../../engine/keys/partitioner.ts'
import type { StateTimer } from '../../../engine/state/keyedState.ts'
import { OperatorState } from '../../../engine/state/operatorState.ts'
import type { StateEntry } from '../../../engine/state/stateEntry.ts'
import { StateGrowth } from '../../../engine/state/stateSize.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { StateTransfer } from '../../../engine/state/stateTransfer.ts'
import { v8Codec } from '../../../engine/state/v8Codec.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { openDiskStateDatabase } from './diskStateDatabase.ts'

const directories: string[] = []

async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-state-'))
  directories.push(path)
  return path
}

afterEach(async () => {
  for (const path of directories.splice(0)) await rm(path, { recursive: true })
})

interface Contents {
  readonly values: Map<Key, unknown>
  /** Parts of keys, by their stored names. */
  readonly parts: Map<string, unknown>
  readonly timers: StateTimer[]
}

function contentsOf(entries: readonly StateEntry[]): Contents {
  const values = new Map<Key, unknown>()
  const parts = new Map<string, unknown>()
  const timers: StateTimer[] = []
  for (const entry of entries) {
    if (entry.kind === 'timer') timers.push(entry.timer)
    else if (partNamed(entry.key)) parts.set(entry.key, v8Codec.decode(entry.value))
    else values.set(decodeKey(entry.key), v8Codec.decode(entry.value))
  }
  timers.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
  return { values: new Map([...values].sort()), parts: new Map([...parts].sort()), timers }
}

async function exported(
  transfer: StateTransfer,
  directory: string,
  partitions: number,
  batchId: number,
): Promise<StateEntry[]> {
  const entries: StateEntry[] = []
  for await (const chunk of transfer.exportState(directory, partitions, batchId)) {
    entries.push(...chunk)
  }
  return entries
}

type Open = (directory: string) => ReturnType<typeof openDiskStateDatabase>

/** Sets each key to a value, with a part and a timer, in the partition to which the key belongs. */
async function runBatch(
  directory: string,
  partitions: number,
  batchId: number,
  keys: readonly Key[],
  value: unknown,
  openDatabase?: Open,
): Promise<void> {
  const partitioner = new KeyGroupPartitioner(partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const options = openDatabase === undefined ? {} : { openDatabase }
    const store = await StateStore.open(join(directory, String(partition)), options)
    const transaction = await store.begin(batchId)
    const state = new OperatorState(transaction, v8Codec, { isDone: true })
    for (const key of keys.filter((one) => partitioner.partitionOf(one) === partition)) {
      state.set(encodeKey(key), value)
      state.set(partOf(encodeKey(key), batchId - 1), value)
      state.setTimer({ domain: 'event', timeMs: batchId, key: encodeKey(key), tag: 1 })
    }
    await transaction.commit()
    await store.close()
  }
}

/**
 * Distributes a state over another number of partitions, in a new directory, and returns its name.
 */
async function rescaled(
  transfer: StateTransfer,
  directory: string,
  from: number,
  to: number,
  batchId: number,
): Promise<string> {
  const target = `${directory}-${to}`
  const chunks = transfer.exportState(directory, from, batchId)
  await transfer.importState(target, to, batchId, chunks)
  return target
}

const someKeys: Key[] = ['a', 'b', '\ud800', '', 1, 2, 3, 4, 5, -1, 0.5, true, null]

describe('rescaling', () => {
  test('every key is in the partition of its partitioner, and nothing else has changed', async () => {
    const count = fc.integer({ min: 1, max: 9 })
    await fc.assert(
      fc.asyncProperty(count, count, fc.uniqueArray(fc.integer()), async (from, to, numbers) => {
        const disk = new MemoryDisk()
        const open: Open = (path) => openDiskStateDatabase(disk, path)
        const transfer = new StateTransfer({ disk, openDatabase: open })
        const keys = [...someKeys, ...numbers]
        await runBatch('/state/totals', from, 0, keys, 'old', open)
        await runBatch('/state/totals', from, 1, keys.slice(0, 9), 'new', open)
        const before = contentsOf(await exported(transfer, '/state/totals', from, 1))
        const target = await rescaled(transfer, '/state/totals', from, to, 1)
        // Data that is not durable at this point may be lost.
        for (const path of ['/', '/state']) await disk.syncDirectory(path)
        disk.crash()
        expect(contentsOf(await exported(transfer, target, to, 1))).toEqual(before)
        expect(before.values.size).toBe(new Set(keys).size)
        expect(before.parts.size).toBe(before.timers.length)
        const names = await disk.list(target)
        expect(names).toEqual(Array.from({ length: to }, (_, at) => String(at)).sort())
        const partitioner = new KeyGroupPartitioner(to)
        for (let partition = 0; partition < to; partition++) {
          const store = await StateStore.open(`${target}/${partition}`, { openDatabase: open })
          expect(store.version).toBe(1)
          const owned: string[] = []
          const stored = new StateGrowth()
          await store.scan((key, bytes) => {
            owned.push(key)
            stored.change(key, null, bytes)
          })
          for (const key of owned) expect(partitioner.partitionOf(decodeKey(key))).toBe(partition)
          // The parts of a key are in the same partition as the key.
          const view = await store.begin(2)
          for (const key of owned) {
            const part = partOf(key, -1)
            await view.load([part])
            expect(view.get(part)).toEqual(v8Codec.encode('old'))
            // Batch 1 has set a second part of some keys.
            for (const one of [part, partOf(key, 0)]) {
              await view.load([one])
              const bytes = view.get(one)
              if (bytes !== undefined) stored.change(one, null, bytes)
            }
          }
          expect(store.size).toEqual({ rows: stored.rows, bytes: stored.bytes })
          await store.close()
        }
      }),
      { numRuns: 30 },
    )
  })

  test('keys are exported in the order of their groups, whatever the partitions', async () => {
    const disk = new MemoryDisk()
    const open: Open = (path) => openDiskStateDatabase(disk, path)
    const transfer = new StateTransfer({ disk, openDatabase: open })
    const orders: string[][][] = []
    for (const partitions of [1, 3, 8]) {
      await runBatch(`/state/${partitions}`, partitions, 0, someKeys, 1, open)
      const entries = await exported(transfer, `/state/${partitions}`, partitions, 0)
      const stored = entries.flatMap((entry) => (entry.kind === 'value' ? [entry.key] : []))
      // Each partition has its keys, and then their parts.
      orders.push([
        stored.filter((name) => !partNamed(name)),
        stored.filter((name) => partNamed(name)),
      ])
    }
    expect(orders[1]).toEqual(orders[0])
    expect(orders[2]).toEqual(orders[0])
  })

  test('on level, batches continue afterwards', async () => {
    const directory = join(await temporaryDirectory(), 'totals')
    const transfer = new StateTransfer({ disk: nodeDisk })
    const keys = Array.from({ length: 3000 }, (_, n) => n)
    await runBatch(directory, 2, 0, keys, 'old')
    const target = await rescaled(transfer, directory, 2, 5, 0)
    await runBatch(target, 5, 1, keys.slice(0, 1000), 'new')
    const { values, timers } = contentsOf(await exported(transfer, target, 5, 1))
    expect(values.size).toBe(3000)
    expect([...values.values()].filter((value) => value === 'new')).toHaveLength(1000)
    expect(timers).toHaveLength(4000)
    // The batch after the transfer can be undone, as any other batch.
    expect(contentsOf(await exported(transfer, target, 5, 0)).timers).toHaveLength(3000)
  })
})

describe('an export', () => {
  test('is as of a committed batch, and does not change the state', async () => {
    const disk = new MemoryDisk()
    const open: Open = (path) => openDiskStateDatabase(disk, path)
    const transfer = new StateTransfer({ disk, openDatabase: open })
    for (const batchId of [0, 1, 2]) {
      await runBatch('/state/totals', 2, batchId, someKeys, batchId, open)
    }
    for (const batchId of [1, 2, 1, 0]) {
      const { values, timers } = contentsOf(await exported(transfer, '/state/totals', 2, batchId))
      expect(new Set(values.values())).toEqual(new Set([batchId]))
      expect(timers).toHaveLength((batchId + 1) * someKeys.length)
    }
    await runBatch('/state/totals', 2, 3, someKeys, 3, open)
    await expect(exported(transfer, '/state/totals', 2, 0)).rejects.toMatchObject({
      code: 'STATE_UNREACHABLE',
    })
  })

  test('of a state that does not exist is empty, and creates nothing', async () => {
    const disk = new MemoryDisk()
    const transfer = new StateTransfer({
      disk,
      openDatabase: (path) => openDiskStateDatabase(disk, path),
    })
    expect(await exported(transfer, '/state/totals', 2, 5)).toEqual([])
    expect(await disk.stat('/state')).toBeUndefined()
    expect(await transfer.isNew('/state/totals', 2, 5)).toBe(true)
  })
})

test('an undone state is that of the target batch, whatever ran afterwards', async () => {
  const directory = join(await temporaryDirectory(), 'totals')
  const transfer = new StateTransfer({ disk: nodeDisk })
  for (const batchId of [3, 4]) await runBatch(directory, 2, batchId, someKeys, batchId)
  const before = contentsOf(await exported(transfer, directory, 2, 3))
  expect(await transfer.isNew(directory, 2, 2)).toBe(true)
  expect(await transfer.isNew(directory, 2, 3)).toBe(false)
  for (const again of [3, 3]) await transfer.undo(directory, 2, again)
  expect(contentsOf(await exported(transfer, directory, 2, 9))).toEqual(before)
  await transfer.undo(directory, 2, -1)
  expect(await exported(transfer, directory, 2, 9)).toEqual([])
  expect(await transfer.isNew(directory, 2, 9)).toBe(true)
})

describe('a state in the old format', () => {
  const keys: Key[] = [...someKeys, ...Array.from({ length: 500 }, (_, n) => `user-${n}`)]

  /**
   * Writes a state in the format of release 0: batch 4 after batch 3, both of which can be undone.
   */
  async function writeOld(directory: string, more: readonly [string, string][] = []) {
    const partitioner = new HashPartitioner(2)
    for (const partition of [0, 1]) {
      const level = new Level<string, string>(join(directory, String(partition)))
      const here = keys.filter((key) => partitioner.partitionOf(key) === partition)
      for (const key of here) {
        await level.put(`state ${JSON.stringify(encodeKey(key))}`, '{"n":4,"of":["x",null]}')
      }
      const entries = (text: string) => here.map((key) => [encodeKey(key), text])
      await level.put('undo 4', JSON.stringify({ previous: 3, entries: entries('{"n":3}') }))
      await level.put(
        'undo 3',
        JSON.stringify({ previous: 1, entries: here.map((key) => [encodeKey(key), null]) }),
      )
      await level.put('version', '4')
      for (const [name, text] of more) await level.put(name, text)
      await level.close()
    }
  }

  test('is converted as of a batch that it still has', async () => {
    const directory = join(await temporaryDirectory(), 'totals')
    const transfer = new StateTransfer({ disk: nodeDisk })
    await writeOld(directory)
    await expect(StateStore.open(join(directory, '0'))).rejects.toMatchObject({
      code: 'STATE_OLD_FORMAT',
    })
    const valuesAt = async (batchId: number) =>
      contentsOf(await exported(transfer, directory, 2, batchId)).values
    expect((await valuesAt(2)).size).toBe(0)
    expect(await valuesAt(3)).toEqual(new Map(keys.map((key) => [key, { n: 3 }] as const).sort()))
    await expect(valuesAt(0)).rejects.toMatchObject({ code: 'STATE_UNREACHABLE' })
    const newest = await valuesAt(4)
    expect(newest.size).toBe(keys.length)
    expect(newest.get('user-7')).toEqual({ n: 4, of: ['x', null] })

    const target = await rescaled(transfer, directory, 2, 3, 4)
    await runBatch(target, 3, 5, ['a'], 'new')
    const { values } = contentsOf(await exported(transfer, target, 3, 5))
    expect(values.get('a')).toBe('new')
    expect(values.get('b')).toEqual({ n: 4, of: ['x', null] })
    expect(values.size).toBe(keys.length)
  })

  test('of a window with an inverse is detected and refused', async () => {
    const directory = join(await temporaryDirectory(), 'window')
    const transfer = new StateTransfer({ disk: nodeDisk })
    await writeOld(directory, [['state "#since"', '0']])
    await expect(rescaled(transfer, directory, 2, 2, 4)).rejects.toMatchObject({
      code: 'STATE_NOT_CONVERTIBLE',
      message: expect.stringContaining('start the job in a new directory'),
    })
  })

  test.each([
    ['an entry that is not JSON', ['state "sx"', '{']],
    ['versions that do not form a chain', ['undo 2', '{"previous":0,"entries":[]}']],
    ['a version that is not a number', ['version', 'x']],
  ] as const)('with %s is damaged', async (_what, entry) => {
    const directory = join(await temporaryDirectory(), 'totals')
    const transfer = new StateTransfer({ disk: nodeDisk })
    await writeOld(directory, [entry as [string, string]])
    await expect(exported(transfer, directory, 2, 4)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
    })
  })
})
