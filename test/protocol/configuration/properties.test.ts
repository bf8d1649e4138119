// The parser of Java's properties format: the results beside key and value of each property. The
// golden cases of java.util.Properties.load are in test/agent/configuration/properties.test.ts.

import { expect, test } from 'vitest'
import { parseProperties } from '../../../protocol/configuration/properties.ts'

function parsed(text: string) {
  return [...parseProperties(text)]
}

test('keeps the order of properties, and all properties with the same key', () => {
  const found = parsed('b=1\na=2\nb=3').map(({ key, value, line }) => [key, value, line])
  expect(found).toEqual([
    ['b', '1', 1],
    ['a', '2', 2],
    ['b', '3', 3],
  ])
})

test.each([
  ['a', false],
  ['a=', true],
  ['a b', true],
  ['a\\=b', false],
])('says whether %s has a separator', (text, hasSeparator) => {
  expect(parsed(text)).toMatchObject([{ hasSeparator }])
})

test.each([
  ['a=\\u00e9', false],
  ['a=\\u12x4', true],
  ['a=\\\\u12x4', false],
  ['a=\\\\\\u12', true],
  ['\\u=b', true],
])('says whether %s has a malformed escape', (text, hasMalformedEscape) => {
  expect(parsed(text)).toMatchObject([{ hasMalformedEscape }])
})

test('gives the text of a property with its continuation lines joined', () => {
  expect(parsed('#\na = b\\\n   \\tc')).toMatchObject([
    { text: 'a = b\\tc', value: 'b\tc', line: 2 },
  ])
})
