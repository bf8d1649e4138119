// Refusals that all coordination logs have in common, with the same words.

import { CoordinationError } from '../coordinationError.ts'

/** For an append after entries that the log does not have: it has lost them. */
export function beyondEnd(sequence: number, lastSequence: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_DAMAGED',
    `cannot append entry ${sequence}: the coordination log ends at ${lastSequence}, so it has lost ` +
      'entries; repair it from the copy of a process that has them',
  )
}

/** For a read of entries that were replaced by a snapshot. */
export function trimmedAway(sequence: number, firstSequence: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_UNAVAILABLE',
    `cannot read the entries after ${sequence}: a snapshot has replaced those before ${firstSequence}`,
  )
}

export function closedLog(): CoordinationError {
  return new CoordinationError('COORDINATION_CLOSED', 'the coordination log is closed')
}

export function busyLog(waiting: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_BUSY',
    `${waiting} requests wait for the coordination log: retry when some have ended`,
  )
}
