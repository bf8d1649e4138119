import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c, crc32cTable } from '../../../protocol/bytes/crc32c.ts'

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
test.each([
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 ascending', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
  ['32 descending', Buffer.from(Array.from({ length: 32 }, (_, n) => 31 - n)), 0x113fdb5c],
  ['nothing', Buffer.alloc(0), 0],
])('known checksum of %s', (_name, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
  expect(crc32cTable(bytes)).toBe(expected)
})

test('native code and table agree on every range', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), fc.nat(600), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length)
      const end = Math.min(Math.max(a, b), bytes.length)
      const expected = crc32cTable(bytes.slice(start, end))
      expect(crc32c(bytes, start, end)).toBe(expected)
      expect(crc32cTable(bytes, start, end)).toBe(expected)
    }),
  )
})
