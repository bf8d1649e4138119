// State on its way from one directory to another: into a savepoint and out of it, and into another number
// of partitions. Entries are as the stores keep them, encoded by the operator's codec.

import type { StateTimer } from './keyedState.ts'

export type StateEntry =
  | { readonly kind: 'value'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'timer'; readonly timer: StateTimer }

export { keyGroupCount } from '../rdd/keyGroup.ts'
