// The map from keys to offsets against an ordinary Map, and its bounds.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesPerSlot, OffsetMap } from '../../../../broker/log/cleaner/offsetMap.ts'

const key = fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes))

test('holds the last offset of each key until it is full', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 200 }), fc.nat(300), (keys, slots) => {
      const map = new OffsetMap(slots * bytesPerSlot, keys.length)
      const model = new Map<string, number>()
      let isFull = false
      for (const [offset, bytes] of keys.entries()) {
        isFull = !map.put(bytes, offset)
        if (isFull) break
        model.set(bytes.toString('hex'), offset)
        expect(map.latestOffset).toBe(offset)
      }
      expect(map.size).toBe(model.size)
      for (const bytes of keys) expect(map.get(bytes)).toBe(model.get(bytes.toString('hex')) ?? -1)
      // Nine of ten slots may be used.
      if (isFull) expect(map.size).toBe(Math.max(1, Math.floor(Math.max(2, slots) * 0.9)))
    }),
    { numRuns: 500 },
  )
})

test('records without keys count as seen, and offsets never decrease', () => {
  const map = new OffsetMap(1000, 10)
  expect(map.latestOffset).toBe(-1)
  map.advance(7)
  map.advance(5)
  expect(map.latestOffset).toBe(7)
  expect(() => map.put(Buffer.from('a'), 6)).toThrow('ascending order')
})

test('takes at most the memory of its limit, and no more than the keys need', () => {
  const before = process.memoryUsage().arrayBuffers
  const map = new OffsetMap(128 * 1024 * 1024, 1000)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024)
  for (let offset = 0; offset < 1000; offset++) {
    expect(map.put(Buffer.from(String(offset)), offset)).toBe(true)
  }
})
