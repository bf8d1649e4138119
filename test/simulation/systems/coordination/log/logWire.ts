// What travels between members and the log: messages over the links of the world, which may be
// lost, doubled, late, or overtaken by later ones. A message is the function that its receiver
// runs.

import type { Random } from '../../../../../protocol/runtime/random.ts'
import type { SimulatedNetwork } from '../../../world/network/simulatedNetwork.ts'
import type { SimulatedProcess } from '../../../world/simulatedProcess.ts'
import type { World } from '../../../world/world.ts'

export interface LateMessages {
  /** Chance that a message that may be late is. */
  readonly lateChance: number
  /** How late it is at most. */
  readonly lateMs: number
}

/** Claims, and what a subscription asks, would only be repeated. */
const mayBeLate: ReadonlySet<string> = new Set(['append', 'append answer', 'entry', 'read answer'])

export class LogWire {
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #late: LateMessages
  readonly #random: Random
  #isHealed = false

  constructor(world: World, network: SimulatedNetwork, late: LateMessages) {
    this.#world = world
    this.#network = network
    this.#late = late
    this.#random = world.random.fork('late messages')
  }

  /** Nothing is late any more. */
  heal(): void {
    this.#isHealed = true
  }

  /** `to` is asked when the message arrives: the process may have been started again. */
  send(
    from: SimulatedProcess,
    toHost: string,
    to: () => SimulatedProcess | undefined,
    what: string,
    bytes: number,
    run: () => void,
  ): void {
    if (!from.isAlive) return
    const link = this.#network.link(from.host.name, toHost)
    for (const delayMs of link.datagramDelaysMs(bytes)) {
      const lateMs = mayBeLate.has(what) ? this.#lateMs() : 0
      this.#world.schedule(delayMs + lateMs, this.#world, 'log', what, () => {
        if (link.isOpen) to()?.deliver('log', what, run)
      })
    }
  }

  #lateMs(): number {
    const { lateChance, lateMs } = this.#late
    if (this.#isHealed || lateChance === 0 || this.#random.float() >= lateChance) return 0
    return lateMs * this.#random.float()
  }
}
