// Config options: a written value is read back unchanged, and values out of bounds are refused.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { brokerOptionNames, brokerOptions } from '../../../broker/configuration/brokerOptions.ts'
import {
  boolean,
  configText,
  double,
  int32Max,
  int64Max,
  integer,
  list,
  listElements,
} from '../../../broker/configuration/configOption.ts'
import { topicOptions } from '../../../broker/configuration/topicOptions.ts'

describe('options', () => {
  it('read the values that they write', () => {
    const number = integer(0, -5, int64Max, 'A number.')
    const fraction = double(0, -1e9, 1e9, 'A fraction.')
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.double({ min: -1e9, max: 1e9, noNaN: true }), (a, b) => {
        expect(number.parse(configText(a)!)).toBe(a < -5 ? undefined : a)
        expect(fraction.parse(configText(b)!)).toBeCloseTo(b, 9)
      }),
    )
    for (const value of [true, false]) {
      expect(boolean(true, 'A flag.').parse(configText(value)!)).toBe(value)
    }
  })

  it('read any text as a value that is written and read back unchanged, or refuse it', () => {
    const options = [...brokerOptionNames.map((name) => brokerOptions[name])].concat(
      Object.values(topicOptions).map(({ option }) => option as never),
    )
    const texts = fc.oneof(
      fc.string(),
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      fc.constantFrom(
        'compact , delete',
        ' true',
        '-1',
        '0.25',
        '+7',
        '1e3',
        '0x10',
        '',
        '__proto__',
        'constructor',
      ),
    )
    fc.assert(
      fc.property(fc.constantFrom(...options), texts, (option, text) => {
        const value = option.parse(text)
        if (value === undefined) return
        expect(option.parse(configText(value)!)).toEqual(value)
      }),
      { numRuns: 2000 },
    )
  })

  it('accept longs up to the largest of Java, and no larger ones', () => {
    const { parse } = integer(0, 0, int64Max, 'A long.')
    expect(parse('9007199254740993')).toBe(int64Max)
    expect(parse('9223372036854775807')).toBe(int64Max)
    expect(parse('9223372036854775808')).toBeUndefined()
    expect(configText(int64Max)).toBe('9223372036854775807')
    expect(integer(0, 0, int32Max, 'An int.').parse('2147483648')).toBeUndefined()
    for (const text of ['', ' ', '1.0', '1e3', '0x1', 'one', '1 2']) {
      expect(parse(text), text).toBeUndefined()
    }
  })

  it('read lists with blanks between the elements', () => {
    const { parse } = list('', 'a or b', (word) => word === 'a' || word === 'b', 'A list.')
    expect(parse(' a , b ')).toBe('a,b')
    expect(parse('a,c')).toBeUndefined()
    expect(parse('')).toBe('')
    expect(listElements('')).toEqual([])
  })
})
