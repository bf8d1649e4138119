// Map outputs of earlier batches make room for those of the one that runs, and never the other way.

import { expect, test } from 'vitest'
import { ShuffleStore } from '../../../engine/shuffle/shuffleStore.ts'

const pairs = (count: number) => [
  { keys: Array.from({ length: count }, (_, at) => at), values: new Array(count).fill(1) },
]

test('the oldest outputs go first, and what is forgotten frees its room', () => {
  const store = new ShuffleStore(10)
  store.put('s0', 0, 0, pairs(4))
  store.put('s1', 0, 1, pairs(4))
  store.put('s2', 0, 2, pairs(4))
  expect(store.get('s0', 0)).toBeUndefined()
  expect(store.get('s1', 0)).toEqual(pairs(4))
  store.forget('s1', 1)
  store.put('s2', 1, 2, pairs(6))
  expect(store.get('s2', 0)).toEqual(pairs(4))
})

test('an output that is put again counts once', () => {
  const store = new ShuffleStore(10)
  for (let times = 0; times < 5; times++) store.put('s0', 0, 0, pairs(8))
  expect(store.get('s0', 0)).toEqual(pairs(8))
})

test('one batch that is too large is refused with what to do', () => {
  const store = new ShuffleStore(10)
  store.put('s0', 0, 0, pairs(8))
  expect(() => store.put('s0', 1, 0, pairs(8))).toThrow(/reduce by key before/)
})
