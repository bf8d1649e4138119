// Map outputs are in memory, on disk or, for earlier batches, dropped, and never change: outputs of
// the running batch are never dropped, and a damaged file counts as no output.

import { describe, expect, test } from 'vitest'
import type { Bucket } from '../../../engine/rdd/lineage.ts'
import { ShuffleSpill } from '../../../engine/shuffle/shuffleSpill.ts'
import { ShuffleStore, type ShuffleStoreOptions } from '../../../engine/shuffle/shuffleStore.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

const directory = '/job/shuffle'

function storeOf(
  maxPairs: number,
  disk?: MemoryDisk,
  options: Partial<ShuffleStoreOptions> & { maxSpillBytes?: number } = {},
) {
  const logger = new MemoryLogger()
  const { maxSpillBytes: maxBytes = 1e9 } = options
  const spill = disk && new ShuffleSpill({ disk, directory, maxBytes })
  return {
    store: new ShuffleStore({ logger, maxPairs, maxBytes: 1e9, spill, ...options }),
    logger,
    spill,
  }
}

const pairs = (count: number, value: unknown = 1): Bucket[] => [
  { keys: Array.from({ length: count }, (_, at) => at), values: new Array(count).fill(value) },
]

describe('in memory', () => {
  test('the oldest outputs are dropped first, and a forgotten shuffle frees its space', async () => {
    const { store } = storeOf(10)
    store.put('shuffle-0:1:0', 0, 0, pairs(4))
    store.put('shuffle-1:1:0', 0, 1, pairs(4))
    await store.put('shuffle-2:1:0', 0, 2, pairs(4))
    expect(store.bucket('shuffle-0:1:0', 0, 0)).toBeUndefined()
    expect(store.bucket('shuffle-1:1:0', 0, 0)).toEqual(pairs(4)[0])
    await store.forget('shuffle-1:1:0', 1)
    expect(store.put('shuffle-2:1:0', 1, 2, pairs(6))).toBeUndefined()
    expect(store.bucket('shuffle-2:1:0', 0, 0)).toEqual(pairs(4)[0])
  })

  test('an output that is stored again counts once', () => {
    const { store } = storeOf(10)
    for (let times = 0; times < 5; times++) expect(store.put('s', 0, 0, pairs(8))).toBeUndefined()
    expect(store.bucket('s', 0, 0)).toEqual(pairs(8)[0])
  })

  test('a batch that is too large is refused with advice', async () => {
    const { store } = storeOf(10)
    store.put('s', 0, 0, pairs(8))
    await expect(store.put('s', 1, 0, pairs(8))).rejects.toThrow(/reduce by key before/)
  })

  test('bytes are limited as well as pairs, estimated from a sample of the values', async () => {
    const { store } = storeOf(1e9, undefined, { maxBytes: 1_000_000 })
    expect(store.put('s', 0, 0, pairs(1000, 'x'))).toBeUndefined()
    await expect(store.put('s', 1, 0, pairs(1000, 'x'.repeat(1000)))).rejects.toMatchObject({
      code: 'RESULT_TOO_LARGE',
    })
  })
})

