// What can be kept as state comes back as it was, and everything else is refused with its place.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeStored } from '../../../engine/state/storedValue.ts'

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constant(-0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value

/** Each with what the message says of it. */
const unstorable: [unknown, string][] = [
  [Number.NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [-Infinity, '-Infinity'],
  [10n, 'a bigint'],
  [Symbol('s'), 'a symbol'],
  [() => 1, 'a function'],
  [new Set([1]), 'an instance of Set'],
  [new Map([[1, 2]]), 'an instance of Map'],
  [new Date(0), 'an instance of Date'],
  [/a/, 'an instance of RegExp'],
  [new Uint8Array(2), 'an instance of Uint8Array'],
  [Buffer.from('a'), 'an instance of Buffer'],
  [new Error('e'), 'an instance of Error'],
  [new (class Point {})(), 'an instance of Point'],
  [{ toJSON: () => 1 }, 'an object with a method toJSON'],
]

describe('encodeStored', () => {
  test('what it takes comes back as it was', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(JSON.parse(encodeStored(value))).toStrictEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  test('whatever it is given, it takes it and gives it back, or refuses it', () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withSparseArray: true, withNullPrototype: true },
    })
    fc.assert(
      fc.property(anything, (value) => {
        let text: string
        try {
          text = encodeStored(value)
        } catch (error) {
          expect((error as Error).message).toMatch(/^the value.* is /s)
          return
        }
        // toEqual treats an undefined field and a missing one alike.
        expect(JSON.parse(text)).toEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  test.each(unstorable)('refuses %s wherever it is', (value, what) => {
    expect(() => encodeStored(value)).toThrow(`the value is ${what}`)
    expect(() => encodeStored({ users: [{ name: 'a' }, { name: value }] })).toThrow(
      `the value.users[1].name is ${what}`,
    )
    expect(() => encodeStored({ 'a b': value })).toThrow(`the value["a b"] is ${what}`)
  })

  test('undefined gets lost in an array and not as a field', () => {
    expect(() => encodeStored(undefined)).toThrow('the value is undefined')
    expect(() => encodeStored([1, undefined])).toThrow('the value[1] is undefined')
    expect(() => encodeStored(new Array(1))).toThrow('the value[0] is undefined')
    expect(encodeStored({ a: undefined, b: 1 })).toBe('{"b":1}')
  })

  test('a cycle is refused, and an object that stands in two places is not', () => {
    const within: { back?: unknown } = {}
    const cycle = { a: within }
    within.back = cycle
    expect(() => encodeStored(cycle)).toThrow('the value.a.back is an object that holds it')
    const twice = { n: 1 }
    expect(encodeStored([twice, twice])).toBe('[{"n":1},{"n":1}]')
  })
})
