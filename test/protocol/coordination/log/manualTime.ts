// Waits for conditions under a manual clock, which advances from timer to timer meanwhile.

import { type ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'

const maxWaitMs = 3_600_000

/** Resolves when the condition holds; rejects after an hour of the clock. */
export async function untilOn(clock: ManualClock, condition: () => boolean): Promise<void> {
  const endMs = clock.monotonicMs() + maxWaitMs
  await settle()
  while (!condition()) {
    if (clock.monotonicMs() > endMs) throw new Error('the condition never holds')
    await clock.advanceAndSettle(Math.max(1, clock.nextTimerInMs ?? 10))
  }
}
