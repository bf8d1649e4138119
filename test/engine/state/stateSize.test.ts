// The size of a state written by an earlier release, which recorded no size, is unknown, and is
// never reported as the size of only a part of the state.

import { expect, test } from 'vitest'
import { versionKey } from '../../../engine/state/stateLayout.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { MemoryStateDatabase } from './memoryStateDatabase.ts'

class Directory {
  readonly #contents = new Map<string, string>()

  async open(): Promise<StateStore> {
    const openDatabase = async () => new MemoryStateDatabase(this.#contents)
    return await StateStore.open('/state', { openDatabase })
  }

  /**
   * Removes the sizes from the version record, as an earlier release does when it commits a batch.
   */
  forgetSizes(): void {
    const key = Buffer.from(versionKey).toString('latin1')
    const { sizes, ...record } = JSON.parse(this.#contents.get(key)!)
    expect(sizes).toBeDefined()
    this.#contents.set(key, JSON.stringify(record))
  }
}

async function run(store: StateStore, batchId: number, ...keys: string[]): Promise<void> {
  const transaction = await store.begin(batchId)
  for (const key of keys) transaction.put(key, Buffer.from('value'))
  await transaction.commit()
}

test('an empty state has no rows', async () => {
  const store = await new Directory().open()
  expect(store.size).toEqual({ rows: 0, bytes: 0 })
})

test('a state of an earlier release has no size, even after more rows are added', async () => {
  const directory = new Directory()
  await run(await directory.open(), 0, 'sa', 'sb')
  directory.forgetSizes()
  const store = await directory.open()
  expect(store.size).toBeUndefined()
  await run(store, 1, 'sc')
  expect(store.size).toBeUndefined()
  expect((await directory.open()).size).toBeUndefined()
})

test('a batch of this release over one of an earlier release is undone to a state without a size', async () => {
  const directory = new Directory()
  await run(await directory.open(), 0, 'sa')
  directory.forgetSizes()
  const store = await directory.open()
  await run(store, 1, 'sb')
  await run(store, 1, 'sb', 'sc')
  expect(store.size).toBeUndefined()
})

test('a state rolled back to before its first batch is empty, whichever release wrote it', async () => {
  const directory = new Directory()
  await run(await directory.open(), 0, 'sa', 'sb')
  directory.forgetSizes()
  const store = await directory.open()
  await run(store, 0, 'sa')
  expect(store.size).toEqual({ rows: 1, bytes: 'sa'.length + 'value'.length })
  expect((await directory.open()).size).toEqual(store.size)
})
