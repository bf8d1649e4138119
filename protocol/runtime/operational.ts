// Which errors are for people. A failure with a code of ours, or of the operating system, has a
// message that says what is wrong, and a command line shows that alone. Anything else is a bug (a
// broken invariant, a misuse of Node) and must look like one, with its stack.

export function isOperational(error: unknown): error is Error {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false
  return error.code !== 'ASSERTION_FAILED' && !error.code.startsWith('ERR_')
}
