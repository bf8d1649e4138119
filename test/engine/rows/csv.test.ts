import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { csv } from '../../../engine/rows/csv.ts'
import { anyRecord } from '../sources/lineRecords.ts'

const columns = ['a', 'b', 'c'] as const
const names = [...columns]

/** Parses one line, which is surrounded by other bytes. */
function fields(line: string, options = {}): string[] {
  const bytes = Buffer.from(`<<${line}>>`)
  const row = csv(columns, options).row(bytes, 2, bytes.length - 2, anyRecord)
  return names.map((name) => row[name])
}

describe('a line becomes columns', () => {
  test.each<[string, string, string[]]>([
    ['plain fields', 'x,yy,zzz', ['x', 'yy', 'zzz']],
    ['empty fields', ',,', ['', '', '']],
    ['missing columns', 'x', ['x', '', '']],
    ['an empty line', '', ['', '', '']],
    ['more columns than named', '1,2,3,4,5', ['1', '2', '3']],
    ['a quoted delimiter', '"x,y",b,c', ['x,y', 'b', 'c']],
    ['doubled quotes', '"he said ""no""",b,""""', ['he said "no"', 'b', '"']],
    ['an empty quoted field', '"",b,""', ['', 'b', '']],
    ['a quote inside a plain field', 'x"y,b,c', ['x"y', 'b', 'c']],
    ['a quote that is never closed', 'a,"b,c', ['a', 'b,c', '']],
    ['text after a closing quote', '"a"bc,b,c', ['abc', 'b', 'c']],
    ['a carriage return at the end', 'a,b,c\r', ['a', 'b', 'c']],
    [
      'characters outside ASCII',
      'é,größer als acht Bytes,日本',
      ['é', 'größer als acht Bytes', '日本'],
    ],
  ])('%s', (_what, line, expected) => {
    expect(fields(line)).toEqual(expected)
  })

  test('with another delimiter', () => {
    expect(fields('a,1\tb\tc', { delimiter: '\t' })).toEqual(['a,1', 'b', 'c'])
  })

  test('any fields are read correctly, in any order', () => {
    const field = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
      fc.constantFrom('', '"', ',', '""', '","', '1', '12345678', '123456789'),
    )
    const fieldsOfOne = fc.array(
      field.filter((text) => !/[\r\n]/.test(text)),
      { minLength: 3, maxLength: 3 },
    )
    const order = fc.array(fc.constantFrom(0, 1, 2), { maxLength: 8 })
    fc.assert(
      fc.property(fieldsOfOne, order, (values, reads) => {
        const bytes = Buffer.from(values.map(quoted).join(','))
        const row = csv(columns).row(bytes, 0, bytes.length, anyRecord)
        for (const column of reads) expect(row[names[column]!]).toBe(values[column])
      }),
      { numRuns: 1000 },
    )
  })

  test('any bytes give strings, and never read outside the line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (content) => {
        const bytes = Buffer.concat([Buffer.from('a,b,'), content, Buffer.from(',"x"')])
        const alone = Buffer.from(content)
        const inside = csv(columns).row(bytes, 4, 4 + content.length, anyRecord)
        const expected = csv(columns).row(alone, 0, alone.length, anyRecord)
        expect(names.map((name) => inside[name])).toEqual(names.map((name) => expected[name]))
      }),
    )
  })
})

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

describe('a row', () => {
  const format = csv(columns)

  test('has its column names in its type', () => {
    const row = format.row(Buffer.from('1,2,3'), 0, 5, anyRecord)
    expectTypeOf(row).toEqualTypeOf<{
      readonly a: string
      readonly b: string
      readonly c: string
    }>()
    // @ts-expect-error: there is no such column
    expect(row.d).toBeUndefined()
  })

  test('stays valid while other rows of the same bytes are read', () => {
    const bytes = Buffer.from('1,2,3\n4,5,6')
    const first = format.row(bytes, 0, 5, anyRecord)
    const second = format.row(bytes, 6, 11, anyRecord)
    expect([second.c, first.a, first.c, second.a]).toEqual(['6', '1', '3', '4'])
  })

  test('shows itself as JSON', () => {
    expect(JSON.stringify(format.row(Buffer.from('1,2'), 0, 3, anyRecord))).toBe(
      '{"a":"1","b":"2","c":""}',
    )
  })

  test('columns may have any name', () => {
    const odd = csv(['bytes', 'constructor', '#start', 'toJSON', ''])
    const row = odd.row(Buffer.from('1,2,3,4,5'), 0, 9, anyRecord)
    expect([row.bytes, row.constructor, row['#start'], row.toJSON, row['']]).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
    ])
  })
})

describe('the format', () => {
  test('has a description with everything that changes its meaning', () => {
    const descriptions = [csv(['a', 'b']), csv(['b', 'a']), csv(['a', 'b'], { delimiter: ';' })]
    expect(new Set(descriptions.map((format) => format.describe())).size).toBe(3)
    expect(csv(['a', 'b']).describe()).toBe(csv(['a', 'b'], { delimiter: ',' }).describe())
  })

  test.each(['', ',,', '"', '\n', 'é'])('refuses the delimiter %j', (delimiter) => {
    expect(() => csv(['a'], { delimiter })).toThrow(
      expect.objectContaining({ code: 'JOB_GRAPH_INVALID' }),
    )
  })

  test('refuses two columns with one name', () => {
    expect(() => csv(['a', 'b', 'a'])).toThrow("two columns have the name 'a'")
  })
})
