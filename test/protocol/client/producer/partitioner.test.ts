import { expect, test } from 'vitest'
import { murmur2 } from '../../../../protocol/client/producer/murmur2.ts'
import {
  partitionForKey,
  StickyPartitioner,
} from '../../../../protocol/client/producer/partitioner.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what Kafka’s Java client computes', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('a key always goes to the same partition, within the count', () => {
  expect(partitionForKey(Buffer.from('foobar'), 1000)).toBe((-790332482 & 0x7fffffff) % 1000)
  for (let key = 0; key < 100; key++) {
    const partition = partitionForKey(Buffer.from(String(key)), 7)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(7)
  }
})

test('without a key the partition is kept until its batch is complete', () => {
  const sticky = new StickyPartitioner(seededRandom(1))
  const seen = new Set<number>()
  for (let batch = 0; batch < 50; batch++) {
    const partition = sticky.partition('orders', 4)
    seen.add(partition)
    expect(sticky.partition('orders', 4)).toBe(partition)
    sticky.batchClosed('other', partition)
    expect(sticky.partition('orders', 4)).toBe(partition)
    sticky.batchClosed('orders', partition)
  }
  expect([...seen].sort()).toEqual([0, 1, 2, 3])
})
