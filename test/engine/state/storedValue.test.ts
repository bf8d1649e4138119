// Values that can be stored as state are restored unchanged; all other values are rejected with
// their path.

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { v8Codec } from '../../../engine/state/v8Codec.ts'

const anything = fc.anything({
  ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
  ...{ withSparseArray: true, withNullPrototype: true },
})

/** Values that cannot be stored, each with the text of its error message. */
const unstorable: [unknown, string][] = [
  [Symbol('s'), 'is a symbol'],
  [() => 1, 'is a function'],
  [/a/, 'is an instance of RegExp'],
  [new Error('e'), 'is an instance of Error'],
  [Promise.resolve(), 'is an instance of Promise'],
  [new WeakMap(), 'is an instance of WeakMap'],
  [new (class Point {})(), 'is an instance of Point'],
  [new (class Names extends Set {})(), 'is an instance of Names'],
  [new Uint8Array(new SharedArrayBuffer(1)), 'is an instance of Uint8Array'],
  [Object.create(null), 'has no prototype'],
  [{ toJSON: () => 1 }, '.toJSON is a function'],
  [{ [Symbol('s')]: 1 }, 'has a field named by a symbol'],
  [Object.assign(new Date(0), { zone: 1 }), '.zone is a field of a built-in'],
  [Object.assign([1], { sum: 1 }), 'is an array with fields'],
  [Object.defineProperty({}, 'hidden', { value: 1 }), '.hidden is not enumerable'],
  [Object.defineProperty({}, 'n', { get: () => 1, enumerable: true }), '.n is a getter'],
]

function roundTrip(value: unknown): unknown {
  return v8Codec.decode(v8Codec.encode(value))
}

describe('the codec of states', () => {
  test('restores any value unchanged, or rejects it', () => {
    let taken = 0
    fc.assert(
      fc.property(anything, (value) => {
        let bytes: Uint8Array
        try {
          bytes = v8Codec.encode(value)
        } catch (error) {
          expect((error as Error).message).toMatch(/^the value.* (is|has) /s)
          return
        }
        taken++
        // Not toStrictEqual: it treats 0 and -0 as equal.
        expect(isDeepStrictEqual(v8Codec.decode(bytes), value)).toBe(true)
      }),
      { numRuns: 2000 },
    )
    expect(taken).toBeGreaterThan(1000)
  })

  test.each([
    ...[0, -0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 0.1, Number.NaN, Infinity, -Infinity],
    ...['', 'a', 'ÿ', 'Ā', 'ä\ud800', '\udfff', '😀', '\0', true, false, null, 10n ** 30n],
    ...[new Date(5), new Map([['a', new Set([1])]]), new Float64Array([-0]), Buffer.from('a')],
    ...[{ a: undefined, b: [undefined] }, new DataView(new ArrayBuffer(2))],
  ])('%s is restored', (value) => {
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true)
  })

  test.each<{ list: unknown[] }>(
    [
      ...[[], [1, 'a', null, true, -0, 0.5, 'Ā\ud800'], [[1]], [1n, { n: -0 }], [undefined]],
      ...[['x'.repeat(253)], ['x'.repeat(254)], ['x'.repeat(255)], new Array(2)],
      ...[
        [1, 2, 3, 4, 5, 6, 7, 8],
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
      ],
    ].map((list) => ({ list })),
  )('the list $list is restored', ({ list }) => {
    expect(isDeepStrictEqual(roundTrip(list), list)).toBe(true)
  })

  test('numbers and short strings take few bytes', () => {
    expect(v8Codec.encode(1_000_000)).toHaveLength(5)
    expect(v8Codec.encode(0.5)).toHaveLength(9)
    expect(v8Codec.encode('Zürich')).toHaveLength(7)
    expect(v8Codec.encode([7, 1.5])).toHaveLength(18)
  })

  test.each(unstorable)('rejects %s at any depth', (value, what) => {
    const isPath = what.startsWith('.')
    const at = (path: string) => `the value${path}${isPath ? '' : ' '}${what}`
    expect(() => v8Codec.encode(value)).toThrow(at(''))
    expect(() => v8Codec.encode({ users: [{ name: 'a' }, { name: value }] })).toThrow(
      at('.users[1].name'),
    )
    expect(() => v8Codec.encode({ 'a b': value })).toThrow(at('["a b"]'))
    expect(() => v8Codec.encode(new Map([['x', value]]))).toThrow(at('.get("x")'))
    expect(() => v8Codec.encode({ seen: new Set([value]) })).toThrow(at('.seen.values()'))
  })

  test('undefined is not a state, but may be part of one', () => {
    expect(() => v8Codec.encode(undefined)).toThrow('the value is undefined')
    expect(isDeepStrictEqual(roundTrip([1, undefined]), [1, undefined])).toBe(true)
  })

  test('a cycle is restored, and so is an object referenced twice', () => {
    const cycle: { back?: unknown } = {}
    cycle.back = cycle
    const copy = roundTrip(cycle) as typeof cycle
    expect(copy.back).toBe(copy)
    const twice = { n: 1 }
    const [one, other] = roundTrip([twice, twice]) as unknown[]
    expect(one).toBe(other)
  })

  test('deep nesting is rejected', () => {
    let value: unknown[] = []
    for (let depth = 0; depth < 100_000; depth++) value = [value]
    expect(() => v8Codec.encode(value)).toThrow('the value is nested too deeply')
  })

  test('a restored value shares no memory with the original', () => {
    const bytes = v8Codec.encode({ bytes: new Uint8Array(100) })
    const before = Buffer.from(bytes)
    const value = v8Codec.decode(bytes) as { bytes: Uint8Array }
    value.bytes.fill(7)
    expect(Buffer.compare(bytes, before)).toBe(0)
  })

  test('bytes that no release writes are reported as an error', () => {
    expect(() => v8Codec.decode(new Uint8Array([99]))).toThrow('starts with byte 99')
  })
})
