// Signals that stop a program. For every program the first one is a request for an orderly stop;
// each function here states what a further one does.

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const usualSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM']

/**
 * Calls `onStop` at the first SIGINT or SIGTERM, then resolves. A further signal ends the process
 * immediately, as without a handler. For servers and the demo.
 */
export function firstStopSignal(onStop: () => void = () => {}): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = () => {
      for (const signal of usualSignals) process.removeListener(signal, onSignal)
      onStop()
      resolve()
    }
    for (const signal of usualSignals) process.on(signal, onSignal)
  })
}

/**
 * Resolves at the first of `signals`. The same signal again ends the process immediately; another
 * one of them has no effect, because service managers and closing terminals send SIGHUP in addition
 * to SIGTERM.
 */
export function firstOfSignals(signals: readonly StopSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
}

/**
 * Calls `onSignal` at every signal, with the number of earlier ones. No signal ends the process.
 */
export function onStopSignals(onSignal: (earlier: number) => void): void {
  let signals = 0
  for (const signal of usualSignals) process.on(signal, () => onSignal(signals++))
}
