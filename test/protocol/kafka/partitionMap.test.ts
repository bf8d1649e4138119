import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PartitionMap } from '../../../protocol/kafka/partitionMap.ts'

const topic = fc.constantFrom('orders', 'orders-1', 'clicks', '__proto__')
const partition = fc.integer({ min: 0, max: 3 })
const step = fc.oneof(
  fc.record({ kind: fc.constant('set'), topic, partition, value: fc.nat() }),
  fc.record({ kind: fc.constant('delete'), topic, partition }),
  fc.record({ kind: fc.constant('clear') }),
)

test('agrees with a map by text keys, whatever is set, deleted and cleared', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const map = new PartitionMap<number>()
      const model = new Map<string, number>()
      for (const each of steps) {
        if ('value' in each) {
          map.set(each.topic, each.partition, each.value)
          model.set(`${each.topic}/${each.partition}`, each.value)
        } else if ('topic' in each) {
          const wasThere = map.delete(each.topic, each.partition)
          expect(wasThere).toBe(model.delete(`${each.topic}/${each.partition}`))
        } else {
          map.clear()
          model.clear()
        }
        expect(map.size).toBe(model.size)
        expect(entriesOf(map)).toEqual([...model].sort())
        expect([...map.values()].sort()).toEqual([...model.values()].sort())
      }
    }),
  )
})

test('a topic without partitions is not listed', () => {
  const map = new PartitionMap<string>().set('orders', 0, 'one')
  expect(map.has('orders', 0)).toBe(true)
  expect(map.delete('orders', 0)).toBe(true)
  expect([...map.topics()]).toEqual([])
  expect(map.ofTopic('orders').size).toBe(0)
  expect(map.has('orders', 0)).toBe(false)
})

function entriesOf(map: PartitionMap<number>): [string, number | undefined][] {
  return [...map.topics()]
    .flatMap(([name, partitions]) => [...partitions.keys()].map((at) => [name, at] as const))
    .map(([name, at]): [string, number | undefined] => [`${name}/${at}`, map.get(name, at)])
    .sort()
}
