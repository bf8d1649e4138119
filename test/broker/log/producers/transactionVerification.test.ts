// The guards of producers: which producers hold one, and until when.

import { expect, test } from 'vitest'
import { TransactionVerification } from '../../../../broker/log/producers/transactionVerification.ts'

function producer(producerId: number, producerEpoch = 0, baseSequence = 0) {
  return { producerId, producerEpoch, baseSequence, supportsEpochBump: false }
}

test('a producer has one guard until it is ended', () => {
  const verification = new TransactionVerification()
  const guard = verification.begin(producer(1), 0)
  expect(verification.begin(producer(1), 5)).toBe(guard)
  expect(verification.begin(producer(2), 5)).not.toBe(guard)
  expect(verification.guardOf(1)).toBe(guard)
  verification.end(1)
  expect(verification.guardOf(1)).toBeUndefined()
  expect(verification.begin(producer(1), 6)).not.toBe(guard)
})

test('the lowest sequence number is that of the newest epoch', () => {
  const verification = new TransactionVerification()
  const guard = verification.begin(producer(1, 3, 7), 0)
  verification.begin(producer(1, 3, 5), 0)
  verification.begin(producer(1, 3, 9), 0)
  expect(guard.lowestSequence).toBe(5)
  verification.begin(producer(1, 2, 0), 0)
  expect(guard.lowestSequence).toBe(5)
  verification.begin(producer(1, 4, 8), 0)
  expect(guard.lowestSequence).toBe(8)
})

test('unused guards are removed by age, and if there are too many', () => {
  const verification = new TransactionVerification()
  verification.begin(producer(1), 100)
  verification.begin(producer(2), 200)
  verification.expire(250, 100)
  expect(verification.guardOf(1)).toBeUndefined()
  expect(verification.guardOf(2)).toBeDefined()
  for (let id = 3; id <= 10_003; id++) verification.begin(producer(id), 300)
  expect(verification.guardOf(2)).toBeUndefined()
  expect(verification.guardOf(3)).toBeUndefined()
  expect(verification.guardOf(4)).toBeDefined()
})
