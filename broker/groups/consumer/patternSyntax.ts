// The syntax of RE2, which Kafka's SubscribedTopicRegex is in, as a tree. It is JavaScript's without
// what cannot be matched in linear time (backreferences, lookaround), and with a few notations of
// its own. Only what a topic's name can be made of matters, so that a character is its code. What
// is no such pattern is a PatternError.

export class PatternError extends Error {}

export type PatternNode =
  /** One character that is one of these codes. */
  | { readonly type: 'set'; readonly codes: ReadonlySet<number> }
  | { readonly type: 'assertion'; readonly holds: Assertion }
  | { readonly type: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'choice'; readonly parts: readonly PatternNode[] }
  | {
      readonly type: 'repeat'
      readonly part: PatternNode
      readonly min: number
      readonly max: number
    }

export type Assertion = 'start' | 'end' | 'wordBoundary' | 'noWordBoundary'

/** RE2's own limit for {n,m}. */
const maxRepeat = 1000
const asciiCodes = Array.from({ length: 128 }, (_, code) => code)

const assertions: Readonly<Record<string, Assertion>> = {
  A: 'start',
  z: 'end',
  b: 'wordBoundary',
  B: 'noWordBoundary',
}
/** These mean the same in JavaScript, which says what is in them. */
const classLetters = /[dDwWsS]/
const controlLetters: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  t: '\t',
  n: '\n',
  r: '\r',
  v: '\v',
}
const posixClasses: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  ascii: /\p{ASCII}/u,
  blank: /[\t ]/,
  cntrl: /\p{Cc}/u,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t\n\v\f\r ]/,
  upper: /[A-Z]/,
  word: /[0-9A-Za-z_]/,
  xdigit: /[0-9A-Fa-f]/,
}

/** Throws a PatternError. */
export function parsePattern(pattern: string): PatternNode {
  return new PatternParser(pattern).parse()
}

class PatternParser {
  readonly #text: string
  #at = 0
  #ignoreCase = false

  constructor(text: string) {
    this.#text = text
  }

