// What can go wrong with kept state, each with what to do about it.

import { CodedError } from '../../protocol/runtime/codedError.ts'

export type StateErrorCode =
  /** The versions needed to start a batch again are no longer kept. */
  | 'STATE_UNREACHABLE'
  /** Another process, or another task, has the directory open. */
  | 'STATE_IN_USE'
  /** Another release wrote the state; it can be converted. */
  | 'STATE_OLD_FORMAT'
  /** Another release wrote the state, and it lacks what this one needs. */
  | 'STATE_NOT_CONVERTIBLE'
  /** What is stored contradicts itself. */
  | 'STATE_DAMAGED'
  /** The store is of no use any more: its batch has failed, or its executor is ending. */
  | 'STATE_CLOSED'
  /** The disk refused; what the last commit left behind is known only after opening again. */
  | 'STATE_FAILED'

export class StateError extends CodedError<StateErrorCode> {}

export function damaged(where: string, what: string, cause?: unknown): StateError {
  // Without this partition alone, the job would count on from a hole.
  const message =
    `the state in ${where} is damaged: ${what}; start from a savepoint in a new directory (start --from), or empty ` +
    'the whole state and count from there (rewind --reset-state)'
  return new StateError('STATE_DAMAGED', message, cause)
}
