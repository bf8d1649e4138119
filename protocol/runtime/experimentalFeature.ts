// Features that some supported versions of Node call experimental, with a warning on standard error, and
// that Millrace is tested with on each of these versions.

const expected = /^(?:SQLite|Type Stripping) is an experimental feature/

/** Runs `use` without the warnings that are expected of it. `use` is synchronous. */
export function expectingWarnings<T>(use: () => T): T {
  const restore = ignoreExpectedWarnings()
  try {
    return use()
  } finally {
    restore()
  }
}

/** Leaves the expected warnings out, in this thread, until the returned function is called. */
export function ignoreExpectedWarnings(): () => void {
  const { emitWarning } = process
  const filtered = (warning: string | Error, ...rest: unknown[]) => {
    if (typeof warning === 'string' && expected.test(warning)) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  process.emitWarning = filtered as typeof emitWarning
  return () => {
    if (process.emitWarning === filtered) process.emitWarning = emitWarning
  }
}
