// One pass over a partition for all tasks that want it at the same time. Tasks that are started
// together ask for it before the first turn of the microtask queue; the pass begins then, and
// hands each element to all of them. Nothing is kept: who comes later makes a pass of its own.

import type { Lineage, TaskContext } from '../rdd/lineage.ts'
import type { Sink } from '../sources/sink.ts'

interface Pass {
  readonly sinks: Sink<unknown>[]
  readonly done: Promise<void>
}

export class SharedPasses {
  readonly #joinable = new Map<string, Pass>()

  /** `task` is that of the first who asks: the pass counts as its work. */
  share<T>(rdd: Lineage<T>, partition: number, task: TaskContext, sink: Sink<T>): Promise<void> {
    const key = `${rdd.id}/${partition}`
    const joined = this.#joinable.get(key)
    if (joined) {
      joined.sinks.push(sink as Sink<unknown>)
      return joined.done
    }
    const sinks = [sink as Sink<unknown>]
    const done = Promise.resolve().then(() => {
      this.#joinable.delete(key)
      return rdd.compute(partition, task, fanOut(sinks))
    })
    this.#joinable.set(key, { sinks, done })
    return done
  }
}

/** The small numbers are spelt out: this is called for every element. */
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
