// The bounded cache of values evicts the least recently used value first, whichever store the value
// belongs to.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf, held } from '../../../engine/state/heldValue.ts'
import { ValueCache } from '../../../engine/state/valueCache.ts'

const bytes = (length: number, fill: number) => held(Buffer.alloc(length, fill))

test('the least recently used value is evicted first, across all stores', () => {
  const cache = new ValueCache({ maxBytes: 3 * 1300 })
  const [one, other] = [cache.part(), cache.part()]
  one.set('a', bytes(1000, 1))
  other.set('a', bytes(1000, 2))
  one.set('b', bytes(1000, 3))
  expect(one.get('a')).toEqual(bytes(1000, 1))
  other.set('c', bytes(1000, 4))
  expect(other.get('a')).toBeUndefined()
  expect(one.get('a')).toEqual(bytes(1000, 1))
  one.clear()
  expect(one.get('b')).toBeUndefined()
  expect(other.get('c')).toEqual(bytes(1000, 4))
})

test('the cache never returns a stale value, and stays within its limit', () => {
  const step = fc.tuple(
    fc.nat({ max: 1 }),
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cache = new ValueCache({ maxBytes: 1500 })
      const parts = [cache.part(), cache.part()]
      const models = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()]
      for (const [at, key, value] of steps) {
        if (value === undefined) {
          parts[at]!.delete(key)
          models[at]!.delete(key)
        } else {
          parts[at]!.set(key, held(value))
          models[at]!.set(key, value)
          expect(Buffer.compare(bytesOf(parts[at]!.get(key)!), value)).toBe(0)
        }
        expect(cache.bytes).toBeLessThanOrEqual(1500)
        for (const [place, part] of parts.entries()) {
          const cached = part.get(key)
          if (cached !== undefined)
            expect(Buffer.compare(bytesOf(cached), models[place]!.get(key)!)).toBe(0)
        }
      }
      for (const part of parts) part.clear()
      expect(cache.bytes).toBe(0)
    }),
  )
})

test('a value larger than the cache is not cached', () => {
  const cache = new ValueCache({ maxBytes: 1000 })
  const part = cache.part()
  part.set('a', bytes(2000, 1))
  expect(part.get('a')).toBeUndefined()
  expect(cache.bytes).toBe(0)
})
