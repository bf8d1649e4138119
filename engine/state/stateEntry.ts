// The entries of a state as they are transferred: between numbers of partitions, into and out of
// savepoints, and from states of earlier releases. Independent of the storage format.

import type { StateTimer } from './keyedState.ts'

/** A value or a timer of a state. Keys and values are encoded. */
export type StateEntry =
  | { readonly kind: 'value'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'timer'; readonly timer: StateTimer }

/** The entries of a state, in groups. */
export type StateChunks = AsyncIterable<readonly StateEntry[]>
