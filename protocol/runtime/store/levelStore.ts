// The key-value store on disk: LevelDB, whose batches are atomic and which locks its directory. The
// only file that imports `level`. Errors have the system's code if there is one (levelError.ts).

import { Level } from 'level'
import { makeDurableDirectory } from '../disk/durableDirectory.ts'
import { nodeDisk } from '../disk/nodeDisk.ts'
import type {
  KeyRange,
  KeyValueChange,
  KeyValueEntry,
  KeyValueSnapshot,
  KeyValueStore,
  WriteOptions,
} from './keyValueStore.ts'
import { StoreInUseError } from './keyValueStore.ts'
import { systemErrorOf } from './levelError.ts'

type Database = Level<Uint8Array, Uint8Array>
type Snapshot = ReturnType<Database['snapshot']>

/** Approximate limit on the bytes of one group of entries. */
const groupBytes = 256 * 1024
const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const

/**
 * Opens or creates the store. Fails with StoreInUseError, or with an error of the system or
 * LevelDB.
 */
export async function openLevelStore(directory: string): Promise<KeyValueStore> {
  const level: Database = new Level(directory, encodings)
  try {
    // LevelDB would create the directory without syncing its parents, and a power failure could
    // remove a store with durable writes.
    await makeDurableDirectory(nodeDisk, directory)
    await level.open()
  } catch (error) {
    throw openingError(directory, error)
  }
  return new LevelStore(level)
}

class LevelStore implements KeyValueStore {
  readonly #level: Database

  constructor(level: Database) {
    this.#level = level
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return reading(() => this.#level.getMany(keys as Uint8Array[]))
  }

  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly KeyValueEntry[]> {
    return this.#entries(range, atOnce)
  }

  async write(
    changes: readonly KeyValueChange[],
    { sync = true }: WriteOptions = {},
  ): Promise<void> {
    // A chained batch passes each change to LevelDB directly; an array would be copied twice.
    const batch = this.#level.batch()
    for (const change of changes) {
      if (change.type === 'put') batch.put(change.key, change.value)
      else batch.del(change.key)
    }
    await batch.write({ sync })
  }

  snapshot(): KeyValueSnapshot {
    const level = this.#level
    const snapshot = level.snapshot()
    return {
      getMany: (keys) =>
        reading(() => level.getMany(keys as Uint8Array[], { ...encodings, snapshot })),
      entries: (range, atOnce) => this.#entries(range, atOnce, snapshot),
      close: () => snapshot.close(),
    }
  }

  close(): Promise<void> {
    return this.#level.close()
  }

  async *#entries(
    { from, until }: KeyRange,
    atOnce: number,
    snapshot?: Snapshot,
  ): AsyncGenerator<readonly KeyValueEntry[], void> {
    const range = { gte: from, lt: until, highWaterMarkBytes: groupBytes }
    const iterator = this.#level.iterator({ ...range, ...(snapshot && { snapshot }) })
    try {
      for (;;) {
        const entries = await reading(() => iterator.nextv(atOnce))
        if (entries.length === 0) return
        yield entries
      }
    } finally {
      await iterator.close()
    }
  }
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw systemErrorOf(error)
  }
}

function openingError(directory: string, error: unknown): unknown {
  const cause = (error as { cause?: unknown }).cause ?? error
  if ((cause as { code?: string }).code === 'LEVEL_LOCKED') {
    return new StoreInUseError(directory, error)
  }
  return systemErrorOf(error)
}
