// A sorted store of bytes as a thing that is handed in: for state that is read by key and changed atomically.
// `levelStore.ts` keeps it in LevelDB, `memoryStore.ts` in memory, where it loses power. One suite holds both
// to this contract (test/protocol/runtime/keyValueStoreConformance.ts).

export type KeyValueChange =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export type KeyValueEntry = readonly [key: Uint8Array, value: Uint8Array]

/** From `from` on, up to but not including `until`, in the order of the bytes. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly until: Uint8Array
}

export interface WriteOptions {
  /** Whether the changes survive a power failure once the promise resolves; true unless given. */
  readonly sync?: boolean
}

export interface KeyValueReader {
  /** A value for each key, in the order of the keys; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * The entries of a range in the order of their keys, in groups of `atOnce` at most. Entries are as they
   * were when the first group was asked for, whatever is written in between.
   */
  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly KeyValueEntry[]>
}

/** Sees nothing that is written after it was taken. Must be closed. */
export interface KeyValueSnapshot extends KeyValueReader {
  close(): Promise<void>
}

export interface KeyValueStore extends KeyValueReader {
  /**
   * All of the changes or none, in their order. After a failed write nothing more may be written until the store
   * was closed and opened again: a record that was written in part makes those after it unreadable.
   */
  write(changes: readonly KeyValueChange[], options?: WriteOptions): Promise<void>
  snapshot(): KeyValueSnapshot
  /** Lets go of the directory. What was written without `sync` stays, unless the machine loses power. */
  close(): Promise<void>
}

/** Opens the store in a directory, which is created durably when it does not exist. */
export type OpenKeyValueStore = (directory: string) => Promise<KeyValueStore>

/** The store of a directory is open, here or in another process. */
export class StoreInUseError extends Error {
  readonly code = 'STORE_IN_USE'
  readonly directory: string
  constructor(directory: string, cause?: unknown) {
    super(`the store in ${directory} is in use: stop the process that has it open first`, { cause })
    this.directory = directory
  }
}
