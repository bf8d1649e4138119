// The interface to a sorted key-value store of bytes, for state that is read by key and changed
// atomically. levelStore.ts implements it with LevelDB, memoryStore.ts in memory with simulated
// power failures. Both pass the conformance suite in
// test/protocol/runtime/store/keyValueStoreConformance.ts.

import { CodedError } from '../codedError.ts'

export type KeyValueChange =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export type KeyValueEntry = readonly [key: Uint8Array, value: Uint8Array]

/** Keys from `from` inclusive to `until` exclusive, in byte order. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly until: Uint8Array
}

export interface WriteOptions {
  /** Whether the changes are durable when the promise resolves; true unless given. */
  readonly sync?: boolean
}

export interface KeyValueReader {
  /**
   * Returns a value for each key, in the order of `keys`; undefined for a key that does not exist.
   */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * Returns the entries of a range in key order, in groups of at most `atOnce`. All groups have the
   * contents at the time when the first one was requested.
   */
  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly KeyValueEntry[]>
}

/** A reader of the contents at the time of `snapshot`. Must be closed. */
export interface KeyValueSnapshot extends KeyValueReader {
  close(): Promise<void>
}

export interface KeyValueStore extends KeyValueReader {
  /**
   * Applies the changes atomically, in order. After a failed write, the store must be closed and
   * opened again before the next write: a partial record in LevelDB's log makes later records
   * unreadable.
   */
  write(changes: readonly KeyValueChange[], options?: WriteOptions): Promise<void>
  snapshot(): KeyValueSnapshot
  /** Releases the directory. Writes without `sync` are kept unless the host loses power. */
  close(): Promise<void>
}

/** Opens the store in a directory, which is created durably if it does not exist. */
export type OpenKeyValueStore = (directory: string) => Promise<KeyValueStore>

/** The store of a directory is already open, in this process or another one. */
export class StoreInUseError extends CodedError<'STORE_IN_USE'> {
  readonly directory: string
  constructor(directory: string, cause?: unknown) {
    super(
      'STORE_IN_USE',
      `the store in ${directory} is in use: stop the process that has opened it`,
      cause,
    )
    this.directory = directory
  }
}
