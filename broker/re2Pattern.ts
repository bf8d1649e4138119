// The regular expressions that clients send: for topics to subscribe to (KIP-848) and for
// transactional ids to list (KIP-1152). They are RE2's, as in Kafka. JavaScript's own engine must
// never see them: it backtracks, so that "(a+)+b" and a name of thirty letters a would stop the
// broker. RE2 takes time in proportion to pattern and name; both are bounded.

import { createRequire } from 'node:module'

/** Patterns that people write are far below. */
const maxPatternLength = 1000
/** In instructions of RE2: what repetitions of repetitions come to. One is about a character. */
const maxProgramSize = 1000

export interface Re2Pattern {
  /** Whether the whole name is what the pattern describes. */
  matches(name: string): boolean
}

export class PatternError extends Error {}

/** The pattern, or why it is none. */
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

/** Few brokers are ever sent a pattern: the others are not to wait for RE2's tables when they start. */
function re2(): typeof import('re2js') {
  return createRequire(import.meta.url)('re2js') as typeof import('re2js')
}
