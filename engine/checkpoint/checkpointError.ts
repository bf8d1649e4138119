// A checkpoint that cannot be believed or written, with what to do about it.

export type CheckpointErrorCode =
  /** Entries that had been acknowledged can no longer be read. */
  | 'CHECKPOINT_DAMAGED'
  /** Entries have a format that this version does not know. */
  | 'CHECKPOINT_NEWER'
  /** The disk refused; what the last write left behind is known only after opening again. */
  | 'CHECKPOINT_FAILED'

export class CheckpointError extends Error {
  readonly code: CheckpointErrorCode
  constructor(code: CheckpointErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
