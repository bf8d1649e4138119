// The interface of every source and sink to the actor that runs it: started, polled repeatedly and
// stopped. An instance is never started twice; after a failure a new one is created.

import type { ActorContext, BehaviorFactory } from '../protocol/actor/actor.ts'
import type { AgentReason } from './agentReasons.ts'
import type { ComponentWatch } from './componentWatch.ts'

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

export type RunnerMessage = 'process'

/** Maximum time that a component waits for work before its actor handles other messages, in ms. */
export const longestWaitMs = 1000

/**
 * The behavior of the actor that runs a component; failures and successes are reported to `watch`.
 */
export function runnerOf(
  make: () => Polled,
  watch: ComponentWatch,
): BehaviorFactory<RunnerMessage> {
  return () => {
    const component = watched(watch, make)
    watch.begins(component)
    return {
      async started(context) {
        await watchedAsync(watch, () => component.start())
        again(context, 0)
      },
      async receive(_, context) {
        const delayMs = await watchedAsync(watch, () => component.process(context.signal))
        watch.works()
        again(context, delayMs)
      },
      stopping: () => component.stop(),
    }
  }
}

function watched<T>(watch: ComponentWatch, work: () => T): T {
  try {
    return work()
  } catch (error) {
    watch.failed(error)
    throw error
  }
}

async function watchedAsync<T>(watch: ComponentWatch, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    watch.failed(error)
    throw error
  }
}

function again(context: ActorContext<RunnerMessage>, delayMs: number): void {
  if (delayMs > 0) context.setTimer('process', delayMs, 'process')
  else context.self.tryTell('process')
}

/** Resolves like `promise`, or with undefined once the signal aborts; the promise stays pending. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined)
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
