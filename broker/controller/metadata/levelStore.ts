// The key-value store in LevelDB. The only file of the broker that imports `level`.

import { Level } from 'level'
import { assert } from '../../../protocol/runtime/assert.ts'
import { systemErrorOf } from '../../../protocol/runtime/levelError.ts'
import type { KeyValueOperation, KeyValueStore } from './keyValueStore.ts'

class LevelStore implements KeyValueStore {
  readonly #level: Level<string, string>

  constructor(level: Level<string, string>) {
    this.#level = level
  }

  get(key: string): Promise<string | undefined> {
    return this.#level.get(key)
  }

  range(from: string, until: string): AsyncIterable<[string, string]> {
    return this.#level.iterator({ gte: from, lt: until })
  }

  async write(operations: readonly KeyValueOperation[]): Promise<void> {
    try {
      await this.#level.batch([...operations], { sync: true })
    } catch (error) {
      throw systemErrorOf(error)
    }
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

export async function openLevelStore(directory: string): Promise<KeyValueStore> {
  const level = new Level<string, string>(directory)
  try {
    await level.open()
    assert(level.status === 'open', 'a database that was opened is open')
    return new LevelStore(level)
  } catch (error) {
    throw systemErrorOf(error)
  }
}
