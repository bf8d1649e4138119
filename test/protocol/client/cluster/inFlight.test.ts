import { expect, test } from 'vitest'
import { InFlight } from '../../../../protocol/client/cluster/inFlight.ts'

test('requests are answered in the order in which they were added', () => {
  const inFlight = new InFlight<string>(3)
  expect(inFlight.nextCorrelationId).toBe(0)
  inFlight.add('a', 10)
  expect(inFlight.nextCorrelationId).toBe(1)
  inFlight.add('b', 20)
  expect(inFlight.answered(0)).toBe('a')
  expect(inFlight.answered(1)).toBe('b')
  expect(inFlight.count).toBe(0)
})

test('a response to another request than the oldest matches none', () => {
  const inFlight = new InFlight<string>(3)
  inFlight.add('a', 10)
  inFlight.add('b', 20)
  expect(inFlight.answered(1)).toBeUndefined()
  expect(inFlight.answered(7)).toBeUndefined()
  expect(inFlight.oldest).toBe('a')
})

test('adding beyond the limit fails an assertion', () => {
  const inFlight = new InFlight<string>(1)
  expect(inFlight.isFull).toBe(false)
  inFlight.add('a', 10)
  expect(inFlight.isFull).toBe(true)
  expect(() => inFlight.add('b', 10)).toThrow('within their limit')
})

test('a request expires at its deadline, also behind one with a later deadline', () => {
  const inFlight = new InFlight<string>(3)
  inFlight.add('patient', 1000)
  inFlight.add('hasty', 100)
  expect(inFlight.earliestDeadlineMs).toBe(100)
  expect(inFlight.expired(99)).toBeUndefined()
  expect(inFlight.expired(100)).toBe('hasty')
})

test('takeAll returns requests in order', () => {
  const inFlight = new InFlight<string>(3)
  inFlight.add('a', 10)
  inFlight.add('b', 20)
  expect(inFlight.takeAll()).toEqual(['a', 'b'])
  expect(inFlight.count).toBe(0)
  expect(inFlight.earliestDeadlineMs).toBe(Infinity)
})
