// Tells operational errors from bugs. An error with a code of Millrace or of the operating system
// has a message for users, and a command line prints only that message. Any other error (a broken
// invariant, a misuse of Node) is a bug and is printed with its stack.

/**
 * Whether an error is operational: it has a code, other than Node's `ERR_` codes and
 * ASSERTION_FAILED.
 */
export function isOperational(error: unknown): error is Error {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false
  return error.code !== 'ASSERTION_FAILED' && !error.code.startsWith('ERR_')
}
