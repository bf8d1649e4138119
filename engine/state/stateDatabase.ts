// What StateStore needs of a key-value store, by the names that a state has for it: sorted bytes,
// atomic and durable writes, and snapshots (protocol/runtime/store/keyValueStore.ts).

import type {
  KeyValueChange,
  KeyValueEntry,
  KeyValueReader,
  KeyValueSnapshot,
  KeyValueStore,
} from '../../protocol/runtime/store/keyValueStore.ts'

export type { KeyRange } from '../../protocol/runtime/store/keyValueStore.ts'
export type StateChange = KeyValueChange
export type DatabaseEntry = KeyValueEntry
export type StateReader = KeyValueReader
export type StateSnapshot = KeyValueSnapshot
/**
 * Every write is synced: the commit log will say that the batch is done, so its state must be there
 * by then.
 */
export type StateDatabase = KeyValueStore
