// Lets the event loop go on with what else is due, in the middle of long work.

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
