import { expect, test } from 'vitest'
import {
  boundsOf,
  parseValue,
  readTable,
  type ValueSpec,
} from '../../../protocol/configuration/optionTable.ts'

const doc = ''
const specs = {
  text: { type: 'string', doc },
  choice: { type: 'string', choices: ['a', 'b'], doc },
  flag: { type: 'boolean', doc },
  count: { type: 'integer', min: 1, max: 9, doc },
  natural: { type: 'integer', doc },
  share: { type: 'double', above: 0, max: 1, doc },
  words: { type: 'list', doc },
  digits: { type: 'list', separator: ',', isElement: (text) => /^\d$/.test(text), doc },
} as const satisfies Record<string, ValueSpec>

test.each<[keyof typeof specs, string, unknown]>([
  ['text', ' any ', ' any '],
  ['choice', 'b', 'b'],
  ['choice', 'c', undefined],
  ['flag', 'true', true],
  ['flag', 'True', undefined],
  ['count', '9', 9],
  ['count', '0', undefined],
  ['count', '1.5', undefined],
  ['natural', '9007199254740993', undefined],
  ['share', '1e-3', 0.001],
  ['share', '0', undefined],
  ['share', '0x1', undefined],
  ['words', 'a  b', ['a', 'b']],
  ['digits', ' 1 , 2', ['1', '2']],
  ['digits', '', []],
  ['digits', '1,two', undefined],
])('the %s %j is %j', (name, text, value) => {
  expect(parseValue(specs[name], text)).toEqual(value)
})

test('bounds are described in words', () => {
  expect(Object.values(specs).map(boundsOf)).toEqual([
    'any text',
    'a or b',
    'true or false',
    'an integer from 1 to 9',
    'an integer of at least 0',
    'a number above 0, up to 1',
    'words separated by blanks',
    'words separated by commas',
  ])
})

test('reading a table returns defaults, valid values, and a fault for each invalid value', () => {
  const table = {
    size: { type: 'integer', default: 3, doc },
    name: { type: 'string', doc },
  } as const
  const unknown: string[] = []
  const faults = {
    unknown: (key: string) => void unknown.push(key),
    invalid(key: string, text: string, bounds: string): never {
      throw new RangeError(`${key} ${text} ${bounds}`)
    },
  }
  expect(readTable(table, { toString: '1' }, faults)).toEqual({ size: 3, name: undefined })
  expect(unknown).toEqual(['toString'])
  expect(() => readTable(table, { size: 'x' }, faults)).toThrow('size x an integer of at least 0')
})
