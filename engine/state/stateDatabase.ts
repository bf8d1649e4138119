// What StateStore needs of a key-value store: to read all of it once, and to change several entries
// at once or not at all. `level` gives that; a simulator can, too.

export type StateChange =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

export interface StateDatabase {
  /** Every entry, in groups of any size. */
  entries(): AsyncIterable<readonly (readonly [key: string, value: string])[]>
  /** Undefined when there is no such entry. */
  get(key: string): Promise<string | undefined>
  /** All of it or nothing, and it survives a power failure once the promise resolves. */
  write(changes: readonly StateChange[]): Promise<void>
  close(): Promise<void>
}
