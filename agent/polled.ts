// The interface between a source or sink and the actor that runs it (componentRunner.ts): started,
// polled repeatedly, and stopped. An instance lives for one incarnation; after a failure a new one
// is created.

import type { AgentReason } from './agentReasons.ts'

export interface Polled {
  start(): Promise<void>
  /**
   * Does one round of work. Returns the delay before the next call, in ms; 0 for none. May wait for
   * work, but must return soon after `signal` aborts. A failure ends this instance.
   */
  process(signal: AbortSignal): Promise<number>
  stop(): Promise<void>
  /** The problem that blocks the component although it has not failed; none unless given. */
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
