// Runs a source or a sink as an actor: creates an instance for each incarnation, polls it, and
// reports its failures to its ComponentWatch. Never catches a failure: the supervision strategy
// decides.

import type { ActorContext, BehaviorFactory } from '../protocol/actor/actor.ts'
import type { ComponentWatch } from './componentWatch.ts'
import type { Polled } from './polled.ts'

export type RunnerMessage = 'process'

/** Returns the behavior of an actor that runs the components created by `make`. */
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
