// Suppresses the warnings of Node features that are experimental in some supported versions;
// Millrace is tested with these features on each of those versions.

const expected = /^(?:SQLite|Type Stripping) is an experimental feature/

/** Calls `use`, which must be synchronous, with the expected warnings suppressed. */
export function expectingWarnings<T>(use: () => T): T {
  const restore = ignoreExpectedWarnings()
  try {
    return use()
  } finally {
    restore()
  }
}

/** Suppresses the expected warnings in this thread until the returned function is called. */
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
