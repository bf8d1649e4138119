// The conformance suite of KeyValueStore, run against LevelDB and the in-memory store.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  KeyValueChange,
  KeyValueReader,
  KeyValueStore,
  OpenKeyValueStore,
} from '../../../../protocol/runtime/store/keyValueStore.ts'

export interface StoresUnderTest {
  readonly open: OpenKeyValueStore
  /** Returns a directory in which no store was opened. */
  newDirectory(): string
  close?(): void
}

const everything = { from: Buffer.of(), until: Buffer.alloc(8, 0xff) }
const bytes = fc.uint8Array({ minLength: 1, maxLength: 3 })
const change: fc.Arbitrary<KeyValueChange> = fc.oneof(
  fc.record({
    type: fc.constant('put' as const),
    key: bytes,
    value: fc.uint8Array({ maxLength: 9 }),
  }),
  fc.record({ type: fc.constant('del' as const), key: bytes }),
)

export function put(key: string, value: string): KeyValueChange {
  return { type: 'put', key: Buffer.from(key), value: Buffer.from(value) }
}

export function del(key: string): KeyValueChange {
  return { type: 'del', key: Buffer.from(key) }
}

/** All entries as text. */
export async function contentOf(reader: KeyValueReader, atOnce = 2): Promise<string[]> {
  const found: string[] = []
  for await (const group of reader.entries(everything, atOnce)) {
    expect(group.length).toBeLessThanOrEqual(atOnce)
    for (const [key, value] of group) found.push(`${Buffer.from(key)}=${Buffer.from(value)}`)
  }
  return found
}

export function keyValueStoreConformance(name: string, make: () => StoresUnderTest): void {
  describe(`${name} is a KeyValueStore`, () => {
    let stores: StoresUnderTest
    let directory: string
    let store: KeyValueStore

    beforeEach(async () => {
      stores = make()
      directory = stores.newDirectory()
      store = await stores.open(directory)
    })
    afterEach(async () => {
      await store.close()
      stores.close?.()
    })

    test('values are returned by key, in the requested order', async () => {
      await store.write([put('b', '2'), put('a', '1'), put('empty', '')])
      const keys = ['a', 'none', 'b', 'empty'].map((key) => Buffer.from(key))
      const found = await store.getMany(keys)
      expect(found.map((value) => value && String(Buffer.from(value)))).toEqual([
        ...['1', undefined, '2', ''],
      ])
      expect(await store.getMany([])).toEqual([])
    })

    test('the changes of a write are applied in order', async () => {
      await store.write([put('a', '1'), del('a'), put('b', '1'), put('b', '2'), del('none')])
      expect(await contentOf(store)).toEqual(['b=2'])
    })

    test('a range includes its first key and excludes its last, in groups', async () => {
      await store.write(['a', 'b', 'c', 'd'].map((key) => put(key, key)))
      const groups: string[] = []
      const range = { from: Buffer.from('b'), until: Buffer.from('d') }
      for await (const group of store.entries(range, 1))
        groups.push(String(Buffer.from(group[0]![0])))
      expect(groups).toEqual(['b', 'c'])
      expect(await contentOf(store, 3)).toEqual(['a=a', 'b=b', 'c=c', 'd=d'])
    })

    test('entries and snapshots do not see later writes', async () => {
      await store.write([put('a', '1'), put('b', '1'), put('c', '1')])
      const snapshot = store.snapshot()
      const seen: string[] = []
      for await (const [entry] of store.entries(everything, 1)) {
        seen.push(`${Buffer.from(entry![0])}=${Buffer.from(entry![1])}`)
        await store.write([put('c', '2'), del('b')])
      }
      expect(seen).toEqual(['a=1', 'b=1', 'c=1'])
      expect(await contentOf(snapshot)).toEqual(['a=1', 'b=1', 'c=1'])
      const [value] = await snapshot.getMany([Buffer.from('c')])
      expect(String(Buffer.from(value!))).toBe('1')
      await snapshot.close()
      expect(await contentOf(store)).toEqual(['a=1', 'c=2'])
    })

    test('a reopened store has all writes, including unsynced ones', async () => {
      await store.write([put('a', '1')])
      await store.write([put('b', '2')], { sync: false })
      await store.close()
      store = await stores.open(directory)
      expect(await contentOf(store)).toEqual(['a=1', 'b=2'])
    })

    test('a directory has its own store, opened once at a time', async () => {
      await expect(stores.open(directory)).rejects.toMatchObject({
        code: 'STORE_IN_USE',
        directory,
      })
      const other = await stores.open(stores.newDirectory())
      await other.write([put('a', 'other')])
      expect(await contentOf(store)).toEqual([])
      await other.close()
    })

    test('a closed store rejects every operation', async () => {
      await store.write([put('a', '1')])
      await store.close()
      await expect(store.getMany([Buffer.from('a')])).rejects.toThrow()
      await expect(store.write([put('a', '2')])).rejects.toThrow()
      store = await stores.open(directory)
      expect(await contentOf(store)).toEqual(['a=1'])
    })

    test('property: a store behaves as a sorted map', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 6 }),
          async (writes) => {
            const fresh = await stores.open(stores.newDirectory())
            const model = new Map<string, string>()
            for (const changes of writes) {
              await fresh.write(changes, { sync: false })
              for (const each of changes) {
                const key = Buffer.from(each.key).toString('hex')
                if (each.type === 'put') model.set(key, Buffer.from(each.value).toString('hex'))
                else model.delete(key)
              }
            }
            const found: [string, string][] = []
            for await (const group of fresh.entries(everything, 3)) {
              for (const [key, value] of group) {
                found.push([Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')])
              }
            }
            expect(found).toEqual([...model].sort(([one], [other]) => (one < other ? -1 : 1)))
            await fresh.close()
          },
        ),
        { numRuns: 30 },
      )
    })
  })
}
