// Waiting in tests of what is real, and crashing at any moment. What is in memory settles by itself
// (`settle` in protocol/runtime/time/manualClock.ts); nothing waits by counting turns.

/**
 * Resolves when the condition holds, which real I/O brings about; the time limit of the test ends
 * the wait.
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await nextTurn()
}

/**
 * Lets `count` turns of the event loop pass: for a test that explores at which of them something
 * strikes.
 */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
