// RE2 patterns that clients send: for topics to subscribe to (KIP-848) and for transactional ids to
// list (KIP-1152). Kafka uses RE2 too. Must never hand them to JavaScript's own engine: it
// backtracks, so that "(a+)+b" and a name of thirty letters a would block the broker. RE2 takes
// time in proportion to pattern and name; both are bounded.

import { createRequire } from 'node:module'

/** Far above any pattern written by a person. */
const maxPatternLength = 1000
/** In RE2 instructions, about one per character; nested repetitions multiply them. */
const maxProgramSize = 1000

export interface Re2Pattern {
  /** Whether the pattern matches the whole name. */
  matches(name: string): boolean
}

export class PatternError extends Error {}

/** Returns the compiled pattern, or a PatternError that says why it is invalid. */
export function compilePattern(pattern: string): Re2Pattern | PatternError {
  if (pattern.length > maxPatternLength) {
    return new PatternError(`longer than ${maxPatternLength} characters`)
  }
  const { RE2JS, RE2JSSyntaxException } = re2()
  try {
    const compiled = RE2JS.compile(pattern)
    return compiled.programSize() > maxProgramSize ? new PatternError('too large') : compiled
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return new PatternError(error.getDescription())
    throw error
  }
}

/** Loaded lazily: few brokers are ever sent a pattern, and RE2's tables slow down the start. */
function re2(): typeof import('re2js') {
  return createRequire(import.meta.url)('re2js') as typeof import('re2js')
}
