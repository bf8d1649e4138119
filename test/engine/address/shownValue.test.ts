// Any value of a state can be shown as JSON, up to a limit.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyForms, parseKey } from '../../../engine/address/keyText.ts'
import { ShownValues } from '../../../engine/address/shownValue.ts'

const shown = (value: unknown) => JSON.parse(JSON.stringify(new ShownValues().of(value)))

test('values without a JSON form keep their meaning', () => {
  expect(
    shown({
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1n])]]),
      date: new Date(0),
      none: undefined,
      numbers: [Number.NaN, -0, Number.POSITIVE_INFINITY, 1.5],
      bytes: new Uint8Array([1, 2, 255]),
      floats: new Float64Array([0.5, Number.NaN]),
      big: new BigInt64Array([5n]),
      wrong: new Date(Number.NaN),
    }),
  ).toEqual({
    map: { $map: [[{ a: 1 }, { $set: [{ $bigint: '1' }] }]] },
    date: { $date: '1970-01-01T00:00:00.000Z' },
    none: { $undefined: true },
    numbers: [{ $number: 'NaN' }, { $number: '-0' }, { $number: 'Infinity' }, 1.5],
    bytes: { $bytes: 'AQL/' },
    floats: { $typedArray: 'Float64Array', values: [0.5, { $number: 'NaN' }] },
    big: { $typedArray: 'BigInt64Array', values: [{ $bigint: '5' }] },
    wrong: { $date: null },
  })
})

test('JSON values are shown unchanged', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (generated) => {
      // JSON has no -0.
      const value: unknown = JSON.parse(JSON.stringify(generated))
      expect(shown(value)).toEqual(value)
    }),
  )
})

test('an object that contains itself, functions and deep nesting are truncated; a value that occurs twice is not', () => {
  const self: Record<string, unknown> = { twice: [] }
  self.self = self
  self.again = self.twice
  expect(shown(self)).toEqual({ twice: [], self: { $cut: 'it contains itself' }, again: [] })
  expect(shown(() => 1)).toEqual({ $cut: 'a function has no form in JSON' })
  let deep: unknown = 1
  for (let depth = 0; depth < 10_000; depth++) deep = [deep]
  expect(JSON.stringify(shown(deep))).toContain('nested too deeply')
})

test('all values together are limited', () => {
  const values = new ShownValues()
  const many = Array.from({ length: 1_000 }, (_, at) => at)
  const answers = Array.from({ length: 1_000 }, () => values.of(many))
  expect(JSON.stringify(answers).length).toBeLessThan(2_000_000)
  expect(answers.at(-1)).toEqual({ $cut: 'the response is too long' })
  const long = new ShownValues()
  const texts = Array.from({ length: 100 }, () => long.of('x'.repeat(1_000_000)))
  expect(JSON.stringify(texts).length).toBeLessThan(10_000_000)
  expect(long.of(new Uint8Array(10_000_000))).toEqual({ $cut: 'the response is too long' })
})

test('a key named __proto__ stays a key', () => {
  const value = JSON.parse('{"__proto__": {"a": 1}}')
  expect(JSON.stringify(new ShownValues().of(value))).toBe('{"__proto__":{"a":1}}')
})

test('keys have a type prefix unless they are strings', () => {
  expect(parseKey('alice')).toBe('alice')
  expect(parseKey('http://host')).toBe('http://host')
  expect(parseKey('')).toBe('')
  expect(parseKey('number:-1.5e3')).toBe(-1500)
  expect(parseKey('boolean:false')).toBe(false)
  expect(parseKey('json:"a\\nb"')).toBe('a\nb')
  expect(parseKey('string:json:5')).toBe('json:5')
  for (const wrong of ['number:', 'number:five', 'boolean:yes', 'json:[1]', 'json:']) {
    expect(parseKey(wrong), wrong).toBeUndefined()
  }
  expect(keyForms).toContain('number:5')
})
