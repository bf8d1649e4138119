import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import { contentOf, keyValueStoreConformance, put } from './keyValueStoreConformance.ts'

keyValueStoreConformance('memoryStore', () => {
  const stores = new MemoryStores()
  let directories = 0
  return { open: stores.open, newDirectory: () => `/${directories++}` }
})

test('a power failure loses unsynced writes and closes open stores', async () => {
  const stores = new MemoryStores()
  const store = await stores.open('/a')
  await store.write([put('a', '1')], { sync: false })
  await store.write([put('b', '1')])
  await store.write([put('b', '2'), put('c', '1')], { sync: false })
  stores.crash()
  await expect(store.write([put('d', '1')])).rejects.toThrow('ECRASHED')
  await store.close()
  expect(await contentOf(await stores.open('/a'))).toEqual(['a=1', 'b=1'])
})

test('a write interrupted by a power failure is kept as a whole or not at all', async () => {
  const stores = new MemoryStores()
  const store = await stores.open('/a')
  const write = store.write([put('a', '1'), put('b', '1')])
  stores.crash()
  await expect(write).rejects.toThrow('ECRASHED')
  expect(await contentOf(await stores.open('/a'))).toEqual([])
})

test('property: a power failure keeps a prefix of the writes that includes all synced ones', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 10 }), fc.nat(), async (syncs, seed) => {
      const stores = new MemoryStores()
      const store = await stores.open('/a')
      for (const [at, sync] of syncs.entries()) await store.write([put(`${at}`, 'x')], { sync })
      stores.crash(seededRandom(seed))
      const left = (await contentOf(await stores.open('/a'))).length
      expect(await contentOf(await stores.open('/b'))).toEqual([])
      expect(left).toBeGreaterThanOrEqual(syncs.lastIndexOf(true) + 1)
      expect(left).toBeLessThanOrEqual(syncs.length)
    }),
  )
})
