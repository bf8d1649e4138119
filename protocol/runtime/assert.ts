// For what can't be. A broken invariant ends the process: serving on with a state that contradicts
// itself is how acknowledged data gets lost.

export class AssertionError extends Error {
  readonly code = 'ASSERTION_FAILED'
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** For the branch of a switch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}
