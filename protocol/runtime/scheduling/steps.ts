// Runs a function again and again, with all promise jobs between two calls: the loop of a simulator
// under virtual time. The jobs of each call have run before the next one, so that the order of
// everything in memory follows from the order of the calls. Never waits for real time or I/O.
//
// Node runs the promise jobs between two immediates of one turn, so a turn is queued with many of
// them: a step costs about a tenth of what it costs to await an immediate for each.

const enqueueImmediate = setImmediate

const stepsPerTurn = 256

/**
 * Calls `step` until it returns false. Rejects if it throws. Other work of the event loop runs
 * between turns of some hundred steps.
 */
export function runSteps(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = 0
    let isOver = false
    const over = (end: () => void) => {
      isOver = true
      end()
    }
    const one = () => {
      left--
      if (isOver) return
      try {
        if (!step()) return over(resolve)
      } catch (error) {
        return over(() => reject(error as Error))
      }
      if (left === 0) queue()
    }
    const queue = () => {
      left = stepsPerTurn
      for (let count = 0; count < stepsPerTurn; count++) enqueueImmediate(one)
    }
    queue()
  })
}
