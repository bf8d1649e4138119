// Waits, in a test, for a condition that a client or the broker makes true.

import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import { TestBrokerError } from './testBrokerError.ts'

/** How long to wait. */
export interface WaitOptions {
  /** Timeout of the wait, in ms. Default: 10,000. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 10_000
const lookEveryMs = 5

/**
 * Polls `look` every few milliseconds and resolves with the first value that it finds. Rejects with
 * TIMED_OUT and the text of `describe`, or with NOT_RUNNING if `closed` is aborted first.
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
      throw new TestBrokerError(
        'TIMED_OUT',
        `timed out after ${timeoutMs} ms waiting for ${describe()}`,
      )
    }
    await sleep(clock, lookEveryMs, closed)
  }
}
