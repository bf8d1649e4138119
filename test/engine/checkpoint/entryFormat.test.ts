import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeEntry, readEntries } from '../../../engine/checkpoint/entryFormat.ts'

const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 })

test('entries are read back as they were written', () => {
  fc.assert(
    fc.property(contents, (written) => {
      const file = Buffer.concat(written.map(encodeEntry))
      const { entries, soundBytes, isDamaged } = readEntries(file)
      expect(entries).toEqual(written.map((content) => Buffer.from(content)))
      expect({ soundBytes, isDamaged }).toEqual({ soundBytes: file.length, isDamaged: false })
    }),
  )
})

test('a file truncated anywhere keeps its complete entries, and is not damaged', () => {
  fc.assert(
    fc.property(contents, fc.nat(300), (written, cut) => {
      const file = Buffer.concat(written.map(encodeEntry)).subarray(0, cut)
      const { entries, soundBytes, isDamaged } = readEntries(file)
      let end = 0
      const whole = written.filter((content) => {
        end += encodeEntry(content).length
        return end <= file.length
      })
      expect(entries).toHaveLength(whole.length)
      expect(soundBytes).toBe(Buffer.concat(whole.map(encodeEntry)).length)
      expect(isDamaged).toBe(false)
    }),
  )
})

test('zeros at the end of a file that grew before its content arrived are not entries', () => {
  const entry = encodeEntry(Buffer.from('sound'))
  const result = readEntries(Buffer.concat([entry, Buffer.alloc(100)]))
  expect(result).toMatchObject({ soundBytes: entry.length, isDamaged: false })
})

test('a flipped bit before a valid entry is damage; in the last entry it is a torn write', () => {
  const entries = ['{"batchId":1}', '{"batchId":2}', '{"batchId":3}'].map((text) =>
    encodeEntry(Buffer.from(text)),
  )
  const lastStart = entries[0]!.length + entries[1]!.length
  const file = Buffer.concat(entries)
  for (let at = 0; at < file.length; at++) {
    const flipped = Buffer.from(file)
    flipped[at]! ^= 0x10
    expect(readEntries(flipped).isDamaged).toBe(at < lastStart)
  }
})
