// How states are read and written from outside of a running job. The real one is stateTransfer; tests have
// one on the disk that loses power.

import type { StateEntry } from '../state/stateTransfer.ts'

export type StateChunks = AsyncIterable<readonly StateEntry[]>

export interface StateAccess {
  /**
   * Whether no batch up to `batchId` has run on the state. Initial states belong in such a state still. Reads
   * no entries, and fails with a StateError for a batch that is no longer kept.
   */
  isNew(directory: string, partitions: number, batchId: number): Promise<boolean>
  /**
   * The entries of an operator's state as of a committed batch, in chunks of bounded size. `directory` has
   * a folder for each partition. Fails with a StateError for a batch that is no longer kept.
   */
  exportState(directory: string, partitions: number, batchId: number): StateChunks
  /** Creates a state as of a batch, durable when it resolves. There is nothing in `directory` before. */
  importState(
    directory: string,
    partitions: number,
    batchId: number,
    chunks: StateChunks,
  ): Promise<void>
  /** Takes back what batches after `batchId` have changed; durable when it resolves. */
  undo(directory: string, partitions: number, batchId: number): Promise<void>
}
