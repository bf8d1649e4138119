import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Backoff } from '../../../protocol/client/backoff.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

test('delays double up to the maximum, within a fifth of their nominal value', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const backoff = new Backoff({ initialMs: 100, maxMs: 1000 }, seededRandom(seed))
      for (const nominal of [100, 200, 400, 800, 1000, 1000]) {
        const delayMs = backoff.failed()
        expect(delayMs).toBeGreaterThanOrEqual(nominal * 0.8)
        expect(delayMs).toBeLessThanOrEqual(Math.min(1000, nominal * 1.2))
      }
    }),
  )
})

test('a success resets the delay', () => {
  const backoff = new Backoff({ initialMs: 100, maxMs: 10_000 }, seededRandom(1))
  for (let failure = 0; failure < 5; failure++) backoff.failed()
  backoff.succeeded()
  expect(backoff.failed()).toBeLessThanOrEqual(120)
})

test('the delay stays finite after a thousand failures', () => {
  const backoff = new Backoff({ initialMs: 1, maxMs: 500 }, seededRandom(1))
  for (let failure = 0; failure < 2000; failure++) backoff.failed()
  expect(backoff.failed()).toBeLessThanOrEqual(500)
})

test('clients that failed together retry at different times', () => {
  const delays = [1, 2, 3, 4].map((seed) =>
    new Backoff({ initialMs: 100, maxMs: 1000 }, seededRandom(seed)).failed(),
  )
  expect(new Set(delays).size).toBe(4)
})
