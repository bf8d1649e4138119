// Waits for real I/O in tests, and lets tests crash at any moment. I/O in memory is awaited with
// `settle` (protocol/runtime/time/manualClock.ts); no test waits by counting turns.

/**
 * Resolves when the condition holds, which depends on real I/O. Only the timeout of the test limits
 * the wait.
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await nextTurn()
}

/**
 * Lets `count` turns of the event loop pass: for tests that cause a failure at each of several
 * turns.
 */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
