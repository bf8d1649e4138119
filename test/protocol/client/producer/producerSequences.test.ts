import { expect, test } from 'vitest'
import { ProducerSequences } from '../../../../protocol/client/producer/producerSequences.ts'

const identity = { producerId: 7, producerEpoch: 0 }

test('batches are numbered from 0 per partition, after a producer id is assigned', () => {
  const sequences = new ProducerSequences()
  expect(sequences.needsIdentity).toBe(true)
  expect(sequences.assign('a', 0, 3)).toBeUndefined()
  sequences.begin(identity)
  expect(sequences.assign('a', 0, 3)).toEqual({ ...identity, baseSequence: 0 })
  expect(sequences.assign('a', 0, 2)).toEqual({ ...identity, baseSequence: 3 })
  expect(sequences.assign('a', 1, 1)).toEqual({ ...identity, baseSequence: 0 })
  expect(sequences.assign('b', 0, 1)).toEqual({ ...identity, baseSequence: 0 })
})

test('the next epoch fences the batches of the one before; after the last one there is none', () => {
  const sequences = new ProducerSequences()
  expect(sequences.nextEpoch).toBeUndefined()
  sequences.begin(identity)
  expect(sequences.nextEpoch).toEqual({ producerId: 7, producerEpoch: 1 })
  sequences.assign('a', 0, 1)
  sequences.settled('failed')
  sequences.begin({ producerId: 7, producerEpoch: 32_766 })
  expect(sequences.nextEpoch).toBeUndefined()
})

test('after a failure a new identity is needed, once no batch is pending', () => {
  const sequences = new ProducerSequences()
  sequences.begin(identity)
  sequences.assign('a', 0, 3)
  sequences.assign('a', 1, 3)
  sequences.settled('failed')
  expect(sequences.isBroken).toBe(true)
  expect(sequences.needsIdentity).toBe(false)
  expect(sequences.assign('a', 2, 1)).toBeUndefined()
  expect(() => sequences.begin(identity)).toThrow('no batch is pending')
  sequences.settled('stored')
  expect(sequences.needsIdentity).toBe(true)
  sequences.begin({ producerId: 8, producerEpoch: 0 })
  expect(sequences.assign('a', 0, 1)).toEqual({ producerId: 8, producerEpoch: 0, baseSequence: 0 })
})

test('sequences wrap to 0 after 2^31 - 1', () => {
  const sequences = new ProducerSequences()
  sequences.begin(identity)
  sequences.assign('a', 0, 2 ** 31 - 1)
  expect(sequences.assign('a', 0, 2)?.baseSequence).toBe(2 ** 31 - 1)
  expect(sequences.assign('a', 0, 1)?.baseSequence).toBe(1)
})
