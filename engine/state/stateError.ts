// Errors of keyed state. Each message says what the user can do.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type StateErrorCode =
  /** The undo records back to the start of the batch are no longer kept. */
  | 'STATE_UNREACHABLE'
  /** Another process, or another task, has the directory open. */
  | 'STATE_IN_USE'
  /** Another release wrote the state; it can be converted. */
  | 'STATE_OLD_FORMAT'
  /** Another release wrote the state, and it lacks data that this one needs. */
  | 'STATE_NOT_CONVERTIBLE'
  /** The stored data is inconsistent. */
  | 'STATE_DAMAGED'
  /** The store is closed: its batch has failed, or its executor is ending. */
  | 'STATE_CLOSED'
  /**
   * A disk operation failed; the outcome of the last commit is known only after the state is opened
   * again.
   */
  | 'STATE_FAILED'

export class StateError extends CodedError<StateErrorCode> {}

export function damaged(where: string, what: string, cause?: unknown): StateError {
  // If only this partition were emptied, results would silently miss its data.
  const message =
    `the state in ${where} is damaged: ${what}; start the job from a savepoint in a new directory (start --from), or reset ` +
    'all of its state (rewind --reset-state)'
  return new StateError('STATE_DAMAGED', message, cause)
}
