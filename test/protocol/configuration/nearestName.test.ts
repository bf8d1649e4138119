// Misspelled names are recognized; other words are not mistaken for a known name.

import { expect, test } from 'vitest'
import { nearestName } from '../../../protocol/configuration/nearestName.ts'

const known = [
  'transactionCapacity',
  'capacity',
  'keep-alive',
  'log.retention.hours',
  'useIP',
  'k1',
]

test.each([
  ['transactionCapactiy', 'transactionCapacity'],
  ['trasactionCapacity', 'transactionCapacity'],
  ['log.retenton.hours', 'log.retention.hours'],
  ['CAPACITY', 'capacity'],
  ['capacities', undefined],
  ['keepalive', 'keep-alive'],
  ['useIp', 'useIP'],
  ['useID', 'useIP'],
  ['k2', undefined],
  ['batchSize', undefined],
  ['', undefined],
])('%s may mean %s', (text, expected) => {
  expect(nearestName(text, known)).toBe(expected)
})