describe('on disk', () => {
  const values = [1, 'text', null, undefined, new Map([['a', [1n]]]), new Date(5), Buffer.from('b')]
  const buckets = (count: number): Bucket[] =>
    [0, 1].map((bucket) => {
      const keys = Array.from({ length: count }, (_, at) => `key ${bucket} ${at}`)
      return { keys, values: keys.map((_, at) => values[at % values.length]) }
    })

  test('all outputs are read back unchanged, whatever part was spilled', async () => {
    const { store } = storeOf(15, new MemoryDisk())
    for (let at = 0; at < 6; at++) await store.put('shuffle-0:1:0', at, 0, buckets(5 + at))
    for (let at = 0; at < 6; at++) {
      for (const reduce of [0, 1]) {
        expect(await store.bucket('shuffle-0:1:0', at, reduce)).toEqual(buckets(5 + at)[reduce])
      }
    }
    expect(store.bytesOnDisk('shuffle-0:1:0', 0, 0)).toBeGreaterThan(0)
    expect(store.bytesOnDisk('shuffle-0:1:0', 5, 0)).toBeGreaterThan(0)
  })

  test('a forgotten shuffle leaves no file, and a start removes old files', async () => {
    const disk = new MemoryDisk()
    const { store, spill } = storeOf(5, disk)
    await store.put('shuffle-0:1:0', 0, 0, pairs(8))
    await store.put('shuffle-1:1:0', 0, 1, pairs(8))
    expect(await disk.list(directory)).toHaveLength(2)
    await store.forget('shuffle-0:1:0', 1)
    expect(await disk.list(directory)).toHaveLength(1)
    await storeOf(5, disk).store.clear()
    expect(await disk.stat(directory)).toBeUndefined()
    expect(spill!.bytes).toBeGreaterThan(0)
  })

  test('damaged, torn and missing files count as no output', async () => {
    for (const harm of ['damage', 'tear', 'lose']) {
      const disk = new MemoryDisk()
      const { store, logger } = storeOf(5, disk)
      await store.put('shuffle-0:1:0', 0, 0, pairs(8))
      const [name] = await disk.list(directory)
      const file = await disk.open(`${directory}/${name}`, 'write')
      if (harm === 'damage') await file.write([Buffer.from([0xff])], 20)
      else if (harm === 'tear') await file.truncate(20)
      else await disk.remove(file.path)
      expect(await store.bucket('shuffle-0:1:0', 0, 0)).toBeUndefined()
      expect(store.bucket('shuffle-0:1:0', 0, 0)).toBeUndefined()
      expect(logger.messages('warn')).toEqual([expect.stringContaining('recomputed')])
      await store.put('shuffle-0:1:0', 0, 0, pairs(8))
      expect(await store.bucket('shuffle-0:1:0', 0, 0)).toEqual(pairs(8)[0])
    }
  })

  test('the contents of a file are used even if closing the file fails', async () => {
    const disk = new MemoryDisk()
    const { store } = storeOf(5, disk)
    await store.put('shuffle-0:1:0', 0, 0, pairs(8))
    const open = disk.open.bind(disk)
    disk.open = async (path, mode) => {
      const file = await open(path, mode)
      file.close = () => Promise.reject(new Error('EIO'))
      return file
    }
    expect(await store.bucket('shuffle-0:1:0', 0, 0)).toEqual(pairs(8)[0])
  })

  test('a full disk drops outputs of earlier batches, and fails the batch when no earlier outputs exist', async () => {
    const disk = new MemoryDisk({
      beforeChange: (operation) => {
        if (operation === 'write')
          throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      },
    })
    const { store, logger } = storeOf(10, disk)
    store.put('shuffle-0:1:0', 0, 0, pairs(8))
    await store.put('shuffle-1:1:0', 0, 1, pairs(8))
    expect(store.bucket('shuffle-0:1:0', 0, 0)).toBeUndefined()
    expect(store.bucket('shuffle-1:1:0', 0, 0)).toEqual(pairs(8)[0])
    await expect(store.put('shuffle-1:1:0', 1, 1, pairs(8))).rejects.toMatchObject({
      code: 'RESULT_TOO_LARGE',
      message: expect.stringMatching(/no space left.*free space/),
    })
    expect(logger.messages('warn')).toHaveLength(1)
  })

  test('disk space has a limit: outputs of earlier batches are dropped first, and then the batch is too large', async () => {
    const { store, spill } = storeOf(1, new MemoryDisk(), { maxSpillBytes: 3000 })
    await store.put('shuffle-0:1:0', 0, 0, pairs(500))
    await store.put('shuffle-1:1:0', 0, 1, pairs(500))
    expect(store.bucket('shuffle-0:1:0', 0, 0)).toBeUndefined()
    expect(await store.bucket('shuffle-1:1:0', 0, 0)).toEqual(pairs(500)[0])
    await expect(store.put('shuffle-1:1:0', 1, 1, pairs(500))).rejects.toMatchObject({
      code: 'RESULT_TOO_LARGE',
    })
    expect(spill!.bytes).toBeLessThanOrEqual(3000)
  })
})

test('a recomputed output that differs is reported', () => {
  const changed: unknown[] = []
  const { store } = storeOf(1e6, undefined, { onChanged: (...which) => changed.push(which) })
  const large = (seed: number) =>
    pairs(5000).map(({ keys }) => {
      return { keys, values: keys.map((key) => ({ n: [Number(key) * seed], s: `${key}` })) }
    })
  store.put('s', 0, 0, large(1))
  store.put('s', 0, 0, large(1))
  store.put('s', 1, 0, pairs(3))
  expect(changed).toEqual([])
  store.put('s', 0, 0, large(2))
  store.put('s', 1, 0, pairs(4))
  expect(changed).toEqual([
    ['s', 0],
    ['s', 1],
  ])
})
