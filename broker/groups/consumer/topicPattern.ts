// A regular expression that stands for the topics whose whole name it matches. Clients choose the
// pattern, and JavaScript's own RegExp backtracks: "(a+)+b" against a name of thirty letters a would
// stop the broker. So patterns are matched here by walking all states of an automaton at once, one
// character at a time (Thompson's construction), which takes time in proportion to the length of the
// name and the size of the automaton, whatever the pattern. Both are bounded.

import { type Assertion, PatternError, type PatternNode, parsePattern } from './patternSyntax.ts'

/** Patterns that people write are far below; each costs memory and time for as long as it is used. */
const maxPatternLength = 1000
const maxStates = 2000

type State =
  | { readonly type: 'set'; readonly codes: ReadonlySet<number>; readonly next: number }
  | { readonly type: 'assertion'; readonly holds: Assertion; readonly next: number }
  | { readonly type: 'fork'; readonly next: readonly number[] }
  | { readonly type: 'end' }

export class TopicPattern {
  readonly #states: readonly State[]
  readonly #start: number

  private constructor(states: readonly State[], start: number) {
    this.#states = states
    this.#start = start
  }

  /** The pattern, or why it is none. */
  static compile(pattern: string): TopicPattern | PatternError {
    if (pattern.length > maxPatternLength) {
      return new PatternError(`longer than ${maxPatternLength} characters`)
    }
    try {
      const automaton = new AutomatonBuilder()
      const start = automaton.add(parsePattern(pattern), automaton.push({ type: 'end' }))
      return new TopicPattern(automaton.states, start)
    } catch (error) {
      if (error instanceof PatternError) return error
      throw error
    }
  }

  /** Whether the whole name matches. */
  matches(name: string): boolean {
    let reached = this.#closure([this.#start], name, 0)
    for (let at = 0; at < name.length && reached.size > 0; at++) {
      const code = name.charCodeAt(at)
      const next: number[] = []
      for (const index of reached) {
        const state = this.#states[index]!
        if (state.type === 'set' && state.codes.has(code)) next.push(state.next)
      }
      reached = this.#closure(next, name, at + 1)
    }
    for (const index of reached) if (this.#states[index]!.type === 'end') return true
    return false
  }

  /** Everything that can be reached without taking a character. */
  #closure(from: readonly number[], name: string, at: number): ReadonlySet<number> {
    const reached = new Set(from)
    // A set that grows while it is walked is walked to its new end.
    for (const index of reached) {
      const state = this.#states[index]!
      if (state.type === 'fork') for (const next of state.next) reached.add(next)
      if (state.type === 'assertion' && holds(state.holds, name, at)) reached.add(state.next)
    }
    return reached
  }
}

/** Builds from the end: each part is given where to go on. */
class AutomatonBuilder {
  readonly states: State[] = []

  push(state: State): number {
    if (this.states.length >= maxStates) throw new PatternError('too large')
    return this.states.push(state) - 1
  }

  /** The state to begin with. */
  add(node: PatternNode, next: number): number {
    switch (node.type) {
      case 'set':
      case 'assertion':
        return this.push({ ...node, next })
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.add(part, after), next)
      case 'choice':
        return this.push({ type: 'fork', next: node.parts.map((part) => this.add(part, next)) })
      case 'repeat':
        return this.#repeat(node.part, node.min, node.max, next)
    }
  }

  #repeat(part: PatternNode, min: number, max: number, next: number): number {
    let start = next
    if (max === Infinity) {
      start = this.#loop(part, next)
    } else {
      for (let optional = min; optional < max; optional++) {
        start = this.push({ type: 'fork', next: [this.add(part, start), next] })
      }
    }
    for (let required = 0; required < min; required++) start = this.add(part, start)
    return start
  }

  /** Any number of times: the state that decides comes first, and is what the part goes back to. */
  #loop(part: PatternNode, next: number): number {
    const ways = [next]
    const loop = this.push({ type: 'fork', next: ways })
    ways.push(this.add(part, loop))
    return loop
  }
}

function holds(assertion: Assertion, name: string, at: number): boolean {
  switch (assertion) {
    case 'start':
      return at === 0
    case 'end':
      return at === name.length
    case 'wordBoundary':
      return isWord(name[at - 1]) !== isWord(name[at])
    case 'noWordBoundary':
      return isWord(name[at - 1]) === isWord(name[at])
  }
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /\w/.test(character)
}
