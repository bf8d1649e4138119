// Golden cases of java.util.Properties.load, from its documentation.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is Flume's own syntax

import { describe, expect, test } from 'vitest'
import { parseProperties } from '../../../agent/configuration/properties.ts'
import { substitute } from '../../../agent/configuration/substitution.ts'

function parsed(text: string): Record<string, string> {
  return Object.fromEntries([...parseProperties(text, 'f').values()].map((p) => [p.key, p.value]))
}

describe('a properties file', () => {
  test.each<[string, string, Record<string, string>]>([
    ['an equals sign', 'a=b', { a: 'b' }],
    ['a colon', 'a:b', { a: 'b' }],
    ['a blank', 'a b', { a: 'b' }],
    ['blanks around the separator', 'a \t = \f b', { a: 'b' }],
    ['only the first separator', 'a = = b', { a: '= b' }],
    ['a blank, then a colon', 'a :b', { a: 'b' }],
    ['indentation', '  \t a=b', { a: 'b' }],
    ['blanks at the end are kept', 'a=b  ', { a: 'b  ' }],
    ['no value', 'a', { a: '' }],
    ['comments', '#a=1\n  !b=2\nc=3 # no comment', { c: '3 # no comment' }],
    ['a continued line', 'a = b, \\\n    c', { a: 'b, c' }],
    ['a continued line with a hash', 'a = b\\\n  #c', { a: 'b#c' }],
    ['an escaped backslash does not continue', 'a = b\\\\\nc = d', { a: 'b\\', c: 'd' }],
    ['a blank line ends a continued one', 'a = b\\\n\nc = d', { a: 'b', c: 'd' }],
    ['a comment is never continued', '# a\\\nb = c', { b: 'c' }],
    ['a backslash at the end of the file', 'a = b\\', { a: 'b' }],
    ['escaped separators in keys', 'a\\=b\\:c\\ d = e', { 'a=b:c d': 'e' }],
    ['control characters', 'a = \\t\\n\\r\\f', { a: '\t\n\r\f' }],
    ['any other escaped character', 'a = \\q\\.', { a: 'q.' }],
    ['unicode', 'a = \\u00e9\\u4E2d', { a: 'é中' }],
    ['line ends of all kinds', 'a=1\rb=2\r\nc=3\n', { a: '1', b: '2', c: '3' }],
    ['the last of two wins', 'a=1\na=2', { a: '2' }],
  ])('%s', (_, text, expected) => {
    expect(parsed(text)).toEqual(expected)
  })

  test('records file and line of a property', () => {
    const properties = parseProperties('# one\n\na = b\\\n c\nd = e', 'x.conf')
    expect(properties.get('a')).toMatchObject({ file: 'x.conf', line: 3 })
    expect(properties.get('d')).toMatchObject({ line: 5 })
  })

  test('refuses a broken unicode escape by file and line', () => {
    expect(() => parsed('a = 1\nb = \\u12x4')).toThrow(/^f:2: /)
  })
})

describe('substitution', () => {
  const sources = { env: { HOME: '/home/me' }, sys: { port: '9092' } }
  function resolved(text: string): Record<string, string> {
    const properties = substitute(parseProperties(text, 'f'), sources)
    return Object.fromEntries([...properties.values()].map((p) => [p.key, p.value]))
  }

  test.each<[string, string, string]>([
    ['the environment', '${env:HOME}/x', '/home/me/x'],
    ['system properties', 'h:${sys:port}', 'h:9092'],
    ['another key, which is substituted first', '${other}', 'at /home/me'],
    ['unknown references stay', '${nothing} ${env:NOTHING}', '${nothing} ${env:NOTHING}'],
    ['a default', '${nothing:-x} ${env:HOME:-y}', 'x /home/me'],
    ['an escape', '$${env:HOME}', '${env:HOME}'],
  ])('%s', (_, value, expected) => {
    expect(resolved(`other = at \${env:HOME}\na = ${value}`).a).toBe(expected)
  })

  test('refuses keys that refer to each other', () => {
    expect(() => resolved('a = ${b}\nb = ${a}')).toThrow(/f:1: a refers to itself: a -> b -> a/)
  })
})
