import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fieldText } from '../../../engine/rows/fieldText.ts'

test('is the UTF-8 text of any range of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(12), fc.nat(12), (array, a, b) => {
      const bytes = Buffer.from(array)
      const start = Math.min(a, b, bytes.length)
      const end = Math.min(Math.max(a, b), bytes.length)
      expect(fieldText(bytes, start, end)).toBe(bytes.toString('utf8', start, end))
    }),
    { numRuns: 2000 },
  )
})

test('values that evict one another from the cache are not confused', () => {
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 50_000; n++) {
      const bytes = Buffer.from(String(n * 37))
      if (fieldText(bytes, 0, bytes.length) !== String(n * 37)) throw new Error(`wrong at ${n}`)
    }
  }
})

test('zero bytes are significant: "a", "a\\0" and "\\0a" are three values', () => {
  const values = ['a', 'a\0', '\0a', '\0', '\0\0\0\0a', 'a\0\0\0\0']
  for (const value of [...values, ...values]) {
    expect(fieldText(Buffer.from(value), 0, value.length)).toBe(value)
  }
})
