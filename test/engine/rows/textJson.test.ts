import { Type } from 'typebox'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { json } from '../../../engine/rows/json.ts'
import { text } from '../../../engine/rows/text.ts'
import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { anyRecord } from '../sources/lineRecords.ts'

test('text gives the whole range as a line', () => {
  const bytes = Buffer.from('one\nzwei größer\n')
  const row = text().row(bytes, 4, bytes.length - 1, anyRecord)
  expect(row.line).toBe('zwei größer')
  expect(JSON.stringify(row)).toBe('{"line":"zwei größer"}')
})

test('json gives the document in the range', () => {
  const format = json<{ user: string }>()
  const bytes = Buffer.from('xx{"user":"änne"}xx')
  const row = format.row(bytes, 2, bytes.length - 2, anyRecord)
  expect(row).toEqual({ user: 'änne' })
  expectTypeOf(row).toEqualTypeOf<{ user: string }>()
})

test.each(['', '{', 'not json', '{"a":1} '.repeat(2)])('json refuses %j', (document) => {
  const bytes = Buffer.from(document)
  expect(() => json().row(bytes, 0, bytes.length, anyRecord)).toThrow(MalformedError)
})

test('formats have distinct descriptions', () => {
  expect(text().describe()).not.toBe(json().describe())
})

describe('json with a schema', () => {
  const schema = Type.Object({
    user: Type.String(),
    ages: Type.Array(Type.Integer(), { maxItems: 3 }),
    kind: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
  })
  const format = json(schema)
  const read = (document: string) =>
    format.row(Buffer.from(document), 0, Buffer.byteLength(document), anyRecord)

  test('gives rows of the type of the schema', () => {
    const row = read('{"user":"änne","ages":[1]}')
    expect(row).toEqual({ user: 'änne', ages: [1] })
    expectTypeOf(row.ages).toEqualTypeOf<number[]>()
    expectTypeOf(row.kind).toEqualTypeOf<'a' | 'b' | undefined>()
  })

  test.each([
    ['{"user":5,"ages":[]}', '/user of the value does not match the schema: it must be string'],
    ['{"user":"secret","ages":[1,"secret"]}', '/ages/1 of the value'],
    ['{"ages":[]}', 'the value does not match the schema: it must have required properties user'],
    ['[]', 'the value does not match the schema: it must be object'],
    ['{"user":"u","ages":[1,2,3,4]}', '/ages of the value'],
  ])('refuses %s with path and rule, without data', (document, message) => {
    expect(() => read(document)).toThrow(MalformedError)
    expect(() => read(document)).toThrow(message)
    expect(() => read(document)).not.toThrow(/secret/)
  })

  test('describes the schema, with its properties in one order', () => {
    const one = Type.Object({ a: Type.String(), b: Type.Number() }, { title: 't' })
    const { type, ...rest } = one
    expect(json({ ...rest, type } as typeof one).describe()).toBe(json(one).describe())
    expect(json(Type.String()).describe()).not.toBe(json(Type.Number()).describe())
  })
})
