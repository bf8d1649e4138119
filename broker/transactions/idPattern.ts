// Regular expressions that clients ask for transactional ids with. JavaScript's own engine must not
// see them: a pattern of a few characters can keep it busy for years. This one reads the part of
// Java's language that needs no backtracking, and takes time in proportion to pattern and id.

type Accepts = (codePoint: number) => boolean

type Node =
  | { readonly kind: 'one'; readonly accepts: Accepts }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'start' | 'end' }

type Step =
  | { readonly kind: 'one'; readonly accepts: Accepts }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'start' | 'end' }

const maxPatternLength = 1000
const maxNesting = 50
/** Every id is compared with every step: many ids and many steps would hold up the broker. */
const maxSteps = 200
const maxEmitted = 2000

class Unsupported extends Error {}

export class IdPattern {
  readonly #steps: readonly Step[]

  private constructor(steps: readonly Step[]) {
    this.#steps = steps
  }

  /** Null for what is no regular expression, is too large, or needs backtracking. */
  static parse(pattern: string): IdPattern | null {
    if (pattern.length > maxPatternLength) return null
    try {
      return new IdPattern(new Compiler().compile(new Parser(pattern).parse()))
    } catch (error) {
      if (error instanceof Unsupported) return null
      throw error
    }
  }

  /** Whether the whole id is what the pattern describes. */
  matches(id: string): boolean {
    const codePoints = Array.from(id, (character) => character.codePointAt(0)!)
    let current = new Set<number>()
    this.#reach(current, 0, 0, codePoints.length)
    for (const [index, codePoint] of codePoints.entries()) {
      const next = new Set<number>()
      for (const at of current) {
        const step = this.#steps[at]
        if (step?.kind !== 'one' || !step.accepts(codePoint)) continue
        this.#reach(next, at + 1, index + 1, codePoints.length)
      }
      current = next
    }
    return current.has(this.#steps.length)
  }

  /** Adds the steps that are reached from one without reading anything. */
  #reach(reached: Set<number>, from: number, position: number, length: number): void {
    const open = [from]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (reached.has(at)) continue
      reached.add(at)
      const step = this.#steps[at]
      if (step?.kind === 'fork') open.push(...step.to)
      if (step?.kind === 'start' && position === 0) open.push(at + 1)
      if (step?.kind === 'end' && position === length) open.push(at + 1)
    }
  }
}

class Compiler {
  readonly #steps: Step[] = []
  /** Also of nodes that come to no step: those can be repeated, too. */
  #emitted = 0

  compile(node: Node): readonly Step[] {
    this.#emit(node)
    return this.#steps
  }

  #emit(node: Node): void {
    if (++this.#emitted > maxEmitted || this.#steps.length > maxSteps) throw new Unsupported()
    if (node.kind === 'sequence') for (const each of node.nodes) this.#emit(each)
    else if (node.kind === 'choice') this.#emitChoice(node.nodes)
    else if (node.kind === 'repeat') this.#emitRepeat(node)
    else this.#steps.push(node)
  }

  #emitChoice(nodes: readonly Node[]): void {
    const choice = this.#reserve()
    const begins: number[] = []
    const ends: number[] = []
    for (const node of nodes) {
      begins.push(this.#steps.length)
      this.#emit(node)
      ends.push(this.#reserve())
    }
    this.#fork(choice, begins)
    for (const end of ends) this.#fork(end, [this.#steps.length])
  }

  #emitRepeat({ node, min, max }: Extract<Node, { kind: 'repeat' }>): void {
    for (let count = 0; count < min; count++) this.#emit(node)
    if (max === Number.POSITIVE_INFINITY) {
      const again = this.#reserve()
      this.#emit(node)
      this.#fork(this.#reserve(), [again])
      this.#fork(again, [again + 1, this.#steps.length])
      return
    }
    const mayEnd: number[] = []
    for (let count = min; count < max; count++) {
      mayEnd.push(this.#reserve())
      this.#emit(node)
    }
    for (const at of mayEnd) this.#fork(at, [at + 1, this.#steps.length])
  }

  #reserve(): number {
    return this.#steps.push({ kind: 'fork', to: [] }) - 1
  }

  #fork(at: number, to: readonly number[]): void {
    this.#steps[at] = { kind: 'fork', to }
  }
}

class Parser {
  readonly #characters: readonly string[]
  #at = 0

  constructor(pattern: string) {
    this.#characters = Array.from(pattern)
  }

