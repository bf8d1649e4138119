// Access to states from outside of a running job. Implemented by stateTransfer; tests implement it
// on a disk that loses unsynced writes.

import type { StateChunks } from '../state/stateEntry.ts'

export interface StateAccess {
  /**
   * Whether no batch up to `batchId` has run on the state, so that initial states are still to be
   * added. Reads no entries. Rejects with a StateError for a batch that is no longer kept.
   */
  isNew(directory: string, partitions: number, batchId: number): Promise<boolean>
  /**
   * Yields the entries of an operator's state as of a committed batch, in chunks of bounded size.
   * `directory` has a subdirectory per partition. Throws a StateError for a batch that is no longer
   * kept.
   */
  exportState(directory: string, partitions: number, batchId: number): StateChunks
  /** Creates a state as of a batch, durable when it resolves. `directory` must be empty. */
  importState(
    directory: string,
    partitions: number,
    batchId: number,
    chunks: StateChunks,
  ): Promise<void>
  /** Undoes the changes of batches after `batchId`; durable when it resolves. */
  undo(directory: string, partitions: number, batchId: number): Promise<void>
}
