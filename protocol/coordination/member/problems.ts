// What a member reports when the log cannot be trusted any more, or not reached.

import { CoordinationError } from '../coordinationError.ts'

const repair =
  'no change is made until it is repaired (millrace coordination repair --help); ' +
  'reads and the data path go on'

/** The log has other entries than this member has folded. */
export function damaged(finding: string, cause?: unknown): CoordinationError {
  return new CoordinationError(
    'COORDINATION_DAMAGED',
    `the coordination log is damaged: ${finding}; ${repair}`,
    cause,
  )
}

export function unsupported(problem: string, cause?: unknown): CoordinationError {
  return new CoordinationError(
    'COORDINATION_UNSUPPORTED',
    `the coordination log was written by a later release (${problem}): ` +
      'upgrade this process; it makes no change until then',
    cause,
  )
}

/** `wasProposed`: an append is under way, so that the outcome is unknown. */
export function unavailable(
  wasProposed: boolean,
  waitedMs: number,
  cause: unknown,
): CoordinationError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  const outcome = wasProposed
    ? 'the change may still be made'
    : 'the change was not made, and will not be'
  return new CoordinationError(
    'COORDINATION_UNAVAILABLE',
    `the coordination log did not answer within ${waitedMs} ms${reason}: ${outcome}; try again`,
    cause,
  )
}

export function closed(): CoordinationError {
  return new CoordinationError('COORDINATION_CLOSED', 'this member of coordination is closed')
}
