// The key-value store under StateStore: sorted bytes, atomic durable writes, and snapshots.
// Implemented by LevelDB (levelStateDatabase.ts), and in memory by tests.

export type StateChange =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export type DatabaseEntry = readonly [key: Uint8Array, value: Uint8Array]

/** Keys from `from` (inclusive) to `until` (exclusive), in byte order. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly until: Uint8Array
}

export interface StateReader {
  /** Returns a value for each key, in order; undefined for a key that does not exist. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * Yields the entries of a range in key order, in groups of at most `atOnce`, as of the first
   * group: later writes are not seen.
   */
  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly DatabaseEntry[]>
}

/** A view as of its creation. Must be closed. */
export interface StateSnapshot extends StateReader {
  close(): Promise<void>
}

export interface StateDatabase extends StateReader {
  /** Atomic, and durable once the promise resolves. */
  write(changes: readonly StateChange[]): Promise<void>
  snapshot(): StateSnapshot
  close(): Promise<void>
}
