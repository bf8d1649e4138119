// Advances a manual clock until a promise settles, so that backoffs and timeouts of minutes take
// milliseconds.

import type { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'

/**
 * Moves time on, a step at a time, until `work` settles. Fails after an hour of the clock's time.
 */
export async function drive<T>(clock: ManualClock, work: Promise<T>, stepMs = 20): Promise<T> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  work.then(settled, settled)
  const startMs = clock.monotonicMs()
  while (!isSettled) {
    if (clock.monotonicMs() - startMs > 3_600_000) throw new Error('not settled after an hour')
    await clock.advanceAndSettle(stepMs)
  }
  return await work
}
