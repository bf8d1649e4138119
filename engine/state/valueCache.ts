// Values that were read or written lately, encoded, by database: what keeps a batch from asking LevelDB
// again for the keys that every batch touches. The stores of an executor share its bytes, and the value
// that was used least recently is dropped first.

/** What the entry, its key and the objects around them take beside the value's own bytes, measured. */
const entryBytes = 200
/**
 * A short value is kept as a text with a character for each byte: V8 takes up to 250 bytes for a typed array
 * beside its own, and one of Buffer's pool would keep all of the pool's 8 KiB.
 */
const mostTextBytes = 4096

export interface ValueCacheOptions {
  /** Bound of all values with their keys, in bytes. */
  readonly maxBytes?: number
}

const defaultMaxBytes = 64 * 1024 * 1024

interface Entry {
  readonly key: string
  readonly part: Map<string, Entry>
  value: string | Uint8Array
  /** Used less recently; the least recent one's is the ring's root. */
  older: Entry
  newer: Entry
}

export class ValueCache {
  readonly #maxBytes: number
  /** Closes the ring of all entries: its newer one is the least recent, its older one the most recent. */
  readonly #root: Entry
  #bytes = 0

  constructor({ maxBytes = defaultMaxBytes }: ValueCacheOptions = {}) {
    this.#maxBytes = maxBytes
    const root = { key: '', part: new Map(), value: new Uint8Array() } as unknown as Entry
    root.older = root
    root.newer = root
    this.#root = root
  }

  /** What the entries take, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The part of one database. */
  part(): CachePart {
    const entries = new Map<string, Entry>()
    return {
      get: (key) => {
        const entry = entries.get(key)
        if (entry === undefined) return undefined
        this.#use(entry)
        const { value } = entry
        return typeof value === 'string' ? Buffer.from(value, 'latin1') : value
      },
      set: (key, value) => this.#set(entries, key, stored(value)),
      delete: (key) => {
        const entry = entries.get(key)
        if (entry !== undefined) this.#drop(entry)
      },
      clear: () => {
        for (const entry of entries.values()) this.#drop(entry)
      },
    }
  }

  #set(part: Map<string, Entry>, key: string, value: string | Uint8Array): void {
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
  get(key: string): Uint8Array | undefined
  /** `value` belongs to the cache from here on. */
  set(key: string, value: Uint8Array): void
  delete(key: string): void
  clear(): void
}

function stored(value: Uint8Array): string | Uint8Array {
  if (value.length > mostTextBytes) return value
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
}

function unlink(entry: Entry): void {
  entry.older.newer = entry.newer
  entry.newer.older = entry.older
}

function bytesOf({ key, value }: Entry): number {
  return entryBytes + 2 * key.length + value.length
}
