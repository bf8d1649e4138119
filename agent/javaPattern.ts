// Regular expressions in Java's syntax, which flume.conf uses. They are matched by RE2, in time
// linear in the text, or by JavaScript's engine if they have look-around or back references, which
// RE2 lacks. An expression that neither engine would match as Java does is refused, never matched
// differently.

import { createRequire } from 'node:module'

export interface JavaPattern {
  /** Whether the pattern matches the whole text. */
  test(text: string): boolean
}

/** The unsupported part of an expression, to be named in a message: `'\\G'`. */
export class JavaPatternError extends Error {}

/** Compiles an expression; fails with a JavaPatternError. */
export function javaPattern(expression: string): JavaPattern {
  const { source, needsBacktracking } = translated(expression)
  return needsBacktracking ? backtracking(source) : linear(source)
}

/** Java's ASCII classes, as the content of a character class. */
const asciiClasses: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  ASCII: '\\x00-\\x7F',
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Punct: '!-\\/:-@\\[-`{-~',
  Graph: '!-~',
  Print: ' -~',
  Blank: ' \\t',
  Cntrl: '\\x00-\\x1F\\x7F',
  XDigit: '0-9a-fA-F',
  Space: ' \\t\\n\\x0B\\f\\r',
}
const horizontalSpace = ' \\t\u00a0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000'
const verticalSpace = '\\n\\x0B\\f\\r\u0085\u2028\u2029'

interface Translation {
  readonly source: string
  readonly needsBacktracking: boolean
}

/** Rewrites syntax that only Java has into syntax that both engines read the same way. */
function translated(expression: string): Translation {
  let source = ''
  let needsBacktracking = false
  let inClass = false
  let at = 0
  while (at < expression.length) {
    const rest = expression.slice(at)
    const token = nextToken(rest, inClass)
    if (token.text === '[') {
      if (inClass) throw new JavaPatternError("a character class within another ('[a[b]]')")
      inClass = true
    } else if (token.text === ']' && inClass) inClass = false
    needsBacktracking ||= token.needsBacktracking ?? false
    source += token.text
    at += token.length
  }
  return { source, needsBacktracking }
}

interface Token {
  readonly text: string
  /** Number of characters of the expression that the token replaces. */
  readonly length: number
  readonly needsBacktracking?: boolean
}

function nextToken(rest: string, inClass: boolean): Token {
  if (rest.startsWith('\\')) return escapeToken(rest, inClass)
  const unsupported = inClass
    ? /^&&/.exec(rest)
    : /^(?:[*+?]|\{\d+(?:,\d*)?\})\+|^\(\?>|^\(\?[a-zA-Z]*[xdu][a-zA-Z]*[:)-]/.exec(rest)
  if (unsupported !== null) throw new JavaPatternError(`'${unsupported[0]}'`)
  if (inClass) return { text: rest[0]!, length: 1 }
  const looksAround = /^\(\?<?[=!]/.exec(rest)
  if (looksAround !== null) {
    return { text: looksAround[0], length: looksAround[0].length, needsBacktracking: true }
  }
  // A brace that is not a quantifier is a literal; in JavaScript it must be escaped.
  const counts = /^\{\d+(?:,\d*)?\}/.exec(rest)
  if (counts !== null) return { text: counts[0], length: counts[0].length }
  if (rest.startsWith('}')) return { text: '\\}', length: 1 }
  if (rest.startsWith(']')) return { text: '\\]', length: 1 }
  if (rest.startsWith('{')) throw new JavaPatternError("'{' without a number: write \\\\{")
  return { text: rest[0]!, length: 1 }
}

function escapeToken(rest: string, inClass: boolean): Token {
  const quoted = /^\\Q([\s\S]*?)(?:\\E|$)/.exec(rest)
  if (quoted !== null) {
    const text = [...quoted[1]!].map((character) => literal(character, inClass)).join('')
    return { text, length: quoted[0].length }
  }
  const property = /^\\([pP])(?:\{(\w+)\}|(\w))/.exec(rest)
  if (property !== null) return propertyToken(property, inClass)
  const letter = rest[1]
  if (letter === undefined) throw new JavaPatternError("'\\' at the end")
  const spaces = { h: horizontalSpace, v: verticalSpace }[letter]
  if (spaces !== undefined) return { text: inClass ? spaces : `[${spaces}]`, length: 2 }
  if (letter === 'e') return { text: '\\x1B', length: 2 }
  if (letter === 'a') return { text: '\\x07', length: 2 }
  // The whole text is matched, so these are equal to ^ and $.
  if (!inClass && 'AzZ'.includes(letter)) return { text: letter === 'A' ? '^' : '$', length: 2 }
  const reference = /^\\(?:[1-9]|k<\w+>)/.exec(rest)
  if (reference !== null) {
    return { text: reference[0], length: reference[0].length, needsBacktracking: true }
  }
  const code = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(rest)
  if (code !== null) {
    const character = String.fromCharCode(Number.parseInt(code[0].slice(2), 16))
    return { text: literal(character, inClass), length: code[0].length }
  }
  if ('tnrfdDsSwWbB'.includes(letter)) return { text: `\\${letter}`, length: 2 }
  if (/[a-zA-Z0-9]/.test(letter)) throw new JavaPatternError(`'\\${letter}'`)
  return { text: literal(letter, inClass), length: 2 }
}

function propertyToken(match: RegExpExecArray, inClass: boolean): Token {
  const [whole, sign, long, short] = match
  const name = long ?? short!
  const ascii = asciiClasses[name]
  if (ascii === undefined) {
    // A general category (`\p{Lu}`, `\p{IsL}`); both engines know it without the prefix Is.
    const category = /^(?:Is)?([A-Z][a-z]?)$/.exec(name)?.[1]
    if (category === undefined) throw new JavaPatternError(`'${whole}'`)
    return { text: `\\${sign}{${category}}`, length: whole.length }
  }
  if (sign === 'p') return { text: inClass ? ascii : `[${ascii}]`, length: whole.length }
  if (inClass) throw new JavaPatternError(`'${whole}' within a character class`)
  return { text: `[^${ascii}]`, length: whole.length }
}

/** A literal character, escaped only where it is special. */
function literal(character: string, inClass: boolean): string {
  const special = inClass ? /[\\^[\]-]/ : /[\\^$.|?*+()[\]{}]/
  return special.test(character) ? `\\${character}` : character
}

function linear(source: string): JavaPattern {
  const { RE2JS, RE2JSSyntaxException } = createRequire(import.meta.url)(
    're2js',
  ) as typeof import('re2js')
  try {
    const compiled = RE2JS.compile(source)
    return { test: (text) => compiled.matches(text) }
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    throw new JavaPatternError(error.getDescription())
  }
}

function backtracking(source: string): JavaPattern {
  const [, flags = '', body = source] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(source) ?? []
  try {
    return new RegExp(`^(?:${body})$`, `u${flags}`)
  } catch (error) {
    throw new JavaPatternError((error as Error).message)
  }
}