  parse(): Node {
    const node = this.#choice(0)
    if (this.#at < this.#characters.length) throw new Unsupported()
    return node
  }

  #choice(depth: number): Node {
    if (depth > maxNesting) throw new Unsupported()
    const nodes = [this.#sequence(depth)]
    while (this.#take('|')) nodes.push(this.#sequence(depth))
    return nodes.length === 1 ? nodes[0]! : { kind: 'choice', nodes }
  }

  #sequence(depth: number): Node {
    const nodes: Node[] = []
    while (this.#next !== undefined && this.#next !== '|' && this.#next !== ')') {
      nodes.push(this.#repeated(this.#atom(depth)))
    }
    return { kind: 'sequence', nodes }
  }

  #repeated(node: Node): Node {
    if (this.#take('*')) return this.#checkGreed({ kind: 'repeat', node, min: 0, max: Infinity })
    if (this.#take('+')) return this.#checkGreed({ kind: 'repeat', node, min: 1, max: Infinity })
    if (this.#take('?')) return this.#checkGreed({ kind: 'repeat', node, min: 0, max: 1 })
    if (!this.#take('{')) return node
    const min = this.#number()
    const max = this.#take(',') ? (this.#next === '}' ? Infinity : this.#number()) : min
    if (!this.#take('}') || min > max) throw new Unsupported()
    if (min > maxSteps || (max !== Infinity && max > maxSteps)) throw new Unsupported()
    return this.#checkGreed({ kind: 'repeat', node, min, max })
  }

  /** For the whole of an id it makes no difference who is greedy, unless somebody is possessive. */
  #checkGreed(node: Node): Node {
    this.#take('?')
    if (this.#next !== undefined && '*+?{'.includes(this.#next)) throw new Unsupported()
    return node
  }

  #number(): number {
    let digits = ''
    while (this.#next !== undefined && /^[0-9]$/.test(this.#next)) digits += this.#read()
    if (digits === '' || digits.length > 4) throw new Unsupported()
    return Number(digits)
  }

  #atom(depth: number): Node {
    const character = this.#read()
    switch (character) {
      case '(':
        return this.#group(depth)
      case '[':
        return { kind: 'one', accepts: this.#class() }
      case '.':
        return { kind: 'one', accepts: (codePoint) => !lineTerminators.has(codePoint) }
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '\\':
        return { kind: 'one', accepts: this.#escape() }
      case '*':
      case '+':
      case '?':
      case '{':
        throw new Unsupported()
      default:
        return { kind: 'one', accepts: only(character) }
    }
  }

  #group(depth: number): Node {
    if (this.#take('?') && !this.#take(':')) throw new Unsupported()
    const node = this.#choice(depth + 1)
    if (!this.#take(')')) throw new Unsupported()
    return node
  }

  #escape(): Accepts {
    const character = this.#read()
    const known = classes.get(character)
    if (known) return known
    // Other letters and digits have meanings that are not read here: \1, \b, \p, \Q.
    if (/^[a-zA-Z0-9]$/.test(character)) throw new Unsupported()
    return only(character)
  }

  #class(): Accepts {
    const isNegated = this.#take('^')
    const parts: Accepts[] = []
    do parts.push(this.#classPart())
    while (this.#next !== ']')
    this.#read()
    return (codePoint) => parts.some((accepts) => accepts(codePoint)) !== isNegated
  }

  #classPart(): Accepts {
    const first = this.#read()
    if (first === '\\') return this.#escape()
    // Java's classes within classes, and what they have in common.
    if (first === '[' || (first === '&' && this.#next === '&')) throw new Unsupported()
    const isRange = this.#next === '-' && this.#characters[this.#at + 1] !== ']'
    if (!isRange) return only(first)
    this.#read()
    const last = this.#read()
    const [from, to] = [first.codePointAt(0)!, last.codePointAt(0)!]
    if (last === '\\' || last === '[' || from > to) throw new Unsupported()
    return (codePoint) => codePoint >= from && codePoint <= to
  }

  get #next(): string | undefined {
    return this.#characters[this.#at]
  }

  #read(): string {
    const character = this.#characters[this.#at++]
    if (character === undefined) throw new Unsupported()
    return character
  }

  #take(character: string): boolean {
    if (this.#next !== character) return false
    this.#at++
    return true
  }
}

const lineTerminators: ReadonlySet<number> = new Set([0x0a, 0x0d, 0x85, 0x2028, 0x2029])

const classes: ReadonlyMap<string, Accepts> = new Map([
  ['d', inClass(/^[0-9]$/)],
  ['D', inClass(/^[^0-9]$/u)],
  ['w', inClass(/^[a-zA-Z_0-9]$/)],
  ['W', inClass(/^[^a-zA-Z_0-9]$/u)],
  ['s', inClass(/^[ \t\n\v\f\r]$/)],
  ['S', inClass(/^[^ \t\n\v\f\r]$/u)],
])

function inClass(expression: RegExp): Accepts {
  return (codePoint) => expression.test(String.fromCodePoint(codePoint))
}

function only(character: string): Accepts {
  const wanted = character.codePointAt(0)!
  return (codePoint) => codePoint === wanted
}
