// What the metadata log of a single node needs of an ordered key-value store. Texts as keys and
// values; every write is synced. After a write has failed the store must be closed and opened again
// before it is used.

export interface KeyValueStore {
  get(key: string): Promise<string | undefined>
  /** The keys from `from` up to, and without, `until`, in order. */
  range(from: string, until: string): AsyncIterable<[key: string, value: string]>
  /** Resolves when all puts and deletes are durable; they are made at once or not at all. */
  write(operations: readonly KeyValueOperation[]): Promise<void>
  close(): Promise<void>
}

export type KeyValueOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

/**
 * Opens the store in the directory, or creates it. Rejects with the system's error, with its code,
 * or with what the store itself reports; LEVEL_LOCKED as the code of the cause means that another
 * process has it open.
 */
export type OpenKeyValueStore = (directory: string) => Promise<KeyValueStore>
