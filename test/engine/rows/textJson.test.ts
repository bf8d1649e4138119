import { expect, expectTypeOf, test } from 'vitest'
import { json } from '../../../engine/rows/json.ts'
import { text } from '../../../engine/rows/text.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'

test('text gives the whole range as a line', () => {
  const bytes = Buffer.from('one\nzwei größer\n')
  const row = text().row(bytes, 4, bytes.length - 1)
  expect(row.line).toBe('zwei größer')
  expect(JSON.stringify(row)).toBe('{"line":"zwei größer"}')
})

test('json gives the document in the range', () => {
  const format = json<{ user: string }>()
  const bytes = Buffer.from('xx{"user":"änne"}xx')
  const row = format.row(bytes, 2, bytes.length - 2)
  expect(row).toEqual({ user: 'änne' })
  expectTypeOf(row).toEqualTypeOf<{ user: string }>()
})

test.each(['', '{', 'not json', '{"a":1} '.repeat(2)])('json refuses %j', (document) => {
  const bytes = Buffer.from(document)
  expect(() => json().row(bytes, 0, bytes.length)).toThrow(MalformedError)
})

test('formats describe themselves apart', () => {
  expect(text().describe()).not.toBe(json().describe())
})
