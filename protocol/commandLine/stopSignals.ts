// The signals with which people and service managers stop a program. Every program takes the first one
// as a request to stop in order; what a further one does is the program's choice and stated here.

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const usualSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM']

/**
 * Resolves at the first signal, after a call of `onStop`. Any further signal ends the process at once,
 * as the system does without a handler. For servers and the demo.
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
 * Resolves at the first of `signals`. The same signal again ends the process at once; another of them
 * has no effect, because service managers and closing terminals send SIGHUP beside SIGTERM.
 */
export function firstOfSignals(signals: readonly StopSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
}

/** Calls `onSignal` at every signal, with the number of those before. No signal ends the process. */
export function onStopSignals(onSignal: (earlier: number) => void): void {
  let signals = 0
  for (const signal of usualSignals) process.on(signal, () => onSignal(signals++))
}