  parse(): PatternNode {
    const node = this.#choice()
    if (this.#at < this.#text.length) throw new PatternError('unexpected )')
    return node
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    return parts.length === 1 ? parts[0]! : { type: 'choice', parts }
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = []
    while (this.#at < this.#text.length && !this.#sees('|') && !this.#sees(')')) {
      const atom = this.#atom()
      if (atom) parts.push(this.#repeated(atom))
    }
    return { type: 'sequence', parts }
  }

  /** Undefined for flags that stand alone. */
  #atom(): PatternNode | undefined {
    if (this.#take('(')) return this.#group()
    if (this.#take('[')) return this.#set(this.#bracket())
    if (this.#take('.')) return this.#set(new Set(asciiCodes.filter((code) => code !== 10)))
    if (this.#take('^')) return { type: 'assertion', holds: 'start' }
    if (this.#take('$')) return { type: 'assertion', holds: 'end' }
    if (this.#take('\\Q')) return this.#quoted()
    if (this.#take('\\')) return this.#escape()
    if (/[*+?]/.test(this.#text[this.#at]!)) throw new PatternError('nothing to repeat')
    return this.#set(new Set([this.#character()]))
  }

  #repeated(atom: PatternNode): PatternNode {
    const range = this.#quantifier()
    if (!range) return atom
    // How greedy a repetition is makes no difference to whether the whole name matches.
    this.#take('?')
    if (this.#quantifier()) throw new PatternError('a repetition of a repetition')
    return { type: 'repeat', part: atom, ...range }
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity }
    if (this.#take('+')) return { min: 1, max: Infinity }
    if (this.#take('?')) return { min: 0, max: 1 }
    // Anything else after a brace makes it a character like others.
    const [, min, comma, max] = this.#match(/\{(\d{1,4})(,?)(\d{1,4})?\}/y) ?? []
    if (min === undefined) return undefined
    const range = {
      min: Number(min),
      max: max !== undefined ? Number(max) : comma === ',' ? Infinity : Number(min),
    }
    const largest = range.max === Infinity ? range.min : range.max
    if (largest > maxRepeat || range.min > range.max)
      throw new PatternError('a repetition of no size')
    return range
  }

  #group(): PatternNode | undefined {
    const outside = this.#ignoreCase
    const isCapturing = !this.#sees('?') || this.#match(/\?P?<[A-Za-z_]\w*>/y)
    if (!isCapturing) {
      const [, on, off = '', end] = this.#match(/\?([imsU]*)(-[imsU]+)?([:)])/y) ?? []
      if (on === undefined) throw new PatternError('a group of a kind that is not known')
      if (on.includes('i')) this.#ignoreCase = true
      if (off.includes('i')) this.#ignoreCase = false
      if (end === ')') return undefined
    }
    const inside = this.#choice()
    if (!this.#take(')')) throw new PatternError('missing )')
    this.#ignoreCase = outside
    return inside
  }

  #quoted(): PatternNode {
    const end = this.#text.indexOf('\\E', this.#at)
    const quoted = this.#text.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#text.length : end + 2
    const parts = [...quoted].map((each) => this.#set(new Set([each.codePointAt(0)!])))
    return { type: 'sequence', parts }
  }

  #escape(): PatternNode {
    const holds = assertions[this.#text[this.#at] ?? '']
    if (holds) {
      this.#at++
      return { type: 'assertion', holds }
    }
    return this.#set(this.#escapedClass() ?? new Set([this.#escapedCharacter()]))
  }

  /** \d, \w, \s, \pL, \p{Greek} and their opposites, after the backslash. */
  #escapedClass(): ReadonlySet<number> | undefined {
    const [letter] = this.#match(new RegExp(classLetters, 'y')) ?? []
    if (letter) return codesOf(new RegExp(`\\${letter}`))
    const [, p, short, caret = '', long] = this.#match(/([pP])(?:([A-Z])|\{(\^?)(\w+)\})/y) ?? []
    if (!p) return undefined
    const codes = codesOf(unicodeClass(short ?? long!))
    return (p === 'P') === (caret === '^') ? codes : complement(codes)
  }

  /** After the backslash. */
  #escapedCharacter(): number {
    const [, hex] =
      this.#match(/x(?:([0-9A-Fa-f]{2}))/y) ?? this.#match(/x\{([0-9A-Fa-f]{1,6})\}/y) ?? []
    if (hex) return Number.parseInt(hex, 16)
    const [octal] = this.#match(/0[0-7]{0,2}|[1-7][0-7]{2}/y) ?? []
    if (octal) return Number.parseInt(octal, 8)
    const control = controlLetters[this.#text[this.#at] ?? '']
    if (control) {
      this.#at++
      return control.charCodeAt(0)
    }
    // Letters and digits that mean nothing are left for meanings to come; a digit alone would be a
    // backreference.
    if (/[\w]|^$/.test(this.#text[this.#at] ?? ''))
      throw new PatternError('an escape that is not known')
    return this.#character()
  }

  /** The inside of brackets, after the first. */
  #bracket(): ReadonlySet<number> {
    const isNegated = this.#take('^')
    const codes = new Set<number>()
    for (let isFirst = true; isFirst || !this.#sees(']'); isFirst = false) {
      for (const code of this.#bracketItem()) codes.add(code)
    }
    this.#at++
    return isNegated ? complement(this.#bothCases(codes)) : codes
  }

  #bracketItem(): Iterable<number> {
    const [, caret, name] = this.#match(/\[:(\^?)(\w+):\]/y) ?? []
    if (name !== undefined) {
      const posix = Object.hasOwn(posixClasses, name) ? posixClasses[name] : undefined
      if (!posix) throw new PatternError(`no class [:${name}:]`)
      return caret === '^' ? complement(codesOf(posix)) : codesOf(posix)
    }
    const isEscape = this.#take('\\')
    const escaped = isEscape ? this.#escapedClass() : undefined
    if (escaped) return escaped
    const from = isEscape ? this.#escapedCharacter() : this.#character()
    if (!this.#match(/-(?=[^\]])/y)) return [from]
    const to = this.#take('\\') ? this.#escapedCharacter() : this.#character()
    if (to < from) throw new PatternError('a range that is upside down')
    return asciiCodes.filter((code) => code >= from && code <= to)
  }

  #set(codes: ReadonlySet<number>): PatternNode {
    return { type: 'set', codes: this.#bothCases(codes) }
  }

  #bothCases(codes: ReadonlySet<number>): ReadonlySet<number> {
    if (!this.#ignoreCase) return codes
    const both = new Set(codes)
    for (const code of codes) {
      const character = String.fromCodePoint(code)
      both.add(character.toLowerCase().codePointAt(0)!)
      both.add(character.toUpperCase().codePointAt(0)!)
    }
    return both
  }

  #character(): number {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) throw new PatternError('the pattern ends too early')
    this.#at += code > 0xffff ? 2 : 1
    return code
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at)
  }

  #take(text: string): boolean {
    if (!this.#sees(text)) return false
    this.#at += text.length
    return true
  }

  /** `sticky` has the flag y. */
  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at
    const match = sticky.exec(this.#text)
    if (match) this.#at += match[0].length
    return match ?? undefined
  }
}

function codesOf(single: RegExp): ReadonlySet<number> {
  return new Set(asciiCodes.filter((code) => single.test(String.fromCharCode(code))))
}

function complement(codes: ReadonlySet<number>): ReadonlySet<number> {
  return new Set(asciiCodes.filter((code) => !codes.has(code)))
}

/** A general category or a script. */
function unicodeClass(name: string): RegExp {
  for (const property of [name, `Script=${name}`]) {
    try {
      return new RegExp(`\\p{${property}}`, 'u')
    } catch {
      // Not a category: maybe a script, and if not that either, not known at all.
    }
  }
  throw new PatternError(`no class \\p{${name}}`)
}
