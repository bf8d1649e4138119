// Assertions, which stay on in production. A broken invariant ends the process: continuing with
// inconsistent state is how acknowledged data gets lost.

export class AssertionError extends Error {
  readonly code = 'ASSERTION_FAILED'
}

/** Throws an AssertionError unless the condition holds. `message` states the invariant. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Throws an AssertionError. For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}
