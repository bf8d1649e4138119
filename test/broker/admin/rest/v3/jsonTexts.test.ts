import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { parseExactly } from '../../../../../broker/admin/rest/v3/records/exactJson.ts'
import {
  ConcatenatedJson,
  JsonLines,
  type JsonText,
  type JsonTexts,
} from '../../../../../broker/admin/rest/v3/records/jsonTexts.ts'
import { RecordMemory } from '../../../../../broker/admin/rest/v3/records/recordMemory.ts'
import { MemoryBudget } from '../../../../../broker/server/memory/memoryBudget.ts'

const budget = new MemoryBudget(2e6)
const limits = (maxBytes: number) => ({ maxBytes, memory: new RecordMemory(budget) })
afterEach(() => {
  // The memory of every text was released.
  expect(budget.usedBytes).toBe(0)
})

/** Returns the texts in `input`, which arrives in pieces of these sizes. */
function textsOf(texts: JsonTexts, input: string, sizes: readonly number[] = []): string[] {
  const found: string[] = []
  const take = (text: JsonText) => {
    found.push(String(text))
    if (typeof text !== 'string') budget.release(text.length)
  }
  let rest = Buffer.from(input)
  for (const size of [...sizes, rest.length]) {
    for (const text of texts.push(rest.subarray(0, size))) take(text)
    rest = rest.subarray(size)
  }
  for (const text of texts.end()) take(text)
  return found
}

const concatenated = (input: string, sizes?: readonly number[]) =>
  textsOf(new ConcatenatedJson(limits(1000)), input, sizes)
const lines = (input: string, sizes?: readonly number[]) =>
  textsOf(new JsonLines(limits(1000)), input, sizes)

const anyObject = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 })
const anySizes = fc.array(fc.nat(30), { maxLength: 20 })

describe('concatenated JSON', () => {
  test('property: objects are found unchanged, however they are joined and split', () => {
    const separator = fc.constantFrom('', ' ', '\n', '\r\n', '\n\n\t')
    fc.assert(
      fc.property(fc.array(anyObject), separator, anySizes, (objects, between, sizes) => {
        const texts = objects.map((each) => JSON.stringify(each))
        const input = texts.join(between)
        expect(textsOf(new ConcatenatedJson(limits(1e6)), input, sizes)).toEqual(texts)
      }),
    )
  })

  test('property: all input is in a text or is space', () => {
    fc.assert(
      fc.property(fc.string(), anySizes, (input, sizes) => {
        const whole = textsOf(new ConcatenatedJson(limits(1e6)), input)
          .join('')
          .replace(/\s/g, '')
        expect(whole).toBe(Buffer.from(input).toString().replace(/\s/g, ''))
        expect(
          textsOf(new ConcatenatedJson(limits(1e6)), input, sizes)
            .join('')
            .replace(/\s/g, ''),
        ).toBe(whole)
      }),
    )
  })

  test.each([
    ['a string that does not end', '{"a":"x}\n{"b":1}', ['{"a":"x}', '{"b":1}']],
    ['a brace that is missing', '{"a":{"b":1}\n{"c":2}', ['{"a":{"b":1}\n', '{"c":2}']],
    ['text that is no object', 'hello\n{"a":1}', ['hello', '{"a":1}']],
    ['stray braces', '}}{"a":1}]', ['}}', '{"a":1}', ']']],
    ['a comma between objects', '{"a":1},{"b":2}', ['{"a":1}', ',', '{"b":2}']],
    ['an end too early', '{"a":1}{"b":', ['{"a":1}', '{"b":']],
    [
      'braces and quotes in strings',
      '{"a":"}\\"{"}{"b":"\\\\"}',
      ['{"a":"}\\"{"}', '{"b":"\\\\"}'],
    ],
    ['an array of objects', '[{"a":1},{"b":2}]', ['[{"a":1},{"b":2}]']],
    ['nothing', ' \n ', []],
  ])('%s', (_, input, texts) => {
    expect(concatenated(input)).toEqual(texts)
    expect(
      concatenated(
        input,
        [...input].map(() => 1),
      ),
    ).toEqual(texts)
  })

  test('a text that is too long is left out, and the next one is read', () => {
    const long = JSON.stringify({ a: '{'.repeat(2000) })
    expect(concatenated(`${long}{"b":1}`, [100, 100, 1900])).toEqual(['too long', '{"b":1}'])
  })
})

describe('lines of JSON', () => {
  test.each([
    ['a broken one', '{"a":\n{"b":1}\r\n', ['{"a":', '{"b":1}\r']],
    ['empty ones', '\n\n  \n{"a":1}\n', ['{"a":1}']],
    ['the last without an end', '{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']],
    ['too long', `${'x'.repeat(2000)}\n{"a":1}`, ['too long', '{"a":1}']],
  ])('%s', (_, input, texts) => {
    expect(lines(input)).toEqual(texts)
    expect(lines(input, [3, 3, 3, 3, 3, 3])).toEqual(texts)
  })
})

describe('memory for texts', () => {
  const large = `{"a":"${'x'.repeat(100_000)}"}`
  const kinds = [
    ['concatenated JSON', ConcatenatedJson],
    ['lines of JSON', JsonLines],
  ] as const

  test.each(kinds)(
    '%s: a text that exceeds the free memory is refused, a small one is accepted',
    (_, Texts) => {
      const others = new RecordMemory(budget)
      expect(others.take(1_950_000)).toBe(true)
      const input = `${large}\n{"b":1}\n`
      expect(textsOf(new Texts(limits(1e6)), input)).toEqual(['no room', '{"b":1}'])
      others.releaseAll()
      expect(textsOf(new Texts(limits(1e6)), input)).toEqual([large, '{"b":1}'])
    },
  )

  test.each(kinds)(
    '%s: the memory of an unfinished text is released when the reader is closed',
    (_, Texts) => {
      const texts = new Texts(limits(1e6))
      expect([...texts.push(Buffer.from(large.slice(0, 90_000)))]).toEqual([])
      expect(budget.usedBytes).toBe(90_000)
      texts.close()
    },
  )
})

describe('exact JSON', () => {
  test.each([
    '{"id":12345678901234567890,"price":1.10,"tiny":1e-400,"zero":-0}',
    '{"a":[1.0,2],"b":"12345678901234567890"}',
    '[0.1,100,true,null,"x"]',
  ])('%s', (text) => {
    expect(JSON.stringify(parseExactly(text))).toBe(text)
  })

  test('property: valid JSON is read back unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(JSON.stringify(parseExactly(text))).toBe(text)
      }),
    )
  })

  test('invalid JSON fails', () => {
    expect(() => parseExactly('{"a":1.5')).toThrow(SyntaxError)
  })
})
