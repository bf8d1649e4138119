// Java's regular expressions, as documented by java.util.regex.Pattern, matched with file names.

import { describe, expect, test } from 'vitest'
import { JavaPatternError, javaPattern } from '../../agent/javaPattern.ts'

describe('a pattern', () => {
  test.each<[string, string[], string[]]>([
    ['app\\-\\d+', ['app-12'], ['app12', 'xapp-1']],
    ['a\\_b', ['a_b'], ['ab']],
    ['a}', ['a}'], ['a']],
    ['a]', ['a]'], ['a']],
    ['\\p{Alpha}+\\.log', ['app.log'], ['app1.log', 'applog']],
    ['[\\p{Lower}_]+', ['a_b'], ['A']],
    ['\\P{Digit}+', ['abc'], ['a1']],
    ['[\\p{Punct}]+', ['.-_]'], ['a']],
    ['\\p{Lu}\\p{IsL}+', ['Über'], ['über']],
    ['\\Qa.b\\E.*', ['a.bc'], ['axbc']],
    ['[\\Q-]\\E]+', ['-]'], ['a']],
    ['(?i)ERROR.*', ['error.log'], ['err']],
    ['(?i)a(?!b).*', ['AC'], ['AB']],
    ['.*(?<!\\.gz)', ['a.log'], ['a.gz']],
    ['(a+)-\\1', ['aa-aa'], ['aa-a']],
    ['x(?!\\-)\\w\\_}', ['xy_}'], ['x-_}']],
    ['a{2,3}', ['aa', 'aaa'], ['a', 'aaaa']],
    ['a|bc', ['a', 'bc'], ['ac']],
    ['\\Aa\\z', ['a'], ['ab']],
    ['a\\x2Eb\\u002d', ['a.b-'], ['axb-']],
    ['[\\w.-]+\\h\\w', ['a-b. c'], ['a-bc']],
    ['(?<name>\\w+)\\.log', ['a.log'], ['.log']],
    ['[^.].*', ['a'], ['.a']],
  ])('%s', (expression, matching, others) => {
    const pattern = javaPattern(expression)
    for (const text of matching) expect([text, pattern.test(text)]).toEqual([text, true])
    for (const text of others) expect([text, pattern.test(text)]).toEqual([text, false])
  })

  test.each([
    ['a*+', "'*+'"],
    ['a{2}+', "'{2}+'"],
    ['(?>a)', "'(?>'"],
    ['[a-z&&[^b]]', "'&&'"],
    ['[a[bc]]', "a character class within another ('[a[b]]')"],
    ['a{', "'{' without a number: write \\\\{"],
    ['\\G', "'\\G'"],
    ['\\p{javaLowerCase}', "'\\p{javaLowerCase}'"],
    ['(?x)a b', "'(?x)'"],
    ['(a', 'missing closing )'],
    ['a\\', "'\\' at the end"],
  ])('%s is refused, not matched differently', (expression, message) => {
    expect(() => javaPattern(expression)).toThrow(new JavaPatternError(message))
  })

  test('without look-around takes no longer than its text', () => {
    expect(javaPattern('(a+)+b').test('a'.repeat(2000))).toBe(false)
  })
})
