// Waiting, in a test, for something that a client or the broker does in its own time.

import { type Clock, sleep } from '../../protocol/runtime/clock.ts'
import { TestBrokerError } from './testBrokerError.ts'

/** How long to wait. */
export interface WaitOptions {
  /** After this many ms the wait fails; 10,000 unless given. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 10_000
const lookEveryMs = 5

/**
 * Looks every few milliseconds until `look` finds something, and resolves with that. Rejects with TIMED_OUT and what
 * `describe` says, or with NOT_RUNNING when `closed` is aborted first.
 */
export async function waitFor<Found>(
  look: () => Found | undefined | Promise<Found | undefined>,
  describe: () => string,
  { timeoutMs = defaultTimeoutMs }: WaitOptions,
  { clock, closed }: { readonly clock: Clock; readonly closed: AbortSignal },
): Promise<Found> {
  const deadlineMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (closed.aborted) {
      throw new TestBrokerError('NOT_RUNNING', `the broker was closed before ${describe()}`)
    }
    if (clock.monotonicMs() >= deadlineMs) {
      throw new TestBrokerError('TIMED_OUT', `not within ${timeoutMs} ms: ${describe()}`)
    }
    await sleep(clock, lookEveryMs, closed)
  }
}
