// The database that the job writes to: outside of its host, with a latency, atomic transactions
// that it takes once for each id. A transaction of a driver that dies has happened or not.

import { type TestContext, TestSinks } from '../../../../engine/testing/testSink.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'

const meanMs = 3

export class Database {
  readonly #sinks = new TestSinks()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** What was appended to a sink, in order. */
  list(name: string): readonly unknown[] {
    return this.#sinks.contents(name).list
  }

  contextOf(process: SimulatedProcess): TestContext {
    const { world } = process.host
    return this.#sinks.context((what, effect) => {
      return new Promise((resolve) => {
        if (!process.isAlive) return
        world.schedule(meanMs * this.#random.float(), world, 'database', what, () => {
          const result = effect()
          process.schedule(meanMs * this.#random.float(), 'database', 'answer', () => {
            resolve(result)
          })
        })
      })
    })
  }
}
