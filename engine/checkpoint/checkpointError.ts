// A checkpoint that cannot be believed or written, with what to do about it.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type CheckpointErrorCode =
  /** Entries that had been acknowledged can no longer be read. */
  | 'CHECKPOINT_DAMAGED'
  /** Entries have a format that this version does not know. */
  | 'CHECKPOINT_NEWER'
  /** The disk refused; what the last write left behind is known only after opening again. */
  | 'CHECKPOINT_FAILED'

export class CheckpointError extends CodedError<CheckpointErrorCode> {}
