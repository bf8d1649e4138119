// The key-value store of a state, under names of its own: sorted bytes, atomic and durable writes,
// and snapshots (protocol/runtime/store/keyValueStore.ts).

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
 * Every write is synced: the state of a batch must be durable before the batch is in the commit
 * log.
 */
export type StateDatabase = KeyValueStore
