// A cache of encoded values that were recently read or written, so that a batch need not read from
// LevelDB the keys that every batch touches. The stores of an executor share its capacity; the
// least recently used value is evicted first.

import type { HeldValue } from './heldValue.ts'

/** Memory of an entry with its objects, beside key and value; measured. */
const entryBytes = 200
export interface ValueCacheOptions {
  /** Limit of all values and their keys, in bytes. */
  readonly maxBytes?: number
}

const defaultMaxBytes = 64 * 1024 * 1024

interface Entry {
  readonly key: string
  readonly part: Map<string, Entry>
  value: HeldValue
  /** Neighbour that was used less recently; for the least recent entry, the root of the ring. */
  older: Entry
  newer: Entry
}

export class ValueCache {
  readonly #maxBytes: number
  /** Closes the ring of all entries: `newer` is the least recent entry, `older` the most recent. */
  readonly #root: Entry
  #bytes = 0

  constructor({ maxBytes = defaultMaxBytes }: ValueCacheOptions = {}) {
    this.#maxBytes = maxBytes
    const root = { key: '', part: new Map(), value: new Uint8Array() } as unknown as Entry
    root.older = root
    root.newer = root
    this.#root = root
  }

  /** Size of all entries, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Creates the part of one database. */
  part(): CachePart {
    const entries = new Map<string, Entry>()
    return {
      get: (key) => {
        const entry = entries.get(key)
        if (entry === undefined) return undefined
        this.#use(entry)
        return entry.value
      },
      set: (key, value) => this.#set(entries, key, value),
      delete: (key) => {
        const entry = entries.get(key)
        if (entry !== undefined) this.#drop(entry)
      },
      clear: () => {
        for (const entry of entries.values()) this.#drop(entry)
      },
    }
  }

  #set(part: Map<string, Entry>, key: string, value: HeldValue): void {
    const found = part.get(key)
    if (found !== undefined) {
      this.#bytes += value.length - found.value.length
      found.value = value
      this.#use(found)
    } else {
      const entry = { key, part, value } as Entry
      part.set(key, entry)
      this.#link(entry)
      this.#bytes += bytesOf(entry)
    }
    while (this.#bytes > this.#maxBytes && this.#root.newer !== this.#root) {
      this.#drop(this.#root.newer)
    }
  }

  #use(entry: Entry): void {
    if (this.#root.older === entry) return
    unlink(entry)
    this.#link(entry)
  }

  #link(entry: Entry): void {
    const root = this.#root
    entry.older = root.older
    entry.newer = root
    root.older.newer = entry
    root.older = entry
  }

  #drop(entry: Entry): void {
    unlink(entry)
    entry.part.delete(entry.key)
    this.#bytes -= bytesOf(entry)
  }
}

export interface CachePart {
  get(key: string): HeldValue | undefined
  set(key: string, value: HeldValue): void
  delete(key: string): void
  clear(): void
}

function unlink(entry: Entry): void {
  entry.older.newer = entry.newer
  entry.newer.older = entry.older
}

function bytesOf({ key, value }: Entry): number {
  return entryBytes + 2 * key.length + value.length
}
