// The base class of operational errors: a code for programs, a message for people, and the cause.
// Each room lists its codes, with what they mean, in one table (agent/errors.ts, broker/errors.ts,
// engine/engineError.ts, ...) and derives one class from this one. A broken invariant is never a
// CodedError: it is an AssertionError (assert.ts), and ends the process.

/**
 * An operational failure. `message` says what happened, to what, and what the user can do. `code`
 * is part of the interface: callers, logs and answers carry it, so that a code is never renamed.
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
