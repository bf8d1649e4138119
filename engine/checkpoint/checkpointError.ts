// Errors of checkpoint files. Each message says what the user can do.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type CheckpointErrorCode =
  /** Acknowledged entries can no longer be read. */
  | 'CHECKPOINT_DAMAGED'
  /** Entries have a format that this version does not support. */
  | 'CHECKPOINT_NEWER'
  /**
   * A disk operation failed; the outcome of the last write is known only after the file is opened
   * again.
   */
  | 'CHECKPOINT_FAILED'

export class CheckpointError extends CodedError<CheckpointErrorCode> {}
