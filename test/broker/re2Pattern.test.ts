// Patterns of clients mean what Kafka's RE2 says, applied to whole names. No pattern blocks or
// crashes the broker.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePattern, PatternError } from '../../broker/re2Pattern.ts'

function matches(pattern: string, name: string): boolean {
  const compiled = compilePattern(pattern)
  if (compiled instanceof PatternError) throw compiled
  return compiled.matches(name)
}

describe('a pattern', () => {
  it.each([
    ['orders', 'orders', true],
    ['orders', 'orders2', false],
    ['order', 'orders', false],
    ['^orders.*$', 'orders-eu', true],
    ['.*', '', true],
    ['orders|payments', 'payments', true],
    ['(?i)ORDERS-[A-F]+', 'orders-dE', true],
    ['(?P<what>or)ders(?:-eu)?', 'orders-eu', true],
    ['\\Qa.b\\E', 'axb', false],
    ['[[:alpha:]_]+\\d{2,3}', 'tony1', false],
    ['\\p{Lu}\\p{Ll}+', 'Überweisung', true],
    ['.*\\beu\\b.*', 'orders-eu.1', true],
    ['.*\\beu\\b.*', 'orderseu', false],
  ])('%s against %s is %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected)
  })

  it.each([
    ['(', 'missing closing )'],
    ['[z-a]', 'invalid character class range'],
    ['(?=a)', 'invalid or unsupported Perl syntax'],
    ['(?<=a)b', 'invalid named capture'],
    ['(a)\\1', 'invalid escape sequence'],
    ['(?:(?:x?){30}){30}', 'too large'],
    ['((a{100}){100}){100}', 'invalid repeat count'],
  ])('%s is invalid: %s', (pattern, reason) => {
    expect(compilePattern(pattern)).toStrictEqual(new PatternError(reason))
  })

  it('is bounded in length', () => {
    expect(compilePattern('a'.repeat(500))).not.toBeInstanceOf(PatternError)
    expect(compilePattern('a'.repeat(1001))).toBeInstanceOf(PatternError)
  })

  it('is valid or refused, whatever its characters', () => {
    const piece = fc.constantFrom(...'a.*+?()[]{}1,\\|^$-', '(?i', '\\p{', '[[:', '\\Q', '\ud800')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const compiled = compilePattern(pieces.join(''))
        if (!(compiled instanceof PatternError)) compiled.matches('a1-')
      }),
      { numRuns: 500 },
    )
  })

  it('agrees with JavaScript where the two have the same syntax', () => {
    const letter = fc.constantFrom('a', 'b', '.', '-', '[ab]', '[^a]', '\\.', '\\w', '\\d')
    const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { depthSize: 'small' },
        letter,
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `${a}${b}`),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
        fc
          .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{2,}'))
          .map(([a, times]) => `(?:${a})${times}`),
      ),
    }))
    const name = fc.array(fc.constantFrom('a', 'b', '.', '-', '1'), { maxLength: 8 })
    fc.assert(
      fc.property(pattern, name, (pattern, characters) => {
        const text = characters.join('')
        expect(matches(pattern, text)).toBe(new RegExp(`^(?:${pattern})$`).test(text))
      }),
      { numRuns: 500 },
    )
  })

  it('takes linear time where a backtracking engine would never end', () => {
    expect(matches('(a+)+b', 'a'.repeat(249))).toBe(false)
    expect(matches('(a|a)*(a|a)*(a|a)*b', 'a'.repeat(249))).toBe(false)
  })
})
