// One pass over a partition for all tasks that read it at the same time. Tasks that are started
// together join before the pass begins, which the scheduler runs soon after the first of them; the
// pass hands each element to all of them. Nothing is kept: a later task makes its own pass.

import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Lineage, TaskContext } from '../rdd/lineage.ts'
import type { Sink } from '../sources/sink.ts'

interface Pass {
  readonly sinks: Sink<unknown>[]
  readonly done: Promise<void>
}

export class SharedPasses {
  readonly #scheduler: Scheduler
  readonly #joinable = new Map<string, Pass>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** The pass counts as the work of the first task that joins. */
  share<T>(rdd: Lineage<T>, partition: number, task: TaskContext, sink: Sink<T>): Promise<void> {
    const key = `${rdd.id}/${partition}`
    const joined = this.#joinable.get(key)
    if (joined) {
      joined.sinks.push(sink as Sink<unknown>)
      return joined.done
    }
    const sinks = [sink as Sink<unknown>]
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const pass = async () => {
      this.#joinable.delete(key)
      await rdd.compute(partition, task, fanOut(sinks))
    }
    this.#scheduler.soon(() => resolve(pass()))
    this.#joinable.set(key, { sinks, done })
    return done
  }
}

/** One and two sinks have their own code, because the result is called for every element. */
function fanOut(sinks: readonly Sink<unknown>[]): Sink<unknown> {
  const [first, second] = sinks
  if (sinks.length === 1) return first!
  if (sinks.length === 2) {
    return (element) => {
      first!(element)
      second!(element)
    }
  }
  return (element) => {
    for (let at = 0; at < sinks.length; at++) sinks[at]!(element)
  }
}
