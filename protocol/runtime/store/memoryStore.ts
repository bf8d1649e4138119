// An in-memory key-value store with simulated power failures: `crash` loses unsynced writes, newest
// first, as LevelDB's log does. Contents outlive the stores that are opened on them.

import type { Random } from '../random.ts'
import type {
  KeyValueChange,
  KeyValueReader,
  KeyValueSnapshot,
  KeyValueStore,
  WriteOptions,
} from './keyValueStore.ts'
import { StoreInUseError } from './keyValueStore.ts'
import { applyChanges, entriesOf, type StoreContents, valuesOf } from './storeContents.ts'

/** The stores of one simulated host, by directory. */
export class MemoryStores {
  readonly #directories = new Map<string, StoredDirectory>()

  readonly open = async (directory: string): Promise<KeyValueStore> => {
    let stored = this.#directories.get(directory)
    if (stored === undefined) {
      stored = new StoredDirectory()
      this.#directories.set(directory, stored)
    }
    // Asynchronous, like LevelDB.
    await Promise.resolve()
    if (stored.isOpen) throw new StoreInUseError(directory)
    return stored.open()
  }

  /**
   * Simulates a power failure: all unsynced writes are lost, or as many of the newest as are drawn.
   */
  crash(keepUnsynced?: Random): void {
    for (const stored of this.#directories.values()) stored.crash(keepUnsynced)
  }
}

class StoredDirectory {
  isOpen = false
  #contents: StoreContents = new Map()
  #durable: StoreContents = new Map()
  /** Writes that are not durable yet, oldest first. */
  #unsynced: (readonly KeyValueChange[])[] = []
  #crashes = 0

  open(): KeyValueStore {
    this.isOpen = true
    const life = this.#crashes
    let isClosed = false
    const mustBeOpen = () => {
      if (isClosed) throw closed('STORE_NOT_OPEN')
      if (life !== this.#crashes) throw closed('ECRASHED')
    }
    return {
      ...readerOf(() => this.#contents, mustBeOpen),
      write: async (changes, { sync = true }: WriteOptions = {}) => {
        mustBeOpen()
        await Promise.resolve()
        mustBeOpen()
        this.#write(changes, sync)
      },
      snapshot: () => {
        mustBeOpen()
        const seen = new Map(this.#contents)
        return { ...readerOf(() => seen, mustBeOpen), close: async () => {} } as KeyValueSnapshot
      },
      close: async () => {
        if (!isClosed && life === this.#crashes) this.isOpen = false
        isClosed = true
      },
    }
  }

  crash(keepUnsynced: Random | undefined): void {
    this.#crashes++
    this.isOpen = false
    const kept = keepUnsynced?.below(this.#unsynced.length + 1) ?? 0
    for (const changes of this.#unsynced.slice(0, kept)) applyChanges(this.#durable, changes)
    this.#unsynced = []
    this.#contents = new Map(this.#durable)
  }

  /**
   * A synced write makes all earlier writes durable too, because LevelDB syncs its log as a whole.
   */
  #write(changes: readonly KeyValueChange[], sync: boolean): void {
    const own = changes.map((change) => copyOf(change))
    applyChanges(this.#contents, own)
    this.#unsynced.push(own)
    if (!sync) return
    for (const unsynced of this.#unsynced) applyChanges(this.#durable, unsynced)
    this.#unsynced = []
  }
}

function readerOf(contents: () => StoreContents, mustBeOpen: () => void): KeyValueReader {
  return {
    getMany: async (keys) => {
      mustBeOpen()
      return valuesOf(contents(), keys)
    },
    async *entries(range, atOnce) {
      mustBeOpen()
      for (const group of entriesOf(contents(), range, atOnce)) {
        mustBeOpen()
        yield group
      }
    },
  }
}

function copyOf(change: KeyValueChange): KeyValueChange {
  if (change.type === 'del') return { type: 'del', key: Buffer.from(change.key) }
  return { type: 'put', key: Buffer.from(change.key), value: Buffer.from(change.value) }
}

function closed(code: string): Error {
  return Object.assign(new Error(`${code}: the store is not open`), { code })
}
