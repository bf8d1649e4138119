// The interface of every source and sink to the actor that runs it: started, polled repeatedly and
// stopped. An instance is never started twice; after a failure a new one is created.

import type { AgentReason } from './agentReasons.ts'

export interface Polled {
  start(): Promise<void>
  /**
   * Does one round of work. Returns the delay until the next call, in ms; 0 means at once. May wait
   * for work, but must return soon after `signal` aborts. A failure ends this instance.
   */
  process(signal: AbortSignal): Promise<number>
  stop(): Promise<void>
  /** Problems that block the component although it has not failed. */
  troubles?(): readonly AgentReason[]
}

/** Limit on a wait for work, in ms, after which the actor checks its mailbox. */
export const longestWaitMs = 1000

/**
 * Resolves like `promise`, or with undefined when the signal aborts first; `promise` is not
 * cancelled.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined)
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
