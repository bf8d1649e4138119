// Patterns for transactional ids mean what they mean to a real regular expression engine, and never
// take long.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IdPattern } from '../../../broker/transactions/idPattern.ts'

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '[a-c]', '\\d', '\\W', '\\.', '-')
const quantifier = fc.constantFrom('', '', '*', '+', '?', '*?', '{2}', '{1,}', '{0,2}')
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  pattern: fc.oneof(
    fc.array(tie('piece'), { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join('')),
    fc.tuple(tie('piece'), tie('piece')).map(([one, other]) => `${one}|${other}`),
  ),
  piece: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.tuple(atom, quantifier).map(([one, times]) => one + times),
    fc.tuple(tie('pattern'), quantifier).map(([inner, times]) => `(${inner})${times}`),
  ),
}))
const id = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '-', 'ü'), maxLength: 8 })

describe('IdPattern', () => {
  test('agrees with the real engine', () => {
    fc.assert(
      fc.property(pattern, id, (text, candidate) => {
        const parsed = IdPattern.parse(text)
        // Large ones are refused.
        fc.pre(parsed !== null)
        expect(parsed!.matches(candidate)).toBe(new RegExp(`^(?:${text})$`, 'u').test(candidate))
      }),
      { numRuns: 1000 },
    )
  })

  test('anchors, groups and escapes', () => {
    expect(IdPattern.parse('^app-(?:[0-9]+|x)$')!.matches('app-42')).toBe(true)
    expect(IdPattern.parse('a^b')!.matches('ab')).toBe(false)
    expect(IdPattern.parse('my\\.app.*')!.matches('my.app-1')).toBe(true)
    expect(IdPattern.parse('.*')!.matches('')).toBe(true)
  })

  test('what is none, or would need more, is refused', () => {
    for (const text of [
      '(',
      '*a',
      'a)',
      '[a',
      '(a)\\1',
      '(?=a)',
      'a{9',
      'a{2,1}',
      'a++',
      '[b-a]',
    ]) {
      expect(IdPattern.parse(text), text).toBeNull()
    }
    expect(IdPattern.parse('(a{100}){100}')).toBeNull()
    expect(IdPattern.parse('((){100}){100}')).toBeNull()
    expect(IdPattern.parse('('.repeat(500) + ')'.repeat(500))).toBeNull()
  })

  test('a pattern that keeps a backtracking engine busy for years', () => {
    const candidate = `${'a'.repeat(5000)}!`
    expect(IdPattern.parse('(a+)+b')!.matches(candidate)).toBe(false)
  })
})
