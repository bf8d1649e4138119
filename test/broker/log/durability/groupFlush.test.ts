// The queue of appends before the disk: groups keep the order, lose nothing and stay within their
// limits.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Flushable, GroupFlush } from '../../../../broker/log/durability/groupFlush.ts'

const item: fc.Arbitrary<Flushable> = fc.record({
  sizeBytes: fc.integer({ min: 0, max: 3_000_000 }),
  roll: fc.option(fc.constant({}), { nil: undefined }),
})

test('groups are consecutive, bounded, and start where a segment starts', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 40 }), (items) => {
      const queue = new GroupFlush<Flushable>(5_000_000)
      for (const next of items) queue.add(next)
      const total = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      expect([queue.pendingBytes, queue.isFull]).toEqual([total, total >= 5_000_000])
      const taken: Flushable[] = []
      while (!queue.isEmpty) {
        const group = queue.take()
        expect(group.length).toBeGreaterThan(0)
        expect(group.slice(1).some(({ roll }) => roll)).toBe(false)
        const bytes = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
        if (group.length > 1) expect(bytes).toBeLessThanOrEqual(4 * 1024 * 1024)
        queue.flushed()
        taken.push(...group)
      }
      expect(taken).toEqual(items)
      expect(queue.pendingBytes).toBe(0)
    }),
  )
})

test('a group holds no more buffers than one writev accepts', () => {
  const queue = new GroupFlush<Flushable>(1)
  for (let number = 0; number < 2000; number++) queue.add({ sizeBytes: 1, roll: undefined })
  expect(queue.take().length).toBe(1024)
  expect(queue.drain().length).toBe(976)
  expect([queue.isEmpty, queue.pendingBytes]).toEqual([true, 0])
})
