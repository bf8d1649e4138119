// What StateStore needs of a key-value store: sorted bytes, atomic and durable writes, and snapshots.
// `level` has all of it; a simulator can, too.

export type StateChange =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export type DatabaseEntry = readonly [key: Uint8Array, value: Uint8Array]

/** From `from` on, up to but not including `until`, in the order of the bytes. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly until: Uint8Array
}

export interface StateReader {
  /** A value for each key, in the order of the keys; undefined where there is none. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * The entries of a range in the order of their keys, in groups of `atOnce` at most. Entries are as they
   * were when the first group was asked for, whatever is written in between.
   */
  entries(range: KeyRange, atOnce: number): AsyncIterable<readonly DatabaseEntry[]>
}

/** Sees nothing that is written after it was taken. Must be closed. */
export interface StateSnapshot extends StateReader {
  close(): Promise<void>
}

export interface StateDatabase extends StateReader {
  /** All of it or nothing, and it survives a power failure once the promise resolves. */
  write(changes: readonly StateChange[]): Promise<void>
  snapshot(): StateSnapshot
  close(): Promise<void>
}
