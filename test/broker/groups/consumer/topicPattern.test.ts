// Patterns stand for the topics that Kafka's RE2 says they stand for, and never for a long wait.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PatternError } from '../../../../broker/groups/consumer/patternSyntax.ts'
import { TopicPattern } from '../../../../broker/groups/consumer/topicPattern.ts'

function matches(pattern: string, name: string): boolean {
  const compiled = TopicPattern.compile(pattern)
  if (compiled instanceof PatternError) throw compiled
  return compiled.matches(name)
}

describe('a topic pattern', () => {
  it.each([
    ['orders', 'orders', true],
    ['orders', 'orders2', false],
    ['order', 'orders', false],
    ['^orders.*$', 'orders-eu', true],
    ['.*', '', true],
    ['orders|payments', 'payments', true],
    ['(?i)ORDERS-[A-F]+', 'orders-dE', true],
    ['(?i:O)rders', 'oRders', false],
    ['(?P<what>or)ders(?:-eu)?', 'orders-eu', true],
    ['\\Qa.b\\E', 'a.b', true],
    ['\\Qa.b\\E', 'axb', false],
    ['[[:alpha:]_]+\\d{2,3}', 'to_ny123', true],
    ['[[:alpha:]_]+\\d{2,3}', 'tony1', false],
    ['[^a-c]+', 'xyz', true],
    ['[^a-c]+', 'xbz', false],
    ['[]a]+', 'a', true],
    ['\\p{Lu}\\p{Ll}+', 'Orders', true],
    ['\\pL+', 'abc', true],
    ['\\p{Greek}', 'a', false],
    ['\\x41\\x{42}\\103', 'ABC', true],
    ['a{,2}', 'a{,2}', true],
    ['.*\\beu\\b.*', 'orders-eu.1', true],
    ['.*\\beu\\b.*', 'orderseu', false],
    ['(a*)*', 'aaa', true],
    ['a??b*?', 'ab', true],
    ['(|a)+', 'aa', true],
  ])('%s against %s is %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected)
  })

  it.each([
    '(',
    ')',
    '[a',
    'a**',
    '*a',
    'a{1001}',
    'a{2,1}',
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(a)\\1',
    '\\y',
    '\\',
    '[z-a]',
    '[[:what:]]',
    '\\p{Nothing}',
    '(?x)a',
    '(((a{100}){100}){100})',
    'a'.repeat(1001),
  ])('%s is none', (pattern) => {
    expect(TopicPattern.compile(pattern)).toBeInstanceOf(PatternError)
  })

  it('agrees with JavaScript where the two speak the same language', () => {
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
      { numRuns: 2000 },
    )
  })

  it('takes no longer where a backtracking engine would never end', () => {
    expect(matches('(a+)+b', 'a'.repeat(249))).toBe(false)
    expect(matches('(a|a)*(a|a)*(a|a)*b', 'a'.repeat(249))).toBe(false)
  })
})
